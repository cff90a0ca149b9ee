"""Configuration data: YAML only, read by `regrow.config` alone."""
