"""Process reward models: everything that says how good a step is. Knows nothing of policies or rounds."""
