"""Anthropic's Messages format, the hub of all translation."""
