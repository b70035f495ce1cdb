"""Limits and budgets: admit, reserve, settle."""
