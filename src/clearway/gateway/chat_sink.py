"""An answer in the words of Messages, taken from the relay and told in those of Chat Completions.

A sink in front of the client's: the relay writes bytes as it always does, and heartbeats
as `ping`. The head goes out with the first thing that there is to say, so that a failure
before has a status of its own. Nothing here waits, and nothing that comes may make it fail.
Growth: one unfinished event; the whole answer for a client that does not stream, a
plain answer or a refusal of an upstream, up to 32 MiB.
Used by gateway/chat.
"""

import zlib
from collections.abc import Awaitable, Iterable

import structlog

from clearway.core.clock import Clock
from clearway.core.errors import UpstreamProtocolError
from clearway.core.fields import Headers
from clearway.gateway.call import Sink
from clearway.gateway.headers import EXCHANGE_HEADER, by_name
from clearway.wire.chat import errors
from clearway.wire.chat.answer import Answer, Failed, Piece
from clearway.wire.chat.chunks import KEEP_ALIVE, Chunks
from clearway.wire.chat.request import Translated
from clearway.wire.chat.whole import Whole
from clearway.wire.encoding import Inflater
from clearway.wire.hub.events import Event, Problem, events_of, read_event
from clearway.wire.hub.notes import printable
from clearway.wire.hub.pausing import Fold
from clearway.wire.messages.watch import BODY_LIMIT, PING
from clearway.wire.sse import DataScanner

log = structlog.get_logger()

_OK = 200
_LONGEST_NAME = 200
_KEPT = (b"retry-after", b"retry-after-ms", b"x-should-retry")
_Body = tuple[int, bytes]


class ChatSink:
    """Tells one answer.

    Args:
        sink: The client's.
        exchange_id: Of the exchange.
        translated: The request.
        model: As it is asked for upstream.
        clock: The time.
        fold: Hears all that is told, where the answer may pause.
    """

    def __init__(  # what an answer is told by
        self,
        sink: Sink,
        exchange_id: str,
        translated: Translated,
        model: str,
        clock: Clock,
        fold: Fold | None = None,
    ) -> None:
        self._sink = sink
        self._exchange_id = exchange_id
        self._translated = translated
        self._model = model
        self._clock = clock
        self._began = clock.monotonic()
        self._answer = Answer(translated.plan)
        self._chunks = Chunks(translated.form) if translated.is_stream else None
        self._whole = None if translated.is_stream else Whole(translated.form)
        self._fold = fold
        self._warnings = translated.warnings
        self._scanner = DataScanner()
        self._inflater: Inflater | None = None
        self._status = _OK
        self._fields: Headers = ()
        self._kept: list[bytes] | None = None
        self._size = 0
        self._last: _Body | None = None
        self._said = b""
        self._is_over = False

    # What the relay asks.

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

    def warn(self, note: bytes) -> None:
        """A further note, before anything is said."""
        self._warnings = b"%b; %b" % (self._warnings, note) if self._warnings else note

    # What the relay says.

    def start(self, status: int, headers: Headers) -> None:
        """The head of the upstream's answer, or of one that goes on with it; kept until there is something to say.

        Raises:
            UpstreamProtocolError: Its coding is none that is read.
        """
        self._status, self._fields = status, headers
        self._scanner, self._inflater, self._kept, self._size = DataScanner(), None, None, 0
        named = by_name(headers)
        coding = named.get(b"content-encoding", b"identity").strip().lower()
        if coding in (b"gzip", b"deflate"):
            self._inflater = Inflater(BODY_LIMIT)
        elif coding != b"identity":
            raise UpstreamProtocolError("the answer is coded in a way that was not asked for")
        is_stream = named.get(b"content-type", b"").lstrip().lower().startswith(b"text/event-stream")
        if status != _OK or not is_stream:
            self._kept = []

    def write(self, data: bytes) -> None:
        """A piece of the upstream's answer, or a heartbeat."""
        if self._is_over:
            return
        if data is PING:
            self._beat()
            return
        if self._inflater is not None:
            try:
                data = self._inflater.feed(data)
            except zlib.error:
                self._fail(Problem("api_error", "the answer cannot be read"))
                return
        if self._kept is not None:
            self._size += len(data)
            if self._size <= BODY_LIMIT:
                self._kept.append(data)
            return
        for event in self._scanner.feed_all(data):
            self._hear(event)
        self._say()

    def finish(self, data: bytes = b"") -> None:
        """The last piece: end the client's answer too."""
        self.write(data)
        if self._kept is not None and not self._is_over:
            self._finish_kept(b"".join(self._kept))
        if self._answer.is_paused and not self._is_over and self._last is None:
            # Nobody has it go on.
            self._take(self._answer.give_up())
            self._say()
        if not self._is_over and not self._answer.is_over and self._last is None:
            # The relay tells of an end too early, but not where an event was too long for its watch.
            self._fail(Problem("api_error", "the answer ended before its end"))
        if self._last is not None:
            self._end(*self._last)
        elif self._whole is not None:
            self._end(_OK, self._whole.body())
        else:
            self._sink.finish()

    # Within.

    @property
    def _names(self) -> dict[str, str]:
        return {"model": self._model, "asked": self._translated.form.model}

    def _hear(self, data: bytes) -> None:
        """One event; nothing counts behind a failure or an end."""
        if self._is_over or self._answer.is_over:
            return
        try:
            event = read_event(data)
        except ValueError:
            log.warning("event_not_read", exchange_id=self._exchange_id)
            self._fail(Problem("api_error", "an event of the answer cannot be read"))
            return
        if event.type != "ping":
            self._tell(event)
            if self._fold is not None:
                self._fold.feed(event, data)
        elif self._sink.started and self._chunks is not None:
            self._said += KEEP_ALIVE

    def _tell(self, event: Event) -> None:
        self._take(self._answer.feed(event))

    def _take(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            if isinstance(piece, Failed):
                self._fail(piece.problem)
            elif self._chunks is not None:
                self._said += self._chunks.write(piece)
            elif self._whole is not None:
                self._whole.take(piece)

    def _say(self) -> None:
        """Send what there is to say."""
        said, self._said = self._said, b""
        if not said:
            return
        if not self._sink.started:
            head = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
            self._sink.start(_OK, [*head, *self._told()])
        self._sink.write(said)

    def _beat(self) -> None:
        # A client that does not stream can be told nothing before the answer.
        if self._chunks is not None:
            self._said += KEEP_ALIVE
            self._say()

    def _fail(self, problem: Problem) -> None:
        """The upstream broke it off: with a status where nothing was said yet."""
        self._say()
        self._is_over = True
        status, body = errors.of_problem(problem, None, **self._names)
        if self._sink.started:
            self._sink.write(b"data: %b\n\n" % body)
        else:
            self._last = status, body

    def _finish_kept(self, body: bytes) -> None:
        """A refusal, or an answer that is no stream though one was asked for."""
        if self._status != _OK:
            self._last = errors.upstreams(self._status, body, **self._names)
            return
        try:
            for event in events_of(body):
                self._tell(event)
        except ValueError:
            self._fail(Problem("api_error", "the answer cannot be read"))
        self._say()

    def _end(self, status: int, body: bytes) -> None:
        if self._sink.started:
            # What had begun was to go on, and was refused.
            self._sink.finish(b"data: %b\n\n" % body)
            return
        head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *self._told()]
        if status != _OK:
            head += [field for field in self._fields if field[0] in _KEPT]
        self._sink.start(status, head)
        self._sink.finish(body)

    def _told(self) -> list[tuple[bytes, bytes]]:
        """The fields of every answer."""
        exchange_id = self._exchange_id.encode()
        took_ms = int((self._clock.monotonic() - self._began) * 1000)
        told = [
            (b"x-request-id", exchange_id),
            (EXCHANGE_HEADER, exchange_id),
            (b"openai-processing-ms", b"%d" % took_ms),
            (b"openai-version", b"2020-10-01"),
            (b"x-clearway-model", printable(self._model[:_LONGEST_NAME])),
        ]
        if self._warnings:
            told.append((b"x-clearway-warnings", self._warnings))
        named = by_name(self._fields)
        if request_id := named.get(b"request-id"):
            told.append((b"x-clearway-upstream-request-id", request_id))
        if self._status != _OK:
            told.append((b"x-clearway-upstream-status", b"%d" % self._status))
        return told + errors.limits(self._fields, self._clock.now_us() // 1_000_000)
