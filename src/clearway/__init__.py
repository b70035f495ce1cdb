"""Clearway: a self-hosted gateway and inspector for Claude."""

__version__ = "0.1.0"
