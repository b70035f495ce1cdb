"""The walk of a request, step by step.

authenticate -> read -> decode -> admit -> route -> reserve -> send -> relay + watch -> settle.
Each step is a file beside this one; the way back of an error is at the end.
"""

import asyncio
from collections.abc import Sequence

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
from clearway.gateway.decode import Asked, decode
from clearway.gateway.headers import known_of
from clearway.gateway.labels import Labels
from clearway.gateway.models import ModelList
from clearway.gateway.route import Router
from clearway.gateway.running import Running
from clearway.gateway.send import Sender
from clearway.gateway.visit import Visit, refuse, settle, was_stopped
from clearway.ledger.protocol import KeyRing
from clearway.limits.protocol import Limiter
from clearway.upstreams.health import Health
from clearway.upstreams.protocol import Upstream
from clearway.wire.body import Peek

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


class Gateway:
    """Walks requests. One for the process; all state of a request is in its `Exchange`."""

    def __init__(  # the one place where the parts meet
        self, settings: Settings, *, router: Router, ring: KeyRing, books: Books, limiter: Limiter, ids: IdMaker
    ) -> None:
        self._settings = settings
        self._router = router
        self._ring = ring
        self._books = books
        self._ids = ids
        self.turned_away: dict[str, int] = {}
        """Requests that were refused and are no exchanges, by the code of the error."""
        self.health = Health(books.clock, settings.retries.longest_cool_down_s)
        cooling = Cooling(self.health, books.clock)
        self._sender = Sender(limiter, settings.heartbeat_s, cooling, settings.retries)
        self._models = ModelList(router, books.clock)
        self._limiter = limiter
        self.running = Running(ring, limiter, books.clock)

    async def serve(self, call: Call, sink: Sink) -> None:
        """Answer one request, whatever happens. Raises CancelledError only."""
        visit = Visit(self._ids.new(), call, sink)
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
            visit.entry.leave()
            if visit.key is not None and visit.exchange is not None:
                self.running.remove(visit.key, visit.exchange)

    async def _go(self, visit: Visit) -> None:
        call = visit.call
        # Looked at again and again; all the others are only sent on.
        fields = Fields.of(call.headers)
        known = known_of(fields.names)
        noted = known.notable.of(fields)
        caller = self._authenticate(noted, was_forwarded=known.was_forwarded)
        visit.key = caller.key
        try:
            visit.entry = self._limiter.enter(caller.key, call.endpoint)
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
            self.running.add(caller.key, exchange)
        await self._walk(Walk(exchange, call, caller, asked, visit.sink), upstreams)

    def _authenticate(self, noted: Headers, *, was_forwarded: bool) -> Caller:
        required = self._settings.key_required or was_forwarded
        return authenticate(noted, self._ring, now_us=self._books.clock.now_us(), key_required=required)

    async def _read(self, call: Call, noted: Headers, caller: Caller) -> Asked:
        body = await call.body()
        if call.endpoint not in _READ:
            return Asked(body, body, Peek(), readable=True)
        strict = self._router.needs_reading(caller)
        return decode(body, noted, max_body=self._settings.max_body, strict=strict)

    def _admit(self, visit: Visit, noted: Headers, caller: Caller, asked: Asked | None) -> Exchange:
        instance_id = self._settings.instance_id
        return admit(self._books, visit.exchange_id, instance_id, visit.call, Labels(noted), caller, asked)

    async def _walk(self, walk: Walk, upstreams: Sequence[Upstream]) -> None:
        targets = self._router.candidates(walk.caller, upstreams, walk.asked.peek.model)
        if walk.call.endpoint == "models" and self._models.answers(walk.call, targets):
            await self._models.serve(walk, targets)
        else:
            await self._sender.send(walk, targets)

    def _refuse(self, visit: Visit, error: GatewayError) -> None:
        if visit.exchange is None:
            self.turned_away[error.code] = self.turned_away.get(error.code, 0) + 1
        refuse(visit, error)
