"""Files and batches of keys: each key sees, reads, changes and uses its own only."""
