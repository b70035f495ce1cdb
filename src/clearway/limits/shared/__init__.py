"""One count for several gateways: counters on a Valkey that they share (decision 0016)."""
