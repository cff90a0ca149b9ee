"""`regrow serve`: an HTTP server of the OpenAI kind that searches. FastAPI is imported by the files that run it."""
