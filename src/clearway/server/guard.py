"""The connection: uvicorn's, with what it lets through and we must not.

One subclass of `HttpToolsProtocol` (uvicorn's documented `http=` parameter),
contract-tested; the uvicorn range is pinned. It adds: limits on heads (bytes,
fields, target, time), exactly one `Host`, only origin-form targets, no upgrades,
our own error bodies, and a word to the walk when the client leaves. Requests for
the walk become a `Turn` (server/turn) and never see ASGI; the others go uvicorn's way.

Growth: a few numbers and one timer for each connection.
"""

import asyncio
import socket
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from clearway.core.errors import (
    BadRequest,
    ClientError,
    GatewayError,
    HeadTooLarge,
    Overloaded,
    TooSlow,
    UpgradeRefused,
)
from clearway.core.fields import Fields
from clearway.gateway.errors import render
from clearway.server.stall import Stall
from clearway.server.turn import Head, Turn

MAX_HEAD = 64 * 1024
MAX_FIELDS = 100
MAX_TARGET = 8 * 1024
HEAD_S = 10.0
MAX_SILENT = 2 * MAX_HEAD
"""Bytes after a head that add nothing to the body: extensions of chunks, trailers."""
MAX_UNWANTED = 16 * 1024 * 1024
"""Bytes of a body that was refused unread and is sent all the same."""
KEEP_ALIVE_S = 75.0
"""A connection without a request is closed after so long, give or take `HEAD_S`."""
MAX_REQUESTS = 1_000
"""On one connection; with the answer to the last it is closed, so that clients spread anew behind a balancer."""
_WRITE_HIGH = 256 * 1024
EXTENSION = "clearway"
"""Under this name the scope's `extensions` hold `{"connection": Guard}`."""
_VERSIONS = ("1.1", "1.0")
_HASH = ord("#")
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
        self._turn: Turn | None = None
        """The newest request, where it is for the walk."""
        self._served: Turn | None = None
        """The one that is being answered; the newest may wait behind it."""
        self._task: asyncio.Task[None] | None = None
        self._turns = 0
        self._came: list[bytes] = []
        """Names and values, in turn."""
        self._take = self._came.extend
        self._fields = Fields((), ())
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_since = 0.0
        self._refusal: GatewayError | None = None
        self._closing = False
        self._unwanted = 0
        self._silent = 0
        self._in_body = False
        self._lingers = False
        self._stall = Stall()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept, or say at once that there are too many."""
        super().connection_made(transport)
        sock: socket.socket | None = transport.get_extra_info("socket")
        self.is_control = sock is not None and sock.family == socket.AF_UNIX
        transport.set_write_buffer_limits(high=_WRITE_HIGH)
        self._head_since = self.loop.time()
        self._head_timer = self.loop.call_later(HEAD_S, self._look)
        # Whoever comes by the control socket is the owner, who may want to know why.
        if len(self.connections) > self._max_connections and not self.is_control:
            self._refuse(Overloaded("too many connections are open", retry_after_s=5))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the walk, so that the upstream is dropped at once."""
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().connection_lost(exc)
        self._leave()
        # Rings: without this, only the collector frees what is left.
        self.cycle = self.scope = self._turn = None  # type: ignore[assignment]  # as before the first request

    def data_received(self, data: bytes) -> None:
        """Parse, and count what belongs to a head that is not complete."""
        if self._closing:
            return
        if self._in_head and not self._head_bytes:
            self._head_since = self.loop.time()
        self._head_bytes += len(data)
        self._silent += len(data)
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            refusal, self._refusal = self._refusal, None
            self._refuse(refusal or BadRequest("this is not valid HTTP/1.1"))
            return
        if not self._in_head:
            self._head_bytes = 0
            if self._silent > MAX_SILENT and not self._closing:
                self._refuse(HeadTooLarge(f"over {MAX_SILENT} bytes came without any of the request's body"))
        elif self._head_bytes > MAX_HEAD and not self._closing:
            self._refuse(HeadTooLarge(f"the request head is over {MAX_HEAD} bytes"))

    def on_message_begin(self) -> None:
        """A new request begins."""
        self.url = b""
        self._came.clear()
        self._in_head = True
        self._in_body = False
        self._unwanted = 0
        self._silent = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep: for every field of every head, so that nothing else is done here."""
        self._take((name, value))

    def on_headers_complete(self) -> None:
        """Judge the head before anything is done with it."""
        self._in_head = False
        # Trailers come later, and belong to nobody: everything is decided by then.
        self._fields = Fields.parsed(self._came)
        self._came.clear()
        problem = self._problem()
        if problem is not None:
            self._refusal = problem
            raise problem
        if self.is_control or not self._begin_turn():
            self._begin_asgi()
        self._in_body = True

    def _begin_turn(self) -> bool:
        """Start the walk, or queue it behind the request before; False: it is not for the walk."""
        parser, before = self.parser, self.cycle
        self._turns += 1
        chunks = parser.get_http_version() == "1.1"
        head = Head(
            parser.get_method().decode("ascii"),
            self.url,
            self._fields,
            keep_alive=chunks and parser.should_keep_alive() and self._turns < MAX_REQUESTS,
            chunks=chunks,
            expects_continue=self.expect_100_continue,
            declared=self._declared(),
            source=self.client[0] if self.client else "",
        )
        turn = self.app.turn(self, head)
        if turn is None:
            return False
        self._turn = self.cycle = turn
        if before is None or before.response_complete:
            self._start(turn)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((turn, self.app))
        return True

    def _declared(self) -> int | None:
        """How long the body will be, by a head that was judged to be right."""
        fields = self._fields
        return None if b"transfer-encoding" in fields.names else int(fields.first(b"content-length") or 0)

    def _begin_asgi(self) -> None:
        self._turn = None
        # What uvicorn has at the beginning of a request.
        headers = list(self._fields)
        url, expects = self.url, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers = headers
        self.scope["headers"] = headers
        self.scope["extensions"] = {EXTENSION: {"connection": self}}
        super().on_headers_complete()

    def _start(self, turn: Turn) -> None:
        task = self.loop.create_task(turn.run())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        self._served, self._task = turn, task

    def _leave(self) -> None:
        """The client is gone: whoever works for it stops, the upstream's connection included."""
        turn, task = self._served, self._task
        self._served = self._task = None
        if turn is not None and task is not None:
            turn.disconnected = True
            task.cancel()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:  # noqa: ANN401  # uvicorn's own signature
        """Begin what waited behind the request before."""
        if isinstance(cycle, Turn):
            self._start(cycle)
        else:
            super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """Hand on; what comes after the answer is thrown away, but not for ever."""
        self._silent = 0
        if self.cycle.response_complete:
            self._unwanted += len(body)
            if self._unwanted > MAX_UNWANTED:
                self.transport.abort()
        elif self._turn is not None:
            self._turn.held.feed(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there, whole."""
        self._in_body = False
        if self._turn is not None:
            self._turn.held.end()
        else:
            super().on_message_complete()

    def answered(self) -> None:
        """The answer of a turn is complete: the next request may begin."""
        self._served = self._task = None
        self.on_response_complete()

    def on_response_complete(self) -> None:
        """An answer is complete. Idle connections are found by `_look`: no timer for each answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._head_since = self.loop.time()
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)

    def _problem(self) -> ClientError | None:
        """What is wrong with the head; None where it is as it should be."""
        url, fields, version = self.url, self._fields, self.parser.get_http_version()
        names = fields.names
        hosts = names.count(b"host")
        # The parser also takes lists that end with it, and HTTP/1.0 (RFC 9112, section 6.1).
        framed = b"transfer-encoding" not in names or (
            version == "1.1" and self._given(b"transfer-encoding") == [b"chunked"]
        )
        self.expect_100_continue = b"expect" in names and b"100-continue" in self._given(b"expect")
        # What came so far is an upper bound, mostly within the limit: no need to add up.
        size = self._head_bytes
        if size > MAX_HEAD:
            size = len(url) + sum(len(name) + len(value) + 4 for name, value in fields)
        sized = size <= MAX_HEAD and len(url) <= MAX_TARGET and len(fields) <= MAX_FIELDS
        # A fragment is no part of a target (RFC 9112, section 3.2), and the parser would drop it.
        plain = url[:1] == b"/" and _HASH not in url and self.parser.get_method() in _METHODS
        versioned = version in _VERSIONS
        if sized and plain and versioned and framed and hosts == 1 and not self.parser.should_upgrade():
            return None
        return self._first_problem(size, hosts, plain=plain, versioned=versioned, framed=framed)

    def _given(self, wanted: bytes) -> list[bytes]:
        return [value.lower() for name, value in self._fields if name == wanted]

    def _first_problem(self, size: int, hosts: int, *, plain: bool, versioned: bool, framed: bool) -> ClientError:
        problems = (
            (len(self.url) > MAX_TARGET, HeadTooLarge, f"the request target is over {MAX_TARGET} bytes"),
            (len(self._fields) > MAX_FIELDS, HeadTooLarge, f"the request head has over {MAX_FIELDS} fields"),
            (size > MAX_HEAD, HeadTooLarge, f"the request head is over {MAX_HEAD} bytes"),
            (not plain, BadRequest, "the request line is not one of an API client"),
            (not versioned, BadRequest, "this is not HTTP/1.1"),
            (not framed, BadRequest, "the only transfer coding is chunked, in HTTP/1.1"),
            (hosts != 1, BadRequest, "the request must have exactly one Host"),
            # Codex, which asks for a WebSocket first, goes on with a POST at once after a 426 (measured with 0.169.0).
            (self._asks_responses(), UpgradeRefused, "there are no WebSockets here: send the request as a POST"),
            (True, BadRequest, "the connection cannot be upgraded here"),
        )
        return next(kind(message) for wrong, kind, message in problems if wrong)

    def _asks_responses(self) -> bool:
        return self.url.partition(b"?")[0].endswith(b"/v1/responses")

    def _refuse(self, error: GatewayError) -> None:
        """Answer, if no other answer is under way, and close."""
        if self._closing or self.transport.is_closing():
            return
        self._closing = True
        if self._is_silent():
            is_upgrade = isinstance(error, UpgradeRefused)
            status, headers, body = render(error, "none", "responses" if is_upgrade else "messages")
            lines = [b"%s: %s\r\n" % field for field in headers]
            if is_upgrade:
                lines.append(b"upgrade: HTTP/1.1\r\n")  # it must say what to speak (RFC 9110, section 15.5.22)
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

    def _look(self) -> None:
        """Every ten seconds: a head that is late, a body that was refused and does not end,
        a long idleness, or a client that takes nothing of its answer ends the connection.
        """
        now = self.loop.time()
        if self._stall.is_over(self.transport, now, is_paused=self.flow.write_paused):
            self.transport.abort()
            return
        self._head_timer = self.loop.call_later(HEAD_S, self._look)
        if self.transport.is_closing():
            return
        quiet_s = now - self._head_since
        answered = self.cycle is not None and self.cycle.response_complete
        lingered, self._lingers = self._lingers, self._in_body and answered
        idle = answered and not self._in_body and not self._head_bytes
        waiting = self._in_head and (self._head_bytes or self.cycle is None)
        if idle and quiet_s >= KEEP_ALIVE_S:
            self.transport.close()
        elif waiting and quiet_s >= HEAD_S:
            self._refuse(TooSlow(f"the request head did not arrive within {HEAD_S:g} seconds"))
        elif lingered and self._lingers:
            self.transport.close()

    def shutdown(self) -> None:
        """The server drains: running answers may finish; who only watches is let go."""
        if self.is_control:
            self.transport.close()
        else:
            super().shutdown()

    def cut(self) -> None:
        """End the connection without a proper end of the answer."""
        self._served = self._task = None
        if self.cycle is not None:
            self.cycle.disconnected = True  # uvicorn need not wonder about the missing end
        self.transport.abort()
