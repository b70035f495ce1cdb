"""An upstream that does what its script says, byte by byte, and keeps a journal.

Raw sockets on the test's own event loop. Each accepted connection runs one script;
the journal counts connections and holds every request as it came, so that a test
can say: one request in, at most one request out.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from clearway.config.model import Timeouts
from clearway.config.proxies import Proxy
from clearway.upstreams.http import Address, HttpClient
from clearway.upstreams.protocol import Reply, Request

AT_ONCE_S = 2.0
"""What is promised within 250 ms, on a machine that has other things to do."""


@dataclass
class Journal:
    """What an upstream saw."""

    url: str
    connections: int = 0
    open: int = 0
    """Scripts that have not ended; those that wait for their client end with it."""
    requests: list[bytes] = field(default_factory=list)
    """Whole requests, as they came."""
    gone: list[float] = field(default_factory=list)
    """When a script that waited for it saw its client leave (the loop's clock)."""


class Peer:
    """The upstream's end of one connection."""

    def __init__(self, accepted: socket.socket, journal: Journal) -> None:
        self.socket = accepted
        self.journal = journal
        self._loop = asyncio.get_running_loop()

    async def request(self) -> bytes:
        """The next request, whole; b"" where the client closes instead."""
        taken = bytearray()
        while b"\r\n\r\n" not in taken:
            piece = await self._receive()
            if not piece:
                return b""
            taken += piece
        head, _, rest = bytes(taken).partition(b"\r\n\r\n")
        size = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        body = bytearray(rest)
        while len(body) < size:
            piece = await self._receive()
            if not piece:
                return b""
            body += piece
        self.journal.requests.append(head + b"\r\n\r\n" + body)
        return self.journal.requests[-1]

    async def send(self, *pieces: bytes) -> None:
        """Send; the client reads each piece before the next one goes out, as far as
        one turn of the loop can tell.
        """
        for piece in pieces:
            await self._loop.sock_sendall(self.socket, piece)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def finish(self) -> None:
        """Send no more (FIN)."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End the connection at once (RST)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    async def left(self) -> None:
        """Wait until the client has left, and note when."""
        while await self._receive():
            pass
        self.journal.gone.append(self._loop.time())

    async def _receive(self) -> bytes:
        try:
            return await self._loop.sock_recv(self.socket, 65536)
        except ConnectionError:
            return b""


Script = Callable[[Peer], Awaitable[None]]


@contextlib.asynccontextmanager
async def hostile(*scripts: Script, host: str = "127.0.0.1") -> AsyncIterator[Journal]:
    """Listen; the n-th connection runs the n-th script, later ones the last script."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family, backlog=256)
    listener.setblocking(False)  # noqa: FBT003 - by position only
    bracketed = f"[{host}]" if ":" in host else host
    journal = Journal(f"http://{bracketed}:{listener.getsockname()[1]}")

    async def serve(accepted: socket.socket, script: Script) -> None:
        with accepted, contextlib.suppress(ConnectionError):
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            journal.open += 1
            try:
                await script(Peer(accepted, journal))
            finally:
                journal.open -= 1

    async def accept(group: asyncio.TaskGroup) -> None:
        while True:
            accepted, _ = await loop.sock_accept(listener)
            script = scripts[min(journal.connections, len(scripts) - 1)]
            journal.connections += 1
            group.create_task(serve(accepted, script))

    with listener:
        async with asyncio.TaskGroup() as group:
            tasks = group.create_task(_until_cancelled(accept))
            yield journal
            tasks.cancel()


async def _until_cancelled(accept: Callable[[asyncio.TaskGroup], Awaitable[None]]) -> None:
    # A group of its own: leaving the context ends the scripts that still wait.
    async with asyncio.TaskGroup() as scripts:
        await accept(scripts)


def answering(*answers: bytes) -> Script:
    """Answer each request with the next bytes, then wait for the client to leave."""

    async def script(peer: Peer) -> None:
        for answer in answers:
            if not await peer.request():
                return
            await peer.send(answer)
        await peer.left()

    return script


async def silent(peer: Peer) -> None:
    """Take the request and say nothing."""
    await peer.request()
    await peer.left()


@contextlib.asynccontextmanager
async def connected(  # one argument for each thing that tests vary
    base_url: str,
    *,
    timeouts: Timeouts | None = None,
    ca: str | None = None,
    proxy: str | None = None,
    max_idle: int = 64,
    max_idle_s: float = 60.0,
) -> AsyncIterator[HttpClient]:
    """A client of `base_url`, closed at the end."""
    client = HttpClient(
        Address.parse(base_url),
        timeouts or Timeouts(connect_s=5, first_byte_s=5, idle_s=5, total_s=10),
        ca=ca,
        proxy=None if proxy is None else Proxy.parse(proxy),
        max_idle=max_idle,
        max_idle_s=max_idle_s,
    )
    try:
        yield client
    finally:
        await client.aclose()


def get(target: bytes = b"/", headers: Iterable[tuple[bytes, bytes]] = ()) -> Request:
    """A GET."""
    return Request(method=b"GET", target=target, headers=tuple(headers))


def post(body: bytes | bytearray | memoryview = b"{}", target: bytes = b"/v1/messages") -> Request:
    """A POST."""
    return Request(method=b"POST", target=target, headers=((b"content-type", b"application/json"),), body=body)


async def whole(reply: Reply) -> bytes:
    """The rest of a body."""
    pieces = []
    while piece := await reply.read():
        pieces.append(piece)
    return b"".join(pieces)


async def fetch(client: HttpClient, request: Request) -> tuple[int, bytes]:
    """Status and body."""
    async with client.open(request) as reply:
        return reply.status, await whole(reply)


def plain(body: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    """An answer with a content-length."""
    lines = [b"HTTP/1.1 " + status, *fields, b"content-length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*pieces: bytes) -> bytes:
    """An answer in chunks."""
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b""))
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until `condition` holds; the test's own timeout is the limit."""
    while not condition():  # noqa: ASYNC110 - conditions on sockets and journals have no event
        await asyncio.sleep(0.001)
