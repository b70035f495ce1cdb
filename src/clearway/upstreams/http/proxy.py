"""A tunnel through an outgoing proxy, over which the upstream is spoken to as ever.

Every upstream is reached through `CONNECT`, plain ones too: the head of a request
stays the same with and without a proxy, and the proxy sees host and port and nothing
else. What it is shown of a client's request before the tunnel stands is nothing, so
that whatever goes wrong here, nothing was billed.
Rules: RFC 9110, section 9.3.6 (a tunnel begins after the head of any 2xx, whatever
length that tells); RFC 7617 (Basic). Why it is so: decision 0007.
Used by `dial`.
"""

import asyncio
import base64
import re
from typing import cast

from clearway import __version__
from clearway.config.proxies import Proxy
from clearway.core.errors import UpstreamUnreachable

MAX_ANSWER = 16 * 1024
"""All that a proxy may say before the tunnel stands, in bytes."""

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n\0]*)?")
_START = b"HTTP/1."
_INTERIM = range(100, 200)
_SWITCHING_PROTOCOLS = 101
_TUNNEL = range(200, 300)
_CREDENTIALS_WANTED = 407


class TunnelAnswer:
    """What a proxy answers to `CONNECT`, read from bytes. No I/O, no clock."""

    def __init__(self) -> None:
        self._unread = b""
        self._size = 0
        self.status: int | None = None
        """Of the final head, once it has come whole."""
        self.failure: str | None = None
        """Why it cannot be used; a text without anything from the wire."""

    @property
    def is_over(self) -> bool:
        """Nothing more is expected."""
        return self.status is not None or self.failure is not None

    def feed(self, data: bytes) -> None:
        """Accept what came."""
        if self.is_over:
            if self.status in _TUNNEL:
                self._refuse_more()
            return
        self._size += len(data)
        self._unread += data
        while not self.is_over and self._take_head():
            pass
        if not self.is_over and self._size > MAX_ANSWER:
            self.failure = f"its head is larger than {MAX_ANSWER} bytes"

    def _take_head(self) -> bool:
        """Read one head where it is whole; False: more must come first."""
        head, end, rest = self._unread.partition(b"\r\n\r\n")
        if head[: len(_START)] != _START[: len(head)] or _has_odd_lines(head):
            self.failure = "it is not valid HTTP"
            return False
        if not end:
            return False
        match = _STATUS.fullmatch(head.partition(b"\r\n")[0])
        if match is None:
            self.failure = "it is not valid HTTP"
            return False
        self._unread = rest
        status = int(match[1])
        if status in _INTERIM and status != _SWITCHING_PROTOCOLS:
            return bool(rest)
        self.status = status
        if rest and status in _TUNNEL:
            self._refuse_more()
        return False

    def _refuse_more(self) -> None:
        # Nobody spoke to the upstream yet: these cannot be its words.
        self.failure = "more came than the head of its answer"


class Tunnel(asyncio.Protocol):
    """Asks a proxy for a tunnel; leaves a transport that leads to the upstream.

    Args:
        proxy: Whom to ask.
        target: Host and port of the upstream, as `CONNECT` names it.
    """

    def __init__(self, proxy: Proxy, target: str) -> None:
        self._proxy = proxy
        self._target = target
        self._answer = TunnelAnswer()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def establish(self) -> asyncio.Transport:
        """Ask, and wait for the answer. Not a byte is read beyond it.

        Raises:
            UpstreamUnreachable: There is no tunnel; says why, without credentials.
        """
        transport = self._transport
        if transport is None:
            raise UpstreamUnreachable(f"the proxy {self._proxy.authority} closed the connection")
        transport.write(connect_head(self._proxy, self._target))
        await self._waiter
        # Looked at again here: bytes may have come since the waiter was woken.
        complaint = self._complaint()
        if complaint is not None:
            raise UpstreamUnreachable(complaint, hint=self._hint())
        return transport

    def abort(self) -> None:
        """Close the connection to the proxy, and with it all that lies upon it."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The proxy is there."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """It answers."""
        self._answer.feed(data)
        if self._answer.is_over:
            self._wake()

    def eof_received(self) -> None:
        """It sends no more: there will be no tunnel, or there is none any longer."""
        self._end()

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        del error
        self._end()

    def _end(self) -> None:
        if self._answer.failure is None and (self._answer.status is None or self._answer.status in _TUNNEL):
            self._answer.failure = "the connection ended before there was a tunnel"
        self._wake()

    def _wake(self) -> None:
        if not self._waiter.done():
            self._waiter.set_result(None)

    def _complaint(self) -> str | None:
        name, status = self._proxy.authority, self._answer.status
        if self._answer.failure is not None:
            return f"the answer of the proxy {name} is unusable: {self._answer.failure}"
        if status == _CREDENTIALS_WANTED:
            said = "wants credentials" if self._proxy.credentials is None else "refused the credentials in its URL"
            return f"the proxy {name} {said} (407)"
        if status is None or status not in _TUNNEL:
            return f"the proxy {name} made no connection to {self._target} ({status})"
        return None

    def _hint(self) -> str:
        if self._answer.status != _CREDENTIALS_WANTED or self._answer.failure is not None:
            return ""
        return "the owner of the gateway can put them into the proxy's URL, as user:password@"


def connect_head(proxy: Proxy, target: str) -> bytes:
    """The whole of what a proxy is told."""
    lines = [f"CONNECT {target} HTTP/1.1", f"host: {target}", f"user-agent: clearway/{__version__}"]
    if proxy.credentials is not None:
        shown = base64.b64encode(proxy.credentials.reveal().encode()).decode("ascii")
        lines.append(f"proxy-authorization: Basic {shown}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _has_odd_lines(data: bytes) -> bool:
    """Line ends that another reader could see elsewhere."""
    ends = data.count(b"\r\n")
    return data.count(b"\n") != ends or data.count(b"\r") - data.endswith(b"\r") != ends or b"\0" in data
