"""How many tokens a prompt has, as Responses tells it.

Source: `InputTokenCountResponse` of the `openai` SDK 3.x (read 2026-11-27).
Growth: the upstream's answer, up to 64 KiB.
Used by gateway/translate.
"""

from collections.abc import Awaitable

import msgspec

from clearway.core.errors import UpstreamProtocolError
from clearway.core.fields import Headers
from clearway.gateway.answer_sink import Translation
from clearway.gateway.call import Sink
from clearway.gateway.headers import EXCHANGE_HEADER
from clearway.wire.hub import errors
from clearway.wire.messages.watch import PING

_OK = 200
_LONGEST = 64 * 1024
_KEPT = (b"retry-after", b"retry-after-ms", b"x-should-retry")


class _Count(msgspec.Struct):
    input_tokens: int


class CountSink:
    """Tells one number.

    Args:
        sink: The client's.
        exchange_id: Of the exchange.
        translation: What it is an answer to.
    """

    def __init__(self, sink: Sink, exchange_id: str, translation: Translation) -> None:
        self._sink = sink
        self._exchange_id = exchange_id.encode()
        self._translation = translation
        self._status = _OK
        self._fields: Headers = ()
        self._said = b""

    @property
    def started(self) -> bool:
        """As `Sink.started`."""
        return self._sink.started

    @property
    def gone(self) -> bool:
        """As `Sink.gone`."""
        return self._sink.gone

    @property
    def is_slow(self) -> bool:
        """As `Sink.is_slow`."""
        return self._sink.is_slow

    def drain(self) -> Awaitable[None]:
        """As `Sink.drain`."""
        return self._sink.drain()

    def cut(self) -> None:
        """As `Sink.cut`."""
        self._sink.cut()

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
        if self._status != _OK:
            model, asked = self._translation.model, self._translation.name
            (status, kind, code), message, _ = errors.upstreams(self._status, self._said, model=model, asked=asked)
            self._end(status, errors.error_body(message, kind, code))
            return
        try:
            counted = msgspec.json.decode(self._said, type=_Count).input_tokens
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamProtocolError("the upstream did not say how many tokens there are") from error
        self._end(_OK, b'{"object":"response.input_tokens","input_tokens":%d}' % counted)

    def _end(self, status: int, body: bytes) -> None:
        head = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", self._exchange_id),
            (EXCHANGE_HEADER, self._exchange_id),
        ]
        if self._translation.warnings:
            head.append((b"x-clearway-warnings", self._translation.warnings))
        if status != _OK:
            head += [field for field in self._fields if field[0] in _KEPT]
        self._sink.start(status, head)
        self._sink.finish(body)
