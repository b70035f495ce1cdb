"""The admin API's ASGI application: the table of routes, and what happens around each.

Order: path, who asks, method, where it comes from, query, body, handler. What is not
in the table is refused, to strangers before they are told so. Handlers run in threads,
few at a time. Growth: `_WAITING` requests beside those that run. Made at the first
request (server/late), by compose.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import cache
from typing import Any

import msgspec
import structlog

from clearway.core.fields import Headers
from clearway.ledger.protocol import LedgerError
from clearway.server.admin import feed
from clearway.server.admin.access import CHALLENGE, check_origin, find_key, find_session
from clearway.server.admin.decode import body_of, query_of
from clearway.server.admin.failures import Refused, of_ledger, wait
from clearway.server.admin.openapi import document
from clearway.server.admin.pages import Page
from clearway.server.admin.parts import STRANGER, Asked, Handler, Parts, Told, Visitor
from clearway.server.admin.routes import Route, find
from clearway.server.admin.slowdown import Slowdown
from clearway.server.sources import SOURCE

log = structlog.get_logger()

_AT_ONCE = 3
"""Handlers that run: the ledger has four connections for readers, and the commands need one."""
_WAITING = 64
_BODY_S = 10.0
_NO_CONTENT = 204
_GUARDED = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_PAGE_POLICY = (
    b"content-security-policy",
    b"; ".join(
        (
            b"default-src 'none'",
            b"script-src 'self'",
            b"style-src 'self'",
            b"connect-src 'self'",
            b"base-uri 'none'",
            b"frame-ancestors 'none'",
            b"form-action 'self'",
        )
    ),
)
_JSON = (b"content-type", b"application/json")


class AdminApp:
    """One for the process.

    Args:
        parts: What it works on.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._watching = 0
        self._slowdown = Slowdown(parts.clock)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI's own
        """Answer one request."""
        try:
            await self._answer(scope, receive, send)
        except Refused as refused:
            await _refuse(send, refused)
        except LedgerError as error:
            await _refuse(send, of_ledger(error))
        except Exception:  # the server's boundary: one request fails, the process goes on
            log.exception("admin_request_failed")
            await _refuse(send, Refused("internal", "something went wrong here", hint="the gateway's log has more"))

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        # The string that is judged is the string that was sent.
        methods, subject = find(scope["raw_path"].decode("latin-1"))
        route = methods.get(scope["method"])
        headers: Headers = tuple(scope["headers"])
        visitor = STRANGER
        if route is None or route.auth != "anyone":
            visitor = await self._visitor(headers, _address(scope))
        if route is None:
            raise _nothing_there(methods)
        if route.auth == "session" and visitor.session is None:
            raise Refused("not_allowed", "only a session may do this, and this is a key")
        check_origin(self._parts, headers, route.csrf, visitor)
        query = query_of(scope["query_string"], route.query or _NoQuery)
        body = await _body(route, headers, receive)
        asked = Asked(visitor=visitor, id=subject, query=query, body=body, headers=headers)
        if route.stream is not None:
            await self._stream(route, asked, receive, send)
            return
        told = await self._handle(route, asked, _address(scope))
        await _reply_told(send, route, told)

    async def _visitor(self, headers: Headers, source: str) -> Visitor:
        """Who asks. Raises Refused where nobody does who may."""
        visitor = find_key(self._parts, headers, now_us=self._parts.clock.now_us(), source=source)
        if visitor is None and any(name == b"cookie" for name, _ in headers):
            async with self._slot():
                visitor = await asyncio.to_thread(find_session, self._parts, headers)
        if visitor is None:
            hint = "send an owner key (clearway keys create NAME --owner), or sign in (clearway open)"
            raise Refused("invalid_key", "this needs an owner key or a session", hint=hint, headers=CHALLENGE)
        return visitor

    async def _handle(self, route: Route, asked: Asked, address: str) -> object:
        handler = route.handler or _document
        if not route.is_slowed:
            return await self._run(handler, asked)
        if seconds := self._slowdown.begin(address):
            raise wait("slow_down", "too many sign-ins have failed", seconds)
        try:
            told = await self._run(handler, asked)
        except Refused as refused:
            log.warning("sign_in_failed", code=refused.code, address=address)
            raise
        self._slowdown.succeeded(address)
        return told

    async def _run(self, handler: Handler, asked: Asked) -> object:
        async with self._slot():
            return await asyncio.to_thread(handler, self._parts, asked)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._waiting >= _WAITING:
            raise wait("overloaded", "too many questions are waiting", 1)
        self._waiting += 1
        try:
            async with self._slots:
                yield
        finally:
            self._waiting -= 1

    async def _stream(self, route: Route, asked: Asked, receive: Any, send: Any) -> None:  # noqa: ANN401
        if route.stream is None:
            raise TypeError(route)
        if self._watching >= feed.MOST:
            raise wait("slow_down", f"{feed.MOST} watch already", 5)
        self._watching += 1
        try:
            media_type = (b"content-type", route.media_type.encode())
            # Proxies that collect answers would hold it back.
            fields = [media_type, (b"x-accel-buffering", b"no"), *_GUARDED, _POLICY]
            await send({"type": "http.response.start", "status": route.status, "headers": fields})
            async with asyncio.TaskGroup() as group:
                pump = group.create_task(_pump(route.stream(self._parts, asked), send))
                look = group.create_task(_until_gone(receive, pump))
                pump.add_done_callback(lambda _: look.cancel())
        finally:
            self._watching -= 1


async def _pump(pieces: AsyncGenerator[bytes], send: Any) -> None:  # noqa: ANN401
    async with aclosing(pieces):
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Any, pump: asyncio.Task[None]) -> None:  # noqa: ANN401
    """Who has left is not told more: what is sent to nobody raises nothing."""
    while (await receive())["type"] != "http.disconnect":
        pass
    pump.cancel()


class _NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A route that takes no parameters."""


def _document(parts: Parts, asked: Asked) -> Page:  # noqa: ARG001  # the form of handlers
    return Page("application/json", _described())


@cache
def _described() -> bytes:
    return msgspec.json.encode(document())


def _nothing_there(methods: dict[str, Route]) -> Refused:
    if methods:
        allowed = ", ".join(sorted(methods))
        return Refused("method_not_allowed", f"this path has only {allowed}", headers=((b"allow", allowed.encode()),))
    return Refused("not_found", "there is nothing of that path", hint="GET /openapi.json names what there is")


def _address(scope: Any) -> str:  # noqa: ANN401
    return str(scope["extensions"][SOURCE])


async def _body(route: Route, headers: Headers, receive: Any) -> object:  # noqa: ANN401
    """The body, within the route's bound and of its type. Raises Refused."""
    fields = dict(headers)
    if route.body is not None:
        declared = fields.get(b"content-type", b"").lower().partition(b";")
        # A page can send other types to another site unasked.
        if declared[0].strip() != b"application/json" or declared[2].strip() not in (b"", b"charset=utf-8"):
            raise Refused("unsupported_media_type", "the body must be declared as application/json")
        if fields.get(b"content-encoding", b"identity") != b"identity":
            raise Refused("unsupported_media_type", "the body must not be compressed")
    if int(fields.get(b"content-length", b"0")) > route.max_body:
        raise _too_large(route)
    raw = await _read(route, receive)
    return None if route.body is None else body_of(raw, route.body)


async def _read(route: Route, receive: Any) -> bytes:  # noqa: ANN401
    pieces = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    # Nobody is there to be answered.
                    raise Refused("too_slow", "the client has left")
                pieces += message.get("body", b"")
                if len(pieces) > route.max_body:
                    raise _too_large(route)
                if not message.get("more_body"):
                    return bytes(pieces)
    except TimeoutError as error:
        raise Refused("too_slow", f"the body did not arrive within {_BODY_S:g} seconds") from error


def _too_large(route: Route) -> Refused:
    what = f"the body is over {route.max_body} bytes" if route.max_body else "this takes no body"
    return Refused("too_large", what)


async def _refuse(send: Any, refused: Refused) -> None:  # noqa: ANN401
    code = (b"x-clearway-error", refused.code.encode())
    await _reply(send, refused.status, (_JSON, code, *refused.headers), refused.body())


async def _reply_told(send: Any, route: Route, told: object) -> None:  # noqa: ANN401
    value, more = (told.value, tuple(told.headers)) if isinstance(told, Told) else (told, ())
    if isinstance(value, Page):
        await _reply(send, route.status, ((b"content-type", value.media_type.encode()), *more), value.content)
    elif route.status == _NO_CONTENT:
        await _reply(send, route.status, more, None)
    else:
        await _reply(send, route.status, (_JSON, *more), msgspec.json.encode(value))


async def _reply(send: Any, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes | None) -> None:  # noqa: ANN401
    is_page = any(value.startswith(b"text/html") for name, value in headers if name == b"content-type")
    fields = [*headers, *_GUARDED, _PAGE_POLICY if is_page else _POLICY]
    if body is not None:
        fields.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body or b"", "more_body": False})
