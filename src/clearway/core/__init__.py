"""Nouns everybody shares: ids, clocks, secrets, errors, usage, records of exchanges."""
