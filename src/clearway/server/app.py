"""The door: what a request is for.

Order: Host, path; then the walk, or an answer of our own. Requests for the walk
become turns without ASGI; what is answered here, refusals included, is a plain ASGI
application. The control socket's requests go to an application of their own and
never meet these.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from clearway.config.model import Server
from clearway.core.errors import BadRequest, GatewayError
from clearway.core.exchange import Wire
from clearway.core.fields import Fields
from clearway.gateway.errors import render
from clearway.server.body import BodyRoom
from clearway.server.guard import EXTENSION, Guard
from clearway.server.hosts import Hosts
from clearway.server.paths import Local, Place, place, wire_of
from clearway.server.sources import SOURCE, Sources
from clearway.server.turn import Connection, Head, Turn, Walker

if TYPE_CHECKING:
    from clearway.server.cors import Cors

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]
_HOME = b"Clearway is running. Point your client's base URL at this address.\n"
_SHORT = 128
# The same few paths come with every request.
_place = lru_cache(maxsize=512)(place)


class App:
    """The ASGI application.

    Args:
        gateway: Walks the requests.
        room: Where bodies are held.
        control: The application behind the control socket.
        metrics: Answers `GET /metrics`.
        is_ready: False while draining or while nothing can be recorded.
        admin: The application of `/admin/…` and `/openapi.json`: what it lets in is its own to judge.
        settings: Names that `Host` may have, pages that may call (none: no CORS header at all),
            proxies that say where requests come from.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # what stands behind the door
        self,
        gateway: Walker,
        room: BodyRoom,
        control: Asgi,
        metrics: Asgi,
        is_ready: Callable[[], bool],
        admin: Asgi,
        settings: Server,
    ) -> None:
        self._gateway = gateway
        self._room = room
        self._control = control
        self._metrics = metrics
        self._admin = admin
        self._is_ready = is_ready
        self.adjust(settings, self.cors_for(settings.cors_origins))

    def cors_for(self, origins: Sequence[str]) -> "Cors | None":
        """What lets pages of `origins` call. Imports much the first time, and may be called in a thread."""
        if not origins:
            return None
        from clearway.server import cors  # noqa: PLC0415  # Starlette is not for every start

        return cors.Cors(self._route, origins)

    def adjust(self, settings: Server, cors: "Cors | None") -> None:
        """Other names, origins and proxies, for what comes from now on. `cors` is that of `settings`."""
        self._hosts = Hosts(settings.host, settings.hosts)
        self._sources = Sources(settings.trusted_proxies)
        self._cors = cors
        self._answer: Asgi = cors or self._route

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
            await _answer(send, *render(error, "none", _wire(scope)))
            return
        path: bytes = scope["raw_path"]
        if path.startswith(b"/admin/") or path == b"/openapi.json":
            # Beside CORS: no page of another origin has any business there.
            self._tell_source(scope)
            await self._admin(scope, receive, send)
            return
        await self._answer(scope, receive, send)

    def turn(self, connection: Connection, head: Head) -> Turn | None:
        """A turn for a request that is for the walk; None for the others, wrong ones included."""
        path, _, query = head.target.partition(b"?")
        try:
            self._hosts.check(head.headers)
            where = (_place if len(path) <= _SHORT else place)(head.method, path)
        except GatewayError:
            return None  # `__call__` says why
        if where.endpoint is None:
            return None
        if where.run_id is not None or not query:
            own = where.path.encode("latin-1")
            head.target = own + b"?" + query if query else own
        if where.endpoint == "models" and head.headers.first(b"anthropic-version") is None:
            where = _as_openai(where)
        head.source = self._sources.of(head.source, head.headers)
        extra = () if self._cors is None else self._cors.fields(head.headers)
        return Turn(connection, head, where, self._room, self._gateway, extra)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            where = place(scope["method"], scope["raw_path"])
            if where.local is None:
                # A turn was refused for it: there is no other way here.
                raise BadRequest("nothing is asked for")
            if where.local == "metrics":
                self._tell_source(scope)
                await self._metrics(scope, receive, send)
            else:
                await self._local(where.local, send)
        except GatewayError as error:
            await _answer(send, *render(error, "none", _wire(scope)))

    def _tell_source(self, scope: Scope) -> None:
        peer = scope["client"][0] if scope["client"] else ""
        scope["extensions"][SOURCE] = self._sources.of(peer, Fields.of(scope["headers"]))

    async def _local(self, local: Local, send: Send) -> None:
        match local:
            case "health" | "probe":
                await _answer(send, 200, [(b"content-type", b"application/json")], b'{"status":"ok"}')
            case "ready":
                status, word = (200, b"ready") if self._is_ready() else (503, b"not ready")
                await _answer(send, status, [(b"content-type", b"application/json")], b'{"status":"%s"}' % word)
            case "home":
                await _answer(send, 200, [(b"content-type", b"text/plain; charset=utf-8")], _HOME)


@lru_cache(maxsize=64)
def _as_openai(where: Place) -> Place:
    """The list of models is at the same path in both APIs."""
    return msgspec.structs.replace(where, wire="chat")


def _wire(scope: Scope) -> Wire:
    return wire_of(scope["raw_path"].decode("latin-1"))


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    if not any(name == b"content-length" for name, _ in headers):
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    headers.append((b"cache-control", b"no-store"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
