"""The ledger: exchanges, attempts, keys and spend, durable."""
