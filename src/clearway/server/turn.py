"""One request on a connection and its answer: what the walk is called with.

It is the walk's `Call` and its `Sink` at once, without ASGI in between: on the way
of every event that would be half of the work (`docs/performance.md`). To uvicorn's
connection (server/guard) it looks like the request that it is busy with.
Rules: RFC 9112, sections 6 and 7 (framing), 9.3 (persistence); RFC 9110, section 8.6.
"""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from clearway.core.exchange import Endpoint, Wire
from clearway.core.fields import Fields, Headers
from clearway.gateway.call import Call, Sink
from clearway.server.body import BodyRoom, HeldBody, Tap
from clearway.server.paths import Place
from clearway.wire.lines import join_head

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_BODILESS = frozenset({204, 304})
# Above this, three buffers are cheaper than a copy.
_JOINED = 16 * 1024
_STATUS_LINE = {status: line.removesuffix(b"\r\n") for status, line in STATUS_LINE.items()}


class Flow(Tap, Protocol):
    """uvicorn's view of both directions of a connection."""

    write_paused: bool

    def drain(self) -> Awaitable[None]:
        """Wait until the client reads on."""
        ...


class Connection(Protocol):
    """What a turn needs of its connection."""

    transport: asyncio.Transport
    flow: Flow

    def answered(self) -> None:
        """The answer is complete: the next request may begin."""
        ...

    def cut(self) -> None:
        """End the connection without a proper end of the answer."""
        ...


class Walker(Protocol):
    """Who answers."""

    async def serve(self, call: Call, sink: Sink) -> None:
        """Answer one request. Raises CancelledError only."""
        ...


class Head:
    """What was asked, as it was parsed.

    Args:
        method: In upper case.
        target: Path and query as they go to an upstream.
        headers: In order, names in lower case.
        keep_alive: The connection may serve another request.
        chunks: The client understands the chunked coding (HTTP/1.1).
        expects_continue: The client waits for `100 Continue` with its body.
        declared: Length of the body; None where it is not told.
        source: Where it comes from; at first the peer's address.
    """

    __slots__ = ("chunks", "declared", "expects_continue", "headers", "keep_alive", "method", "source", "target")

    def __init__(  # noqa: PLR0913  # what a head tells
        self,
        method: str,
        target: bytes,
        headers: Fields,
        *,
        keep_alive: bool,
        chunks: bool,
        expects_continue: bool,
        declared: int | None,
        source: str = "",
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.keep_alive = keep_alive
        self.chunks = chunks
        self.expects_continue = expects_continue
        self.declared = declared
        self.source = source


class _Unheard:
    """uvicorn tells whoever waits for a message; nobody does here."""

    def set(self) -> None:
        """Nothing."""


_UNHEARD = _Unheard()


class Turn:
    """A request that is answered.

    Args:
        connection: Where it came from.
        head: What was asked.
        place: Where it goes.
        room: Where its body is held.
        walker: Who answers.
        extra: Fields of every answer (CORS).
    """

    message_event = _UNHEARD

    __slots__ = (
        "_chunks",
        "_connection",
        "_declared",
        "_expects_continue",
        "_extra",
        "_flow",
        "_is_chunked",
        "_left",
        "_transport",
        "_walker",
        "disconnected",
        "endpoint",
        "headers",
        "held",
        "keep_alive",
        "method",
        "path",
        "response_complete",
        "run_id",
        "source",
        "started",
        "target",
        "wire",
    )

    def __init__(
        self, connection: Connection, head: Head, place: Place, room: BodyRoom, walker: Walker, extra: Headers
    ) -> None:
        self._connection = connection
        self._transport = connection.transport
        self._flow = connection.flow
        self.held = HeldBody(room, connection.flow)
        self._walker = walker
        self._extra = extra
        self.endpoint: Endpoint = place.endpoint or "relay"
        self.wire: Wire = place.wire
        self.path = place.path
        self.run_id = place.run_id
        self.method = head.method
        self.target = head.target
        self.headers = head.headers
        self.source = head.source
        self.keep_alive = head.keep_alive
        self._chunks = head.chunks
        self._expects_continue = head.expects_continue
        self._declared = head.declared
        self._is_chunked = False
        self._left: int | None = None
        self.started = False
        self.disconnected = False
        self.response_complete = False

    def __repr__(self) -> str:
        return f"Turn({self.method} {self.endpoint})"

    # What the connection asks.

    @property
    def response_started(self) -> bool:
        """As uvicorn calls `started`."""
        return self.started

    @property
    def gone(self) -> bool:
        """As the walk calls `disconnected`."""
        return self.disconnected

    async def run(self) -> None:
        """Answer."""
        try:
            await self._walker.serve(self, self)
        except asyncio.CancelledError:
            # The client left, or the time to drain is over: this task ends here.
            if not self.disconnected:
                self.cut()
        finally:
            self.held.release()
            if not self.response_complete and not self.disconnected:
                self.cut()

    # The walk's call.

    async def body(self) -> bytes | bytearray:
        """See `gateway.call.Call.body`."""
        declared = self._declared
        if declared == 0:
            return b""
        if self._expects_continue and not self.held.is_whole and self.held.may_come(declared):
            self._expects_continue = False
            self._transport.write(_CONTINUE)
        return await self.held.read(declared)

    # The walk's sink.

    @property
    def is_slow(self) -> bool:
        """The client reads more slowly than it is written to."""
        return self._flow.write_paused

    def drain(self) -> Awaitable[None]:
        """Wait until the client has read some of what was written."""
        return self._flow.drain()

    def start(self, status: int, headers: Headers) -> None:
        """Send the head."""
        fields = Fields.of(headers)
        if status in _BODILESS:
            fields = Fields.of(field for field in fields if field[0] != b"content-length")
        more = [*self._extra]
        length = fields.first(b"content-length")
        if status in _BODILESS or self.method == "HEAD":
            self._left = 0
        elif length is not None:
            self._left = int(length)
        elif self._chunks:
            self._is_chunked = True
            more.append((b"transfer-encoding", b"chunked"))
        else:
            self.keep_alive = False
        if not self.keep_alive:
            more.append((b"connection", b"close"))
        head = join_head(_STATUS_LINE[status], fields, *more)
        self.started = True
        if not self.disconnected:
            self._transport.write(head)

    def write(self, data: bytes) -> None:
        """Send a piece, at once."""
        if self.disconnected or not data:
            return
        if self._is_chunked:
            size = len(data)
            if size <= _JOINED:
                self._transport.write(b"%x\r\n%b\r\n" % (size, data))
            else:
                self._transport.writelines((b"%x\r\n" % size, data, b"\r\n"))
        elif self._left is None:
            self._transport.write(data)
        elif self.method != "HEAD":
            self._left -= len(data)
            if self._left >= 0:
                self._transport.write(data)

    def finish(self, data: bytes = b"") -> None:
        """Send the last piece and end the answer properly."""
        if self.disconnected:
            return
        if self._is_chunked and 0 < len(data) <= _JOINED:
            self._transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))
        else:
            self.write(data)
            if self._is_chunked:
                self._transport.write(_LAST_CHUNK)
        if self._left:
            # Not as long as its head says: what is not whole must not look whole.
            self.cut()
            return
        self.response_complete = True
        if not self.keep_alive:
            self._transport.close()
        self._connection.answered()

    def cut(self) -> None:
        """End the connection without a proper end: what was sent is not whole."""
        self.disconnected = True
        self._connection.cut()
