"""Trees to look at: one offline page of trace stores, runs and single searches."""
