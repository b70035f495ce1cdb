"""OpenTelemetry: spans and metrics of exchanges and attempts, for a collector; never content."""
