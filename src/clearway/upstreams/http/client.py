"""Requests to one origin, over connections that are kept.

Sends what it is given and hands out what comes: no redirects, no decoding, no
cookies, no header of its own but `host` and `content-length`.
A request is sent again, once, only when the kept connection that it was written to
ends without a byte of an answer, and only where nothing can have been billed: it was
not sent whole, or its method is a safe one (decision 0007).
Used by the upstream kinds that speak HTTP.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, NoReturn

from clearway.config.model import Timeouts
from clearway.config.proxies import Proxy
from clearway.core.errors import UpstreamProtocolError
from clearway.upstreams.http.address import Address
from clearway.upstreams.http.answer import Answer
from clearway.upstreams.http.connection import Connection
from clearway.upstreams.http.dial import Route, dial, make_context
from clearway.upstreams.http.head import write_head
from clearway.upstreams.http.pool import Pool
from clearway.upstreams.protocol import Pour, Request

# Methods that ask and change nothing (RFC 9110, section 9.2.1); any other may only be
# repeated where it certainly was not applied (section 9.2.2).
_SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})

_Running = tuple[Connection, Answer]


class HttpClient:
    """An HTTP/1.1 client for one origin; used on one event loop.

    Args:
        address: Where to connect; kept as an attribute.
        timeouts: Limits in seconds.
        ca: A PEM file with certificate authorities, beside the system's.
        proxy: Through which every connection goes; None: directly.
        ssl_context: Used instead of the one made from `ca`; must verify.
        max_idle: Idle connections that are kept.
        max_idle_s: How long one is kept; less than the 60 s after which common load
            balancers close it, so that our request and their close rarely cross.

    Raises:
        ValueError: `ca` cannot be loaded, or `ssl_context` does not verify.
    """

    def __init__(  # noqa: PLR0913 - one argument for each thing that an upstream may vary
        self,
        address: Address,
        timeouts: Timeouts,
        *,
        ca: str | None = None,
        proxy: Proxy | None = None,
        ssl_context: ssl.SSLContext | None = None,
        max_idle: int = 64,
        max_idle_s: float = 55.0,
    ) -> None:
        if ssl_context is not None and (not ssl_context.check_hostname or ssl_context.verify_mode != ssl.CERT_REQUIRED):
            raise ValueError("ssl_context must verify certificates and host names")
        self.address = address
        self._timeouts = timeouts
        self._max_idle_s = max_idle_s
        self._route = Route(
            address=address,
            context=(ssl_context or make_context(ca)) if address.tls else None,
            proxy=proxy,
            proxy_context=(ssl_context or make_context(ca)) if proxy is not None and proxy.tls else None,
        )
        self._host = address.authority.encode("ascii")
        self._pool = Pool(max_idle)

    def open(self, request: Request) -> "Exchange":
        """Send `request` on entering; leaving drops what is unread, at once.

        Raises:
            ValueError: The request cannot be written as HTTP/1.1; nothing was sent.
            UpstreamUnreachable: No connection; nothing was sent.
            UpstreamTimeout: No head of an answer in time.
            UpstreamProtocolError: No valid head; the request may have been received.
        """
        return Exchange(request, self._start, self._pool.put)

    async def aclose(self) -> None:
        """Close all connections; exchanges that still run fail."""
        await self._pool.aclose()

    async def _start(self, request: Request) -> _Running:
        if self._pool.closed:
            raise RuntimeError("the client is closed")
        head = write_head(request, host=self._host, prefix=self.address.prefix)
        total_at = asyncio.get_running_loop().time() + self._timeouts.total_s
        answer = Answer(is_head=request.method == b"HEAD")
        connection = self._pool.take()
        if connection is not None:
            try:
                await connection.send(head, request.body, answer, total_at)
            except UpstreamProtocolError:
                if not connection.went_stale or (connection.has_sent_all and request.method not in _SAFE):
                    raise
                answer = Answer(is_head=request.method == b"HEAD")
            else:
                return connection, answer
        connection = await dial(self._route, self._timeouts.connect_s, self._new_connection)
        self._pool.add(connection)
        await connection.send(head, request.body, answer, total_at)
        return connection, answer

    def _new_connection(self) -> Connection:
        return Connection(self.address.authority, self._timeouts, self._max_idle_s, self._pool.lost)


class Exchange:
    """One request and its answer, as a context.

    Made per request; entered once.
    """

    __slots__ = ("_connection", "_finish", "_reply", "_request", "_start")

    def __init__(
        self, request: Request, start: Callable[[Request], Awaitable[_Running]], finish: Callable[[Connection], None]
    ) -> None:
        self._request = request
        self._start = start
        self._finish = finish
        self._connection: Connection | None = None
        self._reply: HttpReply | None = None

    async def __aenter__(self) -> "HttpReply":
        self._connection, answer = await self._start(self._request)
        self._reply = reply = HttpReply(self._connection, answer)
        return reply

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if self._reply is not None:
            self._reply.leave()
        if connection is not None:
            self._finish(connection)


class HttpReply:
    """An answer whose head is here: a `protocol.Reply` that can `pour`.

    What it reads with is the connection's own: one call less for each piece.
    """

    __slots__ = ("_answer", "headers", "pour", "read", "status")

    def __init__(self, connection: Connection, answer: Answer) -> None:
        self._answer = answer
        self.status = answer.status
        self.headers = answer.headers
        self.read: Callable[[], Coroutine[Any, Any, bytes]] = connection.read
        self.pour: Pour = connection.pour

    def leave(self) -> None:
        """From now on the connection's bytes are others'."""
        self.read = self.pour = _nothing

    @property
    def ended(self) -> bool:
        """The last byte of the body has been handed out."""
        answer = self._answer
        return answer.complete and not answer.size

    @property
    def is_whole(self) -> bool:
        """The last byte has come: nothing has to be waited for."""
        return self._answer.complete


async def _nothing(*_: object) -> NoReturn:
    raise RuntimeError("the exchange is not open")
