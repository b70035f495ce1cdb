"""An answer in Responses, streamed or whole. Pure.

See `wire/hub/teller.py`. Used by whoever walks a request of Responses.
"""

from clearway.wire.hub.errors import Told
from clearway.wire.hub.pieces import Piece
from clearway.wire.responses.errors import code_of, sentence_of
from clearway.wire.responses.form import Form
from clearway.wire.responses.reasoning import Seal
from clearway.wire.responses.stream import Keep, Telling


class ResponsesTeller:
    """Tells one answer.

    Args:
        form: How the client wants it.
        seal: Closes blocks of thinking up.
        name: What stands for the id of a message that has none: the exchange's.
        is_stream: In events, not as one object.
        keep: Takes the items.
    """

    def __init__(self, form: Form, seal: Seal, name: str, *, is_stream: bool, keep: Keep | None = None) -> None:
        self._telling = Telling(form, seal, name, keep)
        self._is_stream = is_stream

    def write(self, piece: Piece) -> bytes:
        """See `Teller.write`."""
        said = self._telling.write(piece)
        return said if self._is_stream else b""

    def beat(self) -> bytes:
        """See `Teller.beat`: nothing before `response.created`, which clients insist on as the first."""
        return self._telling.beat() if self._is_stream else b""

    def fail(self, told: Told, message: str, retry_after_s: int | None = None) -> bytes:
        """See `Teller.fail`."""
        code = code_of(told)
        return self._telling.fail(code, sentence_of(code, message, retry_after_s))

    def body(self) -> bytes:
        """See `Teller.body`.

        Raises:
            ValueError: It has not ended.
        """
        if not self._telling.body:
            raise ValueError("the answer has not ended")
        return self._telling.body
