"""An answer in Chat Completions, streamed or whole. Pure.

The SDKs take a cut stream for a whole one, so an error must be said (measured, read
2026-11-21). See `wire/hub/teller.py`. Used by gateway/chat.
"""

from clearway.wire.chat.chunks import KEEP_ALIVE, Chunks
from clearway.wire.chat.form import Form
from clearway.wire.chat.whole import Whole
from clearway.wire.hub.errors import Told, error_body
from clearway.wire.hub.pieces import Piece


class ChatTeller:
    """Tells one answer.

    Args:
        form: How the client wants it.
        is_stream: In chunks, not as one completion.
    """

    def __init__(self, form: Form, *, is_stream: bool) -> None:
        self._chunks = Chunks(form) if is_stream else None
        self._whole = Whole(form)

    def write(self, piece: Piece) -> bytes:
        """See `Teller.write`."""
        if self._chunks is not None:
            return self._chunks.write(piece)
        self._whole.take(piece)
        return b""

    def beat(self) -> bytes:
        """See `Teller.beat`."""
        return b"" if self._chunks is None else KEEP_ALIVE

    def fail(self, told: Told, message: str, retry_after_s: int | None = None) -> bytes:
        """See `Teller.fail`."""
        del retry_after_s
        _, kind, code = told
        return b"data: %b\n\n" % error_body(message, kind, code)

    def body(self) -> bytes:
        """See `Teller.body`."""
        return self._whole.body()
