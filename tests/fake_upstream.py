"""A scripted upstream on a real socket, in a thread of its own.

It says exactly the bytes that a test wrote and remembers exactly the bytes that
came; it has no opinion of its own about HTTP beyond finding the end of a request.
Used by tests/clients and by every test that needs to see what leaves the gateway.
"""

import asyncio
import concurrent.futures
import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Literal, Self

import msgspec

PATIENCE_S = 10.0
"""How long a test waits for something that should happen at once."""

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came."""

    head: bytes
    """Request line and fields, to the empty line."""
    body: bytes
    """Decoded from chunks where it was chunked, otherwise as it came."""

    @property
    def method(self) -> str:
        """`POST`."""
        return self.head.split(b" ", 2)[0].decode()

    @property
    def target(self) -> str:
        """Path and query."""
        return self.head.split(b" ", 2)[1].decode()

    @property
    def headers(self) -> list[tuple[str, str]]:
        """In the order of the wire, names in lower case."""
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def header(self, name: str) -> str | None:
        """The only value of a field, None where it is missing."""
        values = [value for field_name, value in self.headers if field_name == name]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def json(self) -> object:
        """The body, decoded."""
        return msgspec.json.decode(self.body)


class Cut(Enum):
    """How a connection ends before its time."""

    FIN = "fin"
    RST = "rst"


class Gate:
    """A place in an answer where the upstream waits for the test."""

    def __init__(self) -> None:
        self._reached: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._open: concurrent.futures.Future[None] = concurrent.futures.Future()

    def wait_reached(self) -> None:
        """Return when the upstream stands here."""
        self._reached.result(PATIENCE_S)

    def open(self) -> None:
        """Let it go on; where its connection is over already, nobody waits."""
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            self._open.set_result(None)

    async def pass_through(self) -> None:
        """The upstream's side."""
        if not self._reached.done():
            self._reached.set_result(None)
        await asyncio.wrap_future(self._open)


@dataclass(frozen=True, slots=True)
class Pause:
    """A place in an answer where the upstream takes its time."""

    seconds: float


Piece = bytes | Gate | Pause | Cut


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to one request: bytes in pieces, each written by itself."""

    pieces: tuple[Piece, ...]
    close: bool = False
    """The connection ends after the last piece."""


def answer(body: bytes, *, status: int = 200, headers: Fields = (("content-type", "application/json"),)) -> Answer:
    """An answer of known length."""
    head = _head(status, [*headers, ("content-length", str(len(body)))])
    return Answer((head + body,))


def json_answer(value: object, *, status: int = 200, headers: Fields = ()) -> Answer:
    """An answer in JSON."""
    return answer(msgspec.json.encode(value), status=status, headers=[("content-type", "application/json"), *headers])


def error_answer(status: int, kind: str, message: str, *, headers: Fields = ()) -> Answer:
    """An error in Anthropic's shape."""
    return json_answer({"type": "error", "error": {"type": kind, "message": message}}, status=status, headers=headers)


def stream_answer(pieces: Iterable[Piece], *, headers: Fields = ()) -> Answer:
    """A chunked event stream; each piece of bytes is a chunk of its own."""
    head = _head(
        200, [("content-type", "text/event-stream; charset=utf-8"), *headers, ("transfer-encoding", "chunked")]
    )
    chunks = [_chunk(piece) if isinstance(piece, bytes) else piece for piece in pieces]
    ending: list[Piece] = [] if chunks and isinstance(chunks[-1], Cut) else [b"0\r\n\r\n"]
    return Answer((head, *chunks, *ending))


def _head(status: int, headers: Fields) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


Script = Callable[[Received], Answer]


@dataclass
class Talk:
    """One connection, as the upstream saw it; times as of `time.monotonic`."""

    opened_at: float = field(default_factory=time.monotonic)
    heard_at: list[float] = field(default_factory=list)
    """When each request came whole, or an early answer to it began."""
    said_at: float = 0.0
    """When something was last said."""
    left_at: float | None = None
    """When the other side ended it, before this one did."""
    ended_at: float | None = None
    """When this side ended it, before the other one did."""


@dataclass
class _Journal:
    received: list[Received] = field(default_factory=list)
    talks: list[Talk] = field(default_factory=list)
    left_early: int = 0
    """Connections that the other side ended while an answer was on its way."""
    changed: threading.Condition = field(default_factory=threading.Condition)


class FakeUpstream:
    """Listens on 127.0.0.1 while the context is open.

    Args:
        script: Called with each request in the order they came whole; what it
            raises ends the connection and is raised again when the context ends.
        early: Called with each head before its body is read; what it returns is said
            at once; what comes after it is thrown away until the other side leaves.
        receive_buffer: Bytes that the kernel may hold unread; None: its own choice.
        port: Where one listened before; 0: a free one.
    """

    def __init__(
        self,
        script: Script,
        *,
        early: Callable[[bytes], Answer | None] = lambda _: None,
        receive_buffer: int | None = None,
        port: int = 0,
    ) -> None:
        self._script = script
        self._early = early
        self._journal = _Journal()
        self._failures: list[BaseException] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        if receive_buffer is not None:
            # What is accepted inherits it, and it is not tuned any more (tcp(7)).
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        # Accepted sockets inherit it; asyncio itself leaves it off for sockets made without a protocol
        # number, and every second piece then waits 40 ms for an acknowledgement (tcp(7)).
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def received(self) -> list[Received]:
        """All requests so far."""
        with self._journal.changed:
            return list(self._journal.received)

    @property
    def connections(self) -> int:
        """How many were opened so far."""
        return len(self.talks)

    @property
    def talks(self) -> list[Talk]:
        """Every connection so far, in the order in which they were opened."""
        with self._journal.changed:
            return list(self._journal.talks)

    @property
    def left_early(self) -> int:
        """How many answers the other side has left before their end so far."""
        with self._journal.changed:
            return self._journal.left_early

    def wait_received(self, count: int) -> list[Received]:
        """Return when `count` requests have come."""
        with self._journal.changed:
            assert self._journal.changed.wait_for(lambda: len(self._journal.received) >= count, PATIENCE_S)
            return list(self._journal.received)

    def wait_left(self, count: int = 1) -> None:
        """Return when the other side has left `count` answers before their end."""
        with self._journal.changed:
            assert self._journal.changed.wait_for(lambda: self._journal.left_early >= count, PATIENCE_S)

    def wait_over(self, talk: Talk) -> None:
        """Return when either side has ended a connection."""
        with self._journal.changed:
            assert self._journal.changed.wait_for(lambda: talk.left_at or talk.ended_at, PATIENCE_S)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_S)
        self._loop.close()
        if self._failures and error is None:
            raise self._failures[0]

    async def _serve(self) -> None:
        server = await self._loop.create_server(lambda: _Connection(self._talk, self._journal), sock=self._listener)
        await self._stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: "_Connection"
    ) -> None:
        try:
            while (head := await _read_head(reader)) is not None:
                answer = self._early(head)
                received = Received(head, await _read_body(reader, head) if answer is None else b"")
                with self._journal.changed:
                    connection.talk.heard_at.append(time.monotonic())
                    self._journal.received.append(received)
                    self._journal.changed.notify_all()
                if not await self._say(answer or self._script(received), writer, connection):
                    break
                while answer is not None and await reader.read(65_536):
                    pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except Exception as error:  # noqa: BLE001  # whatever a script raises is told to the test
            self._failures.append(error)
        finally:
            connection.end(writer)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _say(self, said: Answer, writer: asyncio.StreamWriter, connection: "_Connection") -> bool:
        """Write an answer piece by piece; False: the connection is over."""
        leaving = asyncio.ensure_future(connection.gone.wait())
        try:
            for piece in said.pieces:
                connection.talk.said_at = time.monotonic()
                if piece is Cut.FIN:
                    connection.end(writer)
                elif piece is Cut.RST:
                    connection.over("ended_at")
                step = asyncio.ensure_future(_step(piece, writer))
                await asyncio.wait({step, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if not step.done() or isinstance(step.exception(), ConnectionError):
                    step.cancel()
                    with self._journal.changed:
                        self._journal.left_early += 1
                        self._journal.changed.notify_all()
                    return False
                if not step.result():
                    return False
            return not said.close
        finally:
            leaving.cancel()


class _Connection(asyncio.StreamReaderProtocol):
    """A stream that also tells when the other side has left, without being read."""

    def __init__(
        self,
        talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter, "_Connection"], Awaitable[None]],
        journal: _Journal,
    ) -> None:
        self._journal = journal
        self.gone = asyncio.Event()
        self.talk = Talk()
        with journal.changed:
            journal.talks.append(self.talk)
        super().__init__(asyncio.StreamReader(limit=1 << 20), lambda reader, writer: talk(reader, writer, self))

    def over(self, how: Literal["left_at", "ended_at"]) -> None:
        """One side has ended the connection; the first one counts."""
        with self._journal.changed:
            if self.talk.left_at is None and self.talk.ended_at is None:
                setattr(self.talk, how, time.monotonic())
                self._journal.changed.notify_all()

    def end(self, writer: asyncio.StreamWriter) -> None:
        """End this side. It is told only once the FIN is out: whoever waits for it may rely on that."""
        with contextlib.suppress(OSError):
            writer.write_eof()
        self.over("ended_at")

    def eof_received(self) -> bool:
        """The other side has ended its half."""
        self.over("left_at")
        self.gone.set()
        super().eof_received()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is no more."""
        self.over("left_at")
        self.gone.set()
        super().connection_lost(error)


async def _step(piece: Piece, writer: asyncio.StreamWriter) -> bool:
    match piece:
        case bytes():
            writer.write(piece)
            await writer.drain()
            # One turn of the loop, so that two pieces don't leave as one.
            await asyncio.sleep(0)
            return True
        case Gate():
            await piece.pass_through()
            return True
        case Pause():
            await asyncio.sleep(piece.seconds)
            return True
        case Cut.FIN:
            return False
        case Cut.RST:
            raw = writer.get_extra_info("socket")
            # Linger of zero seconds: the kernel answers with a reset (socket(7), SO_LINGER).
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False


async def _read_head(reader: asyncio.StreamReader) -> bytes | None:
    """One head; None where the connection ended between two requests."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    length = re.search(rb"(?im)^content-length:[ \t]*(\d+)", head)
    if length:
        return await reader.readexactly(int(length[1]))
    if re.search(rb"(?im)^transfer-encoding:[ \t]*chunked", head):
        return await _read_chunks(reader)
    return b""


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body
