"""Errors within a stream of Chat Completions. Those of its head: `wire/hub/errors.py`.

The SDKs take a cut stream for a whole one, so it must be said (measured, read
2026-11-21). Used by gateway/errors.
"""

from clearway.core.errors import GatewayError
from clearway.wire.hub.errors import error_body, told_as


def in_stream(error: GatewayError) -> bytes:
    """The last event of a stream that an error of ours ends."""
    _, kind, code = told_as(error)
    return b"data: %b\n\n" % error_body(f"Clearway: {error.sentence}", kind, code)
