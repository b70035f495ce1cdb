"""The walk of a request, step by step.

authenticate -> read -> decode -> admit -> route -> reserve -> send -> relay + watch -> settle.
Each step is a file beside this one; the way back of an error is at the end.
"""

import asyncio
from collections.abc import Iterable, Sequence
from types import CoroutineType

import msgspec
import structlog

from clearway.config.model import Retries
from clearway.core.errors import GatewayError, NotAuthenticated
from clearway.core.fields import Fields, Headers
from clearway.core.ids import IdMaker
from clearway.gateway import own_usage
from clearway.gateway.admit import Walk, admit
from clearway.gateway.authenticate import Caller, authenticate
from clearway.gateway.bookkeeping import Books, Exchange
from clearway.gateway.call import Call, Sink
from clearway.gateway.cooling import Cooling
from clearway.gateway.decode import Asked, decode, decode_whole
from clearway.gateway.headers import known_of
from clearway.gateway.labels import Labels
from clearway.gateway.models import ModelList
from clearway.gateway.objects.serve import Objects
from clearway.gateway.route import OBJECT_ENDPOINTS, Router, Target
from clearway.gateway.running import Running
from clearway.gateway.send import Sender
from clearway.gateway.translate import Translator
from clearway.gateway.visit import Visit, refuse, settle, was_stopped
from clearway.gateway.wrong_keys import WrongKeys
from clearway.ledger.protocol import KeyRing
from clearway.limits.protocol import Limiter
from clearway.upstreams.health import Health
from clearway.upstreams.protocol import Upstream
from clearway.wire.body import Peek
from clearway.wire.messages.file_ids import may_name_files

log = structlog.get_logger()

_READ = frozenset({"messages", "count_tokens"})


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the walk needs to know of the configuration."""

    instance_id: str
    key_required: bool
    """Every request needs a key (off loopback, or behind a proxy)."""
    max_body: int
    heartbeat_s: float
    retries: Retries = Retries()


class Lasting(msgspec.Struct, frozen=True, kw_only=True):
    """What every walk of this process shares, whatever the configuration."""

    ring: KeyRing
    limiter: Limiter
    ids: IdMaker
    health: Health
    wrong_keys: WrongKeys
    running: Running
    turned_away: dict[str, int]
    """Requests that were refused and are no exchanges, by the code of the error."""


class Gateway:
    """Walks requests. One for each configuration that was ever in force: a request is
    walked to its end by the one that it came to. All state of a request is in its `Visit`.
    """

    def __init__(  # what the steps are made of
        self,
        settings: Settings,
        lasting: Lasting,
        *,
        router: Router,
        books: Books,
        objects: Objects,
        translator: Translator,
    ) -> None:
        self._settings = settings
        self._router = router
        self._books = books
        self._ring = lasting.ring
        self._ids = lasting.ids
        self._limiter = lasting.limiter
        self._wrong_keys = lasting.wrong_keys
        self._running = lasting.running
        self._turned_away = lasting.turned_away
        self._cooling = Cooling(lasting.health, books.clock)
        self._sender = Sender(lasting.limiter, settings.heartbeat_s, self._cooling, settings.retries)
        self._models = ModelList(router, books.clock)
        self._objects = objects
        self._translator = translator
        self._walking = 0
        self._idle: asyncio.Future[None] | None = None

    def ignore(self, upstreams: Iterable[str]) -> None:
        """These names are gone or mean others from now on: what happens at those that
        are known here is no news of the new ones.
        """
        self._cooling.ignore(upstreams)

    async def idle(self) -> None:
        """Another one has taken its place: wait until what runs here is over."""
        if self._walking:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle

    async def serve(self, call: Call, sink: Sink) -> None:
        """Answer one request, whatever happens. Raises CancelledError only."""
        visit = Visit(self._ids.new(), call, sink)
        self._walking += 1
        try:
            await self._go(visit)
        except GatewayError as error:
            self._refuse(visit, error)
        except asyncio.CancelledError:
            if not was_stopped(visit):
                settle(visit.exchange, "client_closed" if sink.gone else "interrupted")
                raise
        except Exception:  # the boundary: one exchange fails, the process goes on
            log.exception("exchange_failed", exchange_id=visit.exchange_id)
            hint = f"the gateway's log has more under {visit.exchange_id}"
            self._refuse(visit, GatewayError("something went wrong here", hint=hint))
        finally:
            self._end(visit)

    def _end(self, visit: Visit) -> None:
        visit.entry.leave()
        if visit.key is not None and visit.exchange is not None:
            self._running.remove(visit.key, visit.exchange)
        self._walking -= 1
        if self._idle is not None and not self._walking and not self._idle.done():
            self._idle.set_result(None)

    async def _go(self, visit: Visit) -> None:
        call = visit.call
        # Looked at again and again; all the others are only sent on.
        fields = Fields.of(call.headers)
        known = known_of(fields.names)
        noted = known.notable.of(fields)
        caller = self._authenticate(noted, call.source, was_forwarded=known.was_forwarded)
        visit.key = caller.key
        try:
            entry = self._limiter.enter(caller.key, call.endpoint)
            visit.entry = await entry if isinstance(entry, CoroutineType) else entry
            if own_usage.answers(call, caller):
                visit.exchange = self._admit(visit, noted, caller, None)
                await own_usage.serve(visit.exchange, self._limiter.budgets_of(caller.key), visit.sink)
                return
            upstreams = self._router.open_to(caller, call.endpoint)
            asked = await self._read(call, noted, caller)
        except NotAuthenticated:
            raise  # a stranger, of whom nothing is kept
        except GatewayError as error:
            visit.exchange = self._admit(visit, noted, caller, None)
            refuse(visit, error)
            return
        visit.exchange = exchange = self._admit(visit, noted, caller, asked)
        if caller.key is not None:
            self._running.add(caller.key, exchange)
        await self._walk(Walk(exchange, call, caller, asked, visit.sink), upstreams)

    def _authenticate(self, noted: Headers, source: str, *, was_forwarded: bool) -> Caller:
        return authenticate(
            noted,
            self._ring,
            now_us=self._books.clock.now_us(),
            key_required=self._settings.key_required or was_forwarded,
            wrong=self._wrong_keys,
            source=source,
        )

    async def _read(self, call: Call, noted: Headers, caller: Caller) -> Asked:
        body = await call.body()
        if call.endpoint not in _READ:
            return Asked(body, body, Peek(), readable=True)
        max_body = self._settings.max_body
        if call.wire != "messages":
            return decode_whole(body, noted, max_body=max_body)
        return decode(body, noted, max_body=max_body, strict=self._router.needs_reading(caller))

    def _admit(self, visit: Visit, noted: Headers, caller: Caller, asked: Asked | None) -> Exchange:
        instance_id = self._settings.instance_id
        return admit(self._books, visit.exchange_id, instance_id, visit.call, Labels(noted), caller, asked)

    async def _walk(self, walk: Walk, upstreams: Sequence[Upstream]) -> None:
        if walk.call.endpoint in OBJECT_ENDPOINTS and upstreams[0].pays == "gateway":
            await self._objects.serve(walk, upstreams)
            return
        targets: Sequence[Target]
        if walk.call.wire != "messages" and walk.call.endpoint in _READ:
            walk, targets = await self._translator.translated(walk, upstreams)
        else:
            targets = self._router.candidates(walk.caller, upstreams, walk.asked.peek.model)
        # Only where the gateway pays, and keys have files, can a body name what is somebody else's.
        looks = self._objects.has_files and targets[0].upstream.pays == "gateway"
        if looks and walk.caller.key and may_name_files(walk.asked.plain):
            targets = await self._objects.holding(walk.caller.key, walk.asked.plain, targets)
        if walk.call.endpoint == "models" and self._models.answers(walk.call, targets):
            await self._models.serve(walk, targets)
        else:
            await self._sender.send(walk, targets)

    def _refuse(self, visit: Visit, error: GatewayError) -> None:
        if visit.exchange is None:
            self._turned_away[error.code] = self._turned_away.get(error.code, 0) + 1
        refuse(visit, error)
