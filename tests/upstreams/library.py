"""A library's HTTP client behind our seam: a second implementation of `Upstream`.

It shows that the suite asks for the seam alone, and what a library would cost us:
the promises that it breaks are listed with it in `speakers.py`.
Used by the conformance suite.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import httpx2

from clearway.config.model import Timeouts
from clearway.core.errors import UpstreamProtocolError, UpstreamTimeout, UpstreamUnreachable
from clearway.core.fields import Headers
from clearway.upstreams.protocol import Kind, Pays, Request

_TURNS = 3


class LibraryUpstream:
    """Sends what came, over `httpx2`.

    Args:
        base_url: Scheme, host and port.
        timeouts: Limits in seconds.
    """

    kind: Kind = "passthrough"
    pays: Pays = "client"
    name = "library"
    models = ("*",)
    api_version = "2023-06-01"

    def __init__(self, base_url: str, timeouts: Timeouts) -> None:
        self._base = httpx2.URL(base_url)
        self._timeouts = timeouts
        self._client = httpx2.AsyncClient(
            trust_env=False,
            timeout=httpx2.Timeout(None, connect=timeouts.connect_s, write=timeouts.idle_s),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
        )

    @contextlib.asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator["LibraryReply"]:
        """See `protocol.Upstream.open`."""
        total_at = asyncio.get_running_loop().time() + self._timeouts.total_s
        with _mapped():
            # A request of one's own has none of the client's default headers.
            outgoing = httpx2.Request(
                request.method.decode("ascii"),
                self._base.copy_with(raw_path=request.target),
                headers=list(request.headers),
                content=bytes(request.body),
            )
            try:
                async with asyncio.timeout(self._timeouts.first_byte_s):
                    response = await self._client.send(outgoing, stream=True)
            except TimeoutError as error:
                raise UpstreamTimeout("no answer within first_byte_s") from error
        reply = LibraryReply(response, self._timeouts.idle_s, total_at)
        try:
            await reply.look_ahead()
            yield reply
        finally:
            await reply.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class LibraryReply:
    """An answer that is read one piece ahead, to know which one is the last."""

    def __init__(self, response: httpx2.Response, idle_s: float, total_at: float) -> None:
        self.status = response.status_code
        self.headers: Headers = [(name.lower(), value) for name, value in response.headers.raw]
        self.ended = False
        self._response = response
        self._pieces = response.aiter_raw()
        self._idle_s = idle_s
        self._total_at = total_at
        self._held = b""
        self._next: asyncio.Task[bytes] | None = None

    async def read(self) -> bytes:
        """See `protocol.Reply.read`. A cancelled read loses nothing: the next one goes on waiting."""
        if self.ended:
            return b""
        if not self._held:
            self._held = await self._wait()
            if self.ended:
                return b""
        await self.look_ahead()
        taken, self._held = self._held, b""
        return taken

    async def look_ahead(self) -> None:
        """Begin to wait for the next piece; where the end comes at once, say so."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._pull())
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        if self._next.done() and not self._next.cancelled() and not self._next.exception():
            self.ended = not self._next.result()

    async def aclose(self) -> None:
        """Drop what is unread."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait({self._next})
            if not self._next.cancelled():
                self._next.exception()
        with contextlib.suppress(httpx2.HTTPError):
            await self._response.aclose()

    async def _wait(self) -> bytes:
        loop = asyncio.get_running_loop()
        await self.look_ahead()
        assert self._next is not None
        limit_s = min(self._idle_s, self._total_at - loop.time())
        done, _ = await asyncio.wait({self._next}, timeout=max(limit_s, 0))
        if not done or loop.time() > self._total_at:
            raise UpstreamTimeout("nothing came within idle_s, or total_s is over")
        with _mapped():
            piece = self._next.result()
        self._next = None
        self.ended = not piece
        return piece

    async def _pull(self) -> bytes:
        async for piece in self._pieces:
            if piece:
                return piece
        return b""


@contextlib.contextmanager
def _mapped() -> Iterator[None]:
    """The library's errors, in our words."""
    try:
        yield
    except (httpx2.LocalProtocolError, httpx2.InvalidURL) as error:
        raise ValueError("the request cannot be written") from error
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
        raise UpstreamUnreachable("no connection") from error
    except httpx2.TimeoutException as error:
        raise UpstreamTimeout("it took too long") from error
    except httpx2.HTTPError as error:
        raise UpstreamProtocolError("the answer is unusable") from error
