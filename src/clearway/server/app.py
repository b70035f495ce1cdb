"""The door: one plain ASGI callable for everything a client may ask.

Order: Host, path, local answers, then the walk. The control socket's requests go
to an application of their own and never meet these.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import structlog
from starlette.middleware.cors import CORSMiddleware

from clearway.core.errors import BadRequest, GatewayError
from clearway.core.exchange import Endpoint, Wire
from clearway.server.body import BodyRoom, HeldBody, Receive
from clearway.server.guard import EXTENSION, Guard
from clearway.server.hosts import Hosts
from clearway.server.load import Walk
from clearway.server.paths import Local, Place, place
from clearway.server.sink import AsgiSink, Send
from clearway.upstreams.protocol import Headers
from clearway.wire.messages.errors import render

log = structlog.get_logger()

Scope = dict[str, Any]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]
_HOME = b"Clearway is running. Point your client's base URL at this address.\n"


class AsgiCall(msgspec.Struct):
    """One request, for the walk."""

    wire: Wire
    endpoint: Endpoint
    method: str
    path: str
    target: bytes
    headers: Headers
    run_id: str | None
    receive: Receive
    held: HeldBody

    def __repr__(self) -> str:
        return f"AsgiCall({self.method} {self.endpoint})"

    async def body(self) -> bytes | bytearray:
        """Read the whole body."""
        declared = None
        for name, value in self.headers:
            if name == b"content-length":
                declared = int(value)
            elif name == b"transfer-encoding":
                return await self.held.read(self.receive, None)
        return b"" if not declared else await self.held.read(self.receive, declared)


class App:
    """The ASGI application.

    Args:
        gateway: Walks the requests.
        hosts: The names that `Host` may have.
        room: Where bodies are held.
        control: The application behind the control socket.
        is_ready: False while draining or while nothing can be recorded.
        origins: Pages that may call; none: no CORS header at all.
    """

    def __init__(
        self,
        gateway: Walk,
        hosts: Hosts,
        room: BodyRoom,
        control: Asgi,
        is_ready: Callable[[], bool],
        origins: Sequence[str] = (),
    ) -> None:
        self._gateway = gateway
        self._hosts = hosts
        self._room = room
        self._control = control
        self._is_ready = is_ready
        route: Asgi = self._route
        self._answer = route
        if origins:
            self._answer = CORSMiddleware(
                route,
                allow_origins=origins,
                allow_methods=["GET", "POST"],
                allow_headers=["*"],
                expose_headers=["request-id", "retry-after", "x-clearway-error", "x-clearway-exchange"],
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        connection: Guard = scope["extensions"][EXTENSION]["connection"]
        if connection.is_control:
            await self._control(scope, receive, send)
            return
        try:
            # Before anything else, the preflights of CORS included.
            self._hosts.check(scope["headers"])
        except GatewayError as error:
            await _answer(AsgiSink(send, connection), *render(error, "none"))
            return
        await self._answer(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection: Guard = scope["extensions"][EXTENSION]["connection"]
        sink = AsgiSink(send, connection)
        try:
            where = place(scope["method"], scope["raw_path"])
        except GatewayError as error:
            await _answer(sink, *render(error, "none"))
            return
        if where.local is not None:
            await self._local(where.local, sink)
        else:
            await self._walk(where, scope, receive, sink, connection)

    async def _walk(self, where: Place, scope: Scope, receive: Receive, sink: AsgiSink, connection: Guard) -> None:
        if where.endpoint is None:
            raise BadRequest("nothing is asked for")
        query: bytes = scope["query_string"]
        path = where.path.encode("latin-1")
        held = self._room.hold()
        call = AsgiCall(
            wire="messages",
            endpoint=where.endpoint,
            method=scope["method"],
            path=where.path,
            target=path + b"?" + query if query else path,
            headers=scope["headers"],
            run_id=where.run_id,
            receive=receive,
            held=held,
        )
        task = asyncio.current_task()

        def gone() -> None:
            sink.gone = True
            if task is not None:
                task.cancel()

        connection.on_gone = gone
        try:
            await self._gateway.serve(call, sink)
        except asyncio.CancelledError:
            # The client left, or the time to drain is over: this task ends here.
            if not sink.gone:
                sink.cut()
        finally:
            if connection.on_gone is gone:
                connection.on_gone = None
            held.release()

    async def _local(self, local: Local, sink: AsgiSink) -> None:
        match local:
            case "health" | "probe":
                await _answer(sink, 200, [(b"content-type", b"application/json")], b'{"status":"ok"}')
            case "ready":
                status, word = (200, b"ready") if self._is_ready() else (503, b"not ready")
                await _answer(sink, status, [(b"content-type", b"application/json")], b'{"status":"%s"}' % word)
            case "home":
                await _answer(sink, 200, [(b"content-type", b"text/plain; charset=utf-8")], _HOME)


async def _answer(sink: AsgiSink, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    if not any(name == b"content-length" for name, _ in headers):
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    await sink.start(status, [*headers, (b"cache-control", b"no-store")])
    await sink.finish(body)
