"""Work spread over several engines: workers in processes of this machine, or actors of a Ray cluster."""
