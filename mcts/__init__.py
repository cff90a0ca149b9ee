"""The search core: forest, kernels, searches, scheduler. Knows no model, no file, no configuration."""
