"""An answer in the words of Messages, taken from the relay and told in those of the client's format.

A sink in front of the client's: the relay writes bytes as it always does, and heartbeats
as `ping`. The head goes out with the first thing that there is to say, so that a failure
before has a status of its own. Nothing here waits, and nothing that comes may make it fail.
Growth: one unfinished event; the whole answer for a client that does not stream, a
plain answer or a refusal of an upstream, up to 32 MiB.
Used by gateway/chat; what is told, and how, is a teller's (`wire/hub/teller.py`).
"""

import zlib
from collections.abc import Callable, Iterable

import msgspec
import structlog

from clearway.core.clock import Clock
from clearway.core.errors import GatewayError, UpstreamProtocolError
from clearway.core.fields import Headers
from clearway.gateway.call import Sink
from clearway.gateway.front import KEPT, OK, Front
from clearway.gateway.headers import EXCHANGE_HEADER, by_name
from clearway.wire.encoding import Inflater
from clearway.wire.hub import errors
from clearway.wire.hub.answer import Answer
from clearway.wire.hub.events import Event, Problem, events_of, read_event
from clearway.wire.hub.kept import Keeping, Kept
from clearway.wire.hub.notes import printable
from clearway.wire.hub.pausing import Fold
from clearway.wire.hub.pieces import Failed, Piece, Thought
from clearway.wire.hub.plan import Plan
from clearway.wire.hub.teller import Teller
from clearway.wire.messages.watch import BODY_LIMIT, PING
from clearway.wire.sse import DataScanner

log = structlog.get_logger()

_LONGEST_NAME = 200
_LONGEST_QUIET_S = 15.0
"""Without a word to a client that streams."""


def _nothing(_: object) -> None:
    return None


class Backing(msgspec.Struct):
    """What an answer makes the gateway do, or asks it."""

    keep: Callable[[Kept], None] = _nothing
    """Takes what was thought in the whole answer."""
    finds: Callable[[str], str | None] = _nothing
    """Says how the client would name a place in the request that was sent."""
    fold: Fold | None = None
    """Hears all that is told, where the answer may pause."""


class Translation(msgspec.Struct, frozen=True, kw_only=True):
    """The request that an answer is to, as far as it must be known."""

    name: str
    """The model, as the client calls it."""
    model: str
    """As it is asked for upstream."""
    plan: Plan
    warnings: bytes
    """The value of `x-clearway-warnings`."""


class AnswerSink(Front):
    """Tells one answer.

    Args:
        sink: The client's.
        exchange_id: Of the exchange.
        translation: What it is an answer to.
        teller: Puts it into the client's format.
        clock: The time.
        backing: What else it needs of the gateway.
    """

    def __init__(  # what an answer is told with
        self,
        sink: Sink,
        exchange_id: str,
        translation: Translation,
        teller: Teller,
        clock: Clock,
        backing: Backing,
    ) -> None:
        super().__init__(sink)
        self._exchange_id = exchange_id
        self._translation = translation
        self._teller = teller
        self._clock = clock
        self._began = clock.monotonic()
        self._backing = backing
        self._fold = backing.fold
        self._warnings = translation.warnings
        plan = translation.plan
        # Where a text stands for a call, or a call for a text, the client's turn is not the model's.
        self._may_keep = not (plan.emulated or plan.is_json_tool)
        self._keeping: Keeping | None = None
        self._answer = Answer(plan)
        self._scanner = DataScanner()
        self._inflater: Inflater | None = None
        self._status = OK
        self._fields: Headers = ()
        self._kept: list[bytes] | None = None
        self._size = 0
        self._last: tuple[errors.Told, str, str | None] | None = None
        self._said = b""
        self._is_over = False
        self._quiet_since: float | None = None

    def warn(self, note: bytes) -> None:
        """A further note, before anything is said: another body has gone out."""
        # In which places may be others.
        self._backing.finds = _nothing
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
        if status != OK or not is_stream:
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
        if self._said:
            self._say()
        else:
            self._mind_silence()

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
            self._end_failed(*self._last)
        elif self._sink.started:
            self._sink.finish()
        else:
            self._end(OK, self._teller.body())

    def last_words(self, error: GatewayError) -> bytes:
        """The last event of a stream that an error of ours ends."""
        told = errors.told_as(error)
        return self._teller.fail(told, f"Clearway: {error.sentence}", error.retry_after_s)

    # Within.

    @property
    def _names(self) -> dict[str, str]:
        return {"model": self._translation.model, "asked": self._translation.name}

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
        elif self._sink.started:
            self._said += self._teller.beat()

    def _tell(self, event: Event) -> None:
        self._take(self._answer.feed(event))

    def _take(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            if self._keeping is not None or (self._may_keep and isinstance(piece, Thought)):
                self._note(piece)
            if isinstance(piece, Failed):
                self._fail(piece.problem)
            else:
                self._said += self._teller.write(piece)

    def _note(self, piece: Piece) -> None:
        """Collect what may have to be put back into the next request; from the first thought on."""
        if self._keeping is None:
            self._keeping = Keeping(self._translation.model)
        kept = self._keeping.take(piece)
        if kept is not None:
            self._backing.keep(kept)

    def _say(self) -> None:
        """Send what there is to say."""
        said, self._said = self._said, b""
        if not said:
            return
        if not self._sink.started:
            head = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
            self._sink.start(OK, [*head, *self._told()])
        self._quiet_since = None
        self._sink.write(said)

    def _mind_silence(self) -> None:
        """Much may come of which the client is told nothing: thoughts that are not shown, the text of a patch. The
        relay takes none of that for silence.
        """
        now = self._clock.monotonic()
        if self._quiet_since is None:
            self._quiet_since = now
        elif now - self._quiet_since >= _LONGEST_QUIET_S:
            self._quiet_since = None
            self._beat()

    def _beat(self) -> None:
        # A client that does not stream can be told nothing before the answer.
        self._said += self._teller.beat()
        self._say()

    def _fail(self, problem: Problem) -> None:
        """The upstream broke it off: with a status where nothing was said yet."""
        self._say()
        self._is_over = True
        told, message = errors.of_problem(problem, None, **self._names)
        if self._sink.started:
            self._sink.write(self._teller.fail(told, message))
        else:
            self._last = told, message, None

    def _finish_kept(self, body: bytes) -> None:
        """A refusal, or an answer that is no stream though one was asked for."""
        if self._status != OK:
            self._last = errors.upstreams(self._status, body, finds=self._backing.finds, **self._names)
            return
        try:
            for event in events_of(body):
                self._tell(event)
        except ValueError:
            self._fail(Problem("api_error", "the answer cannot be read"))
        self._say()

    def _end_failed(self, told: errors.Told, message: str, param: str | None) -> None:
        if self._sink.started:
            # What had begun was to go on, and was refused.
            self._sink.finish(self._teller.fail(told, message))
            return
        status, kind, code = told
        self._end(status, errors.error_body(message, kind, code, param))

    def _end(self, status: int, body: bytes) -> None:
        head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *self._told()]
        if status != OK:
            head += [field for field in self._fields if field[0] in KEPT]
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
            (b"x-clearway-model", printable(self._translation.model[:_LONGEST_NAME])),
        ]
        if self._warnings:
            told.append((b"x-clearway-warnings", self._warnings))
        named = by_name(self._fields)
        if request_id := named.get(b"request-id"):
            told.append((b"x-clearway-upstream-request-id", request_id))
        if self._status != OK:
            told.append((b"x-clearway-upstream-status", b"%d" % self._status))
        return told + errors.limits(self._fields, self._clock.now_us() // 1_000_000)
