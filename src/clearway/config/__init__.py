"""Configuration: defaults, file, environment, flags, and where each value came from."""
