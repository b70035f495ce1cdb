"""Errors of ours in the format that the client speaks.

Used by gateway/visit, and by the doors for what they refuse themselves.
"""

from collections.abc import Callable

from clearway.core.errors import GatewayError, LimitExceeded
from clearway.core.exchange import Wire
from clearway.wire.hub import errors as hub
from clearway.wire.messages import errors as messages

Rendered = tuple[int, list[tuple[bytes, bytes]], bytes]

_RENDER: dict[Wire, Callable[[GatewayError, str], Rendered]] = {
    "messages": messages.render,
    "chat": hub.render,
    "responses": hub.render,
}


def render(error: GatewayError, request_id: str, wire: Wire) -> Rendered:
    """Status, headers and body. See `wire/messages/errors.py: render`."""
    return _RENDER[wire](error, request_id)


def last_event(error: GatewayError, request_id: str) -> bytes | None:
    """What ends a stream of Messages that has begun; None: it is cut, as nothing that could be said would help."""
    if isinstance(error, LimitExceeded):
        return b"event: error\ndata: " + messages.render(error, request_id)[2] + b"\n\n"
    # Claude Code retries a cut stream cleanly; after an error event it asks
    # again without streaming and pays twice (measured with 2.1.329).
    return None
