"""All scenarios of each table."""

from tests.faults import client_leaves, client_sends, upstream_breaks, upstream_says

UPSTREAM = upstream_breaks.PLAYS | upstream_says.PLAYS
CLIENT = client_leaves.PARTS | client_sends.PARTS
HASTY = UPSTREAM.hasty | CLIENT.hasty
"""Rows that are about waiting, and need a gateway that does not wait for long."""
