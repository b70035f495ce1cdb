"""The connection: uvicorn's, with what it lets through and we must not.

One subclass of `HttpToolsProtocol` (uvicorn's documented `http=` parameter),
contract-tested; the uvicorn range is pinned. It adds: limits on heads (bytes,
fields, target, time), exactly one `Host`, only origin-form targets, no upgrades,
our own error bodies, and a word to the walk when the client leaves.

Growth: a few numbers and one timer for each connection.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from clearway.core.errors import BadRequest, ClientError, GatewayError, HeadTooLarge, Overloaded, TooSlow
from clearway.wire.messages.errors import render

MAX_HEAD = 64 * 1024
MAX_FIELDS = 100
MAX_TARGET = 8 * 1024
HEAD_S = 10.0
MAX_UNWANTED = 16 * 1024 * 1024
"""Bytes of a body that was refused unread and is sent all the same."""
_WRITE_HIGH = 256 * 1024
EXTENSION = "clearway"
"""Under this name the scope's `extensions` hold `{"connection": Guard}`."""
_VERSIONS = ("1.1", "1.0")
_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})


class Guard(HttpToolsProtocol):
    """One connection of a client.

    Args:
        max_connections: Of all clients together; one more is told so and closed.
    """

    is_control: bool
    """It came through the control socket: file modes have let it in."""

    def __init__(self, *args: Any, max_connections: int = 10_000, **kwargs: Any) -> None:  # noqa: ANN401  # uvicorn's own signature
        super().__init__(*args, **kwargs)
        self._max_connections = max_connections
        self.is_control = False
        self.on_gone: Callable[[], None] | None = None
        """Called once when the client leaves before its answer is complete."""
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_since = 0.0
        self._refusal: GatewayError | None = None
        self._closing = False
        self._unwanted = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept, or say at once that there are too many."""
        super().connection_made(transport)
        sock: socket.socket | None = transport.get_extra_info("socket")
        self.is_control = sock is not None and sock.family == socket.AF_UNIX
        transport.set_write_buffer_limits(high=_WRITE_HIGH)
        self._head_since = self.loop.time()
        self._head_timer = self.loop.call_later(HEAD_S, self._check_head)
        # Whoever comes by the control socket is the owner, who may want to know why.
        if len(self.connections) > self._max_connections and not self.is_control:
            self._refuse(Overloaded("too many connections are open", retry_after_s=5))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the walk, so that the upstream is dropped at once."""
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)
        gone, self.on_gone = self.on_gone, None
        if gone is not None:
            gone()

    def data_received(self, data: bytes) -> None:
        """Parse, and count what belongs to a head that is not complete."""
        if self._closing:
            return
        if self._in_head and not self._head_bytes:
            self._head_since = self.loop.time()
        self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_head:
            self._head_bytes = 0
        elif self._head_bytes > MAX_HEAD and not self._closing:
            self._refuse(HeadTooLarge(f"the request head is over {MAX_HEAD} bytes"))

    def on_message_begin(self) -> None:
        """A new request begins."""
        super().on_message_begin()
        self._in_head = True
        self._unwanted = 0
        self.scope["extensions"] = {EXTENSION: {"connection": self}}

    def on_headers_complete(self) -> None:
        """Judge the head before anything is done with it."""
        self._in_head = False
        problem = self._problem()
        if problem is not None:
            self._refusal = problem
            raise problem
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand on; what comes after the answer is thrown away, but not for ever."""
        if self.cycle.response_complete:
            self._unwanted += len(body)
            if self._unwanted > MAX_UNWANTED:
                self.transport.abort()
        super().on_body(body)

    def _problem(self) -> ClientError | None:
        """What is wrong with the head; None where it is as it should be."""
        url, hosts = self.url, 0
        size = len(url)
        for name, value in self.headers:
            size += len(name) + len(value) + 4
            hosts += name == b"host"
        sized = size <= MAX_HEAD and len(url) <= MAX_TARGET and len(self.headers) <= MAX_FIELDS
        # A fragment is no part of a target (RFC 9112, section 3.2), and the parser would drop it.
        plain = url[:1] == b"/" and b"#" not in url and self.parser.get_method() in _METHODS
        versioned = self.parser.get_http_version() in _VERSIONS
        if sized and plain and versioned and hosts == 1 and not self.parser.should_upgrade():
            return None
        return self._first_problem(size, hosts, plain=plain, versioned=versioned)

    def _first_problem(self, size: int, hosts: int, *, plain: bool, versioned: bool) -> ClientError:
        problems = (
            (len(self.url) > MAX_TARGET, HeadTooLarge, f"the request target is over {MAX_TARGET} bytes"),
            (len(self.headers) > MAX_FIELDS, HeadTooLarge, f"the request head has over {MAX_FIELDS} fields"),
            (size > MAX_HEAD, HeadTooLarge, f"the request head is over {MAX_HEAD} bytes"),
            (not plain, BadRequest, "the request line is not one of an API client"),
            (not versioned, BadRequest, "this is not HTTP/1.1"),
            (hosts != 1, BadRequest, "the request must have exactly one Host"),
            (True, BadRequest, "the connection cannot be upgraded here"),
        )
        return next(kind(message) for wrong, kind, message in problems if wrong)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's wording
        """What uvicorn calls for anything that its parser or we refuse."""
        refusal, self._refusal = self._refusal, None
        self._refuse(refusal or BadRequest("this is not valid HTTP/1.1"))

    def _refuse(self, error: GatewayError) -> None:
        """Answer, if no other answer is under way, and close."""
        if self._closing or self.transport.is_closing():
            return
        self._closing = True
        if self._is_silent():
            status, headers, body = render(error, "none")
            lines = [b"%s: %s\r\n" % field for field in headers]
            self.transport.write(b"".join([STATUS_LINE[status], *lines, b"connection: close\r\n\r\n", body]))
        self.transport.close()

    def _is_silent(self) -> bool:
        """No answer is under way; one that has not begun never will."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return True
        if self.pipeline or cycle.response_started:
            return False
        cycle.disconnected = True
        return True

    def _check_head(self) -> None:
        """Every ten seconds: a head that is not complete by then ends the connection."""
        waiting = self._in_head and (self._head_bytes or self.cycle is None)
        late = self.loop.time() - self._head_since >= HEAD_S
        if waiting and late:
            self._refuse(TooSlow(f"the request head did not arrive within {HEAD_S:g} seconds"))
        else:
            self._head_timer = self.loop.call_later(HEAD_S, self._check_head)

    def shutdown(self) -> None:
        """The server drains: running answers may finish; who only watches is let go."""
        if self.is_control:
            self.transport.close()
        else:
            super().shutdown()

    def is_slow(self) -> bool:
        """The client reads more slowly than it is written to."""
        return self.flow.write_paused

    def cut(self) -> None:
        """End the connection without a proper end of the answer."""
        self.on_gone = None
        if self.cycle is not None:
            self.cycle.disconnected = True  # uvicorn need not wonder about the missing end
        self.transport.abort()
