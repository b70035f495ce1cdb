"""The simulated model: an upstream that answers like the Messages API, for nothing.

For first steps, demonstrations, tests and measurements. Owns the HTTP face and the
timing; what is said is decided in `simulation/`. The same request gets the same
answer; only the prompt cache remembers what was asked before.
The reference of its behaviour is docs/simulated-model.md.

Cost: answers to compressed bodies and to those over 256 kB are made in a thread, so that the event loop is
not held; a stream is made event by event while it is read.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TypeVar

from clearway.config.model import Timeouts
from clearway.config.model import Upstream as Settings
from clearway.core.clock import Clock
from clearway.core.errors import UpstreamTimeout
from clearway.core.fields import Headers
from clearway.upstreams.protocol import Kind, Pays, Request
from clearway.upstreams.simulation import catalogue, render
from clearway.upstreams.simulation.cache import PromptCache
from clearway.upstreams.simulation.faults import Fault
from clearway.upstreams.simulation.plan import Plan, count, plan
from clearway.upstreams.simulation.reply import End, SimReply

_BIG_BODY = 256_000
_Made = TypeVar("_Made")


class SimUpstream:
    """The upstream of kind `sim`.

    Args:
        settings: Its name, models and `pace_ms`.
        clock: Ages the simulated prompt cache.
        timeouts: How long a simulated silence lasts before it is an error.
    """

    kind: Kind = "sim"
    pays: Pays = "nobody"

    def __init__(self, settings: Settings, clock: Clock, timeouts: Timeouts | None = None) -> None:
        self.name = settings.name
        self.models = settings.models
        self.api_version = settings.api_version
        self._settings = settings
        self._timeouts = timeouts or Timeouts()
        self._cache = PromptCache(clock)

    async def start(self) -> None:
        """Ready from the beginning."""

    async def aclose(self) -> None:
        """Nothing to let go of: what the cache holds goes with the object."""

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[SimReply]:
        """Answer a request.

        Raises:
            UpstreamTimeout: The request asked for silence or a long delay.
        """
        request_id = _request_id(request)
        try:
            reply = await self._answer(request, request_id)
        except Fault as fault:
            reply = self._json(fault.status, fault.body(request_id), request_id, fault.hints())
        if request.method == b"HEAD":
            reply = SimReply(reply.status, reply.headers, iter(()), idle_s=self._timeouts.idle_s)
        yield reply

    async def _answer(self, request: Request, request_id: str) -> SimReply:
        method = request.method.decode("ascii", "replace")
        path, _, query = request.target.decode("latin-1").partition("?")
        model = path.removeprefix("/v1/models/")
        match method, path:
            case "POST", "/v1/messages":
                return await self._messages(request, request_id)
            case "POST", "/v1/messages/count_tokens":
                counted = await _off_loop_if_heavy(count, request)
                return self._json(200, b'{"input_tokens":%d}' % counted, request_id)
            case "GET" | "HEAD", "/v1/models":
                body = catalogue.page(self.models, query)
                return self._json(200, body, request_id)
            case "GET" | "HEAD", _ if model != path and "/" not in model:
                return self._json(200, catalogue.one(model), request_id)
            case _, "/v1/messages" | "/v1/messages/count_tokens" | "/v1/models":
                raise Fault(405, "Method Not Allowed")
        raise Fault(404, "Not Found")

    async def _messages(self, request: Request, request_id: str) -> SimReply:
        made = await _off_loop_if_heavy(plan, request)
        wishes = made.orders
        is_silent = wishes.stall_after is not None and not made.ask.stream
        await self._wait(float("inf") if is_silent else wishes.delay_ms / 1000)
        if wishes.error:
            raise Fault(wishes.error[0], "The request asked for this error", wishes.error[1])
        if made.ask.stream:
            return self._stream(made, request_id)
        if wishes.broken:
            raise Fault(wishes.broken.status, "The request asked for this error", wishes.broken.kind)
        body = render.message(made.ask, made.answer, self._cache.charge(made.ask.model, made.prompt))
        if wishes.cut_after is not None:
            return self._json(200, body, request_id, kept=len(body) // 2)
        return self._json(200, body, request_id)

    def _stream(self, made: Plan, request_id: str) -> SimReply:
        wishes = made.orders
        ends: list[tuple[int, End, bytes]] = []
        if wishes.broken:
            fault = Fault(wishes.broken.status, "The request asked for this error", wishes.broken.kind)
            ends.append((wishes.broken.after, "whole", render.error_event(fault.body(request_id))))
        if wishes.cut_after is not None:
            ends.append((wishes.cut_after, "cut", b""))
        if wishes.stall_after is not None:
            ends.append((wishes.stall_after, "stall", b""))
        # Of several endings the earliest comes to pass.
        after: int | None = None
        end: End = "whole"
        last = b""
        if ends:
            after, end, last = min(ends, key=lambda ending: ending[0])
        charge = self._cache.charge(made.ask.model, made.prompt)
        pieces = render.events(made.ask, made.answer, charge, after)
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-cache"),
            (b"request-id", request_id.encode()),
        ]
        return SimReply(
            200,
            headers,
            _then(pieces, last),
            end=end,
            pace_s=self._settings.pace_ms / 1000,
            idle_s=self._timeouts.idle_s,
        )

    async def _wait(self, delay_s: float) -> None:
        limit = self._timeouts.first_byte_s
        if delay_s:
            await asyncio.sleep(min(delay_s, limit))
        if delay_s > limit:
            raise UpstreamTimeout(f"the simulated model said nothing for {limit:g} seconds")

    def _json(
        self,
        status: int,
        body: bytes,
        request_id: str,
        hints: Headers = (),
        *,
        kept: int | None = None,
    ) -> SimReply:
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"request-id", request_id.encode()),
            *hints,
        ]
        end: End = "whole" if kept is None else "cut"
        return SimReply(status, headers, iter((body[:kept],)), end=end, idle_s=self._timeouts.idle_s)


def _then(pieces: Iterator[bytes], last: bytes) -> Iterator[bytes]:
    yield from pieces
    if last:
        yield last


def _request_id(request: Request) -> str:
    digest = hashlib.blake2b(request.method + b" " + request.target + b"\n", digest_size=12)
    digest.update(request.body)
    return f"req_01sim{digest.hexdigest()}"


async def _off_loop_if_heavy(make: Callable[[Request], _Made], request: Request) -> _Made:
    is_coded = any(name == b"content-encoding" for name, _ in request.headers)
    if is_coded or len(request.body) > _BIG_BODY:
        return await asyncio.to_thread(make, request)
    return make(request)
