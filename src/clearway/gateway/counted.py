"""How many tokens a prompt has, as Responses tells it.

Source: `InputTokenCountResponse` of the `openai` SDK 3.x (read 2026-11-27).
Growth: the upstream's answer, up to 64 KiB.
Used by gateway/translate.
"""

import msgspec

from clearway.core.errors import UpstreamProtocolError
from clearway.core.fields import Headers
from clearway.gateway.answer_sink import Translation
from clearway.gateway.call import Sink
from clearway.gateway.front import KEPT, OK, Front
from clearway.gateway.headers import EXCHANGE_HEADER
from clearway.wire.hub import errors
from clearway.wire.messages.watch import PING

_LONGEST = 64 * 1024


class _Count(msgspec.Struct):
    input_tokens: int


class CountSink(Front):
    """Tells one number.

    Args:
        sink: The client's.
        exchange_id: Of the exchange.
        translation: What it is an answer to.
    """

    def __init__(self, sink: Sink, exchange_id: str, translation: Translation) -> None:
        super().__init__(sink)
        self._exchange_id = exchange_id.encode()
        self._translation = translation
        self._status = OK
        self._fields: Headers = ()
        self._said = b""

    def start(self, status: int, headers: Headers) -> None:
        """The upstream's head."""
        self._status, self._fields = status, headers

    def write(self, data: bytes) -> None:
        """A piece of its answer."""
        if data is not PING and len(self._said) <= _LONGEST:
            self._said += data

    def finish(self, data: bytes = b"") -> None:
        """The last piece.

        Raises:
            UpstreamProtocolError: It holds no number.
        """
        self.write(data)
        if self._status != OK:
            model, asked = self._translation.model, self._translation.name
            (status, kind, code), message, _ = errors.upstreams(self._status, self._said, model=model, asked=asked)
            self._end(status, errors.error_body(message, kind, code))
            return
        try:
            counted = msgspec.json.decode(self._said, type=_Count).input_tokens
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamProtocolError("the upstream did not say how many tokens there are") from error
        self._end(OK, b'{"object":"response.input_tokens","input_tokens":%d}' % counted)

    def _end(self, status: int, body: bytes) -> None:
        head = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", self._exchange_id),
            (EXCHANGE_HEADER, self._exchange_id),
        ]
        if self._translation.warnings:
            head.append((b"x-clearway-warnings", self._translation.warnings))
        if status != OK:
            head += [field for field in self._fields if field[0] in KEPT]
        self._sink.start(status, head)
        self._sink.finish(body)
