"""Hands that reach upstreams: our HTTP/1.1 client and one file for each kind."""
