"""How a spoke tells an answer: the seam between the gateway's sink and the formats. Pure.

Source: decision 0020. Implemented by `wire/chat/teller.py` and `wire/responses/teller.py`;
used by gateway/answer_sink.
"""

from typing import Protocol

from clearway.wire.hub.errors import Told
from clearway.wire.hub.pieces import Piece


class Teller(Protocol):
    """Puts one answer into the client's format: made per request, fed in order."""

    def write(self, piece: Piece) -> bytes:
        """What goes to the client at once; empty for one that does not stream."""
        ...

    def beat(self) -> bytes:
        """What fills silence; empty where nothing can be said now."""
        ...

    def fail(self, told: Told, message: str, retry_after_s: int | None = None) -> bytes:
        """The last event of a stream that broke off.

        Args:
            told: How the head of an answer would tell the error.
            message: The sentence.
            retry_after_s: How long to wait, where that is known.
        """
        ...

    def body(self) -> bytes:
        """The whole answer, for a client that does not stream; only once it has ended."""
        ...
