"""Chat Completions, as a spoke of Messages."""
