"""Watching: the live feed and the log."""
