"""The seam between the walk and whatever answers.

Any implementation must pass `tests/upstreams/`. A new kind is one file, one
line in `upstreams/registry.py`, and that suite green.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

import msgspec

from clearway.core.fields import Headers

Kind = Literal["anthropic", "passthrough", "agent-sdk", "replay", "sim"]

Pays = Literal["gateway", "client", "nobody"]
"""Whose credential an upstream spends: ours, the client's own, none at all."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent. Made once per attempt; an upstream must not change it."""

    method: bytes
    target: bytes
    """Path and query as the client sent them, beginning with `/`."""
    headers: Headers
    """Without `host`, `content-length` and hop-by-hop fields: the client adds those."""
    body: bytes | bytearray | memoryview = b""

    def __repr__(self) -> str:
        return f"Request({self.method!r}, ***)"


class Reply(Protocol):
    """An answer whose head has come; its body is read piece by piece."""

    @property
    def status(self) -> int:
        """The final status (never a 1xx)."""
        ...

    @property
    def headers(self) -> Headers:
        """As they came, names in lower case; hop-by-hop fields included."""
        ...

    @property
    def ended(self) -> bool:
        """True once the last byte of the body has been handed out by `read`
        (or there is none), so that the caller knows which piece is the last.
        """
        ...

    async def read(self) -> bytes:
        """The next bytes as they came, without waiting for more; `b""` at the end.

        While nobody reads, at most a bounded amount is taken from the network.

        Raises:
            UpstreamTimeout: No byte within `idle_s`, or `total_s` is over.
            UpstreamProtocolError: The answer broke off or is not valid HTTP.
        """
        ...


Pour = Callable[[Callable[[bytes], bool]], Awaitable[bool]]
"""An ability that a reply may have besides, as its attribute `pour`: to hand on its
pieces as they come, without waking anybody for each.

It is called with a taker, and calls that with each piece, from the network's
callback, for as long as the taker returns True. The taker must not raise.
Back-pressure is as with `read`: what nobody takes waits, within bounds.
False: the taker said so. True: only the end is left, for `read` to hand out.
It raises as `Reply.read` does.

A reply may also know `is_whole`: its last byte has come, so that `read` need not wait.
"""


class Upstream(Protocol):
    """Somewhere a request can be sent."""

    @property
    def name(self) -> str:
        """Unique in one configuration; shown in the ledger and in messages."""
        ...

    @property
    def kind(self) -> Kind:
        """Which implementation this is."""
        ...

    @property
    def pays(self) -> Pays:
        """Whose credential it spends."""
        ...

    @property
    def models(self) -> tuple[str, ...]:
        """Patterns (`fnmatch`) of the models it serves."""
        ...

    @property
    def api_version(self) -> str:
        """Which version of the API translated requests are sent in."""
        ...

    def open(self, request: Request) -> AbstractAsyncContextManager[Reply]:
        """Send `request`; leaving the context cancels what is unread, at once.

        Raises:
            UpstreamUnreachable: No connection; nothing was sent or billed.
            UpstreamTimeout: No byte of an answer within `first_byte_s`.
            UpstreamProtocolError: The head is not valid HTTP, or the connection
                ended before it; the request may have been received and billed.
        """
        ...
