"""Prices and costs, in integer nano-dollars."""
