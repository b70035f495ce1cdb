"""The walk of a request, step by step.

authenticate -> read -> decode -> admit -> route -> reserve -> send -> relay + watch -> settle.
Each step is a file beside this one; the way back of an error is at the end.
"""

import asyncio
from collections.abc import Sequence

import msgspec
import structlog

from clearway.config.model import Retries
from clearway.core.errors import GatewayError, LimitExceeded, NotAuthenticated
from clearway.core.exchange import Outcome
from clearway.core.fields import Fields, Headers
from clearway.core.ids import IdMaker
from clearway.gateway.admit import Walk, admit
from clearway.gateway.authenticate import Caller, authenticate
from clearway.gateway.bookkeeping import Books, Exchange
from clearway.gateway.call import Call, Sink
from clearway.gateway.cooling import Cooling
from clearway.gateway.decode import Asked, decode
from clearway.gateway.headers import EXCHANGE_HEADER, known_of
from clearway.gateway.labels import Labels
from clearway.gateway.models import ModelList
from clearway.gateway.objects.serve import Objects
from clearway.gateway.relay import outcome_of
from clearway.gateway.route import OBJECT_ENDPOINTS, Router, Target
from clearway.gateway.send import Sender
from clearway.ledger.protocol import KeyRing
from clearway.limits.protocol import Limiter
from clearway.upstreams.health import Health
from clearway.upstreams.protocol import Upstream
from clearway.wire.body import Peek
from clearway.wire.messages.errors import render
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


class Gateway:
    """Walks requests. One for the process; all state of a request is in its `Exchange`."""

    def __init__(  # noqa: PLR0913  # the one place where the parts meet
        self,
        settings: Settings,
        *,
        router: Router,
        ring: KeyRing,
        books: Books,
        limiter: Limiter,
        ids: IdMaker,
        objects: Objects,
    ) -> None:
        self._settings = settings
        self._router = router
        self._ring = ring
        self._books = books
        self._ids = ids
        self.health = Health(books.clock, settings.retries.longest_cool_down_s)
        cooling = Cooling(self.health, books.clock)
        self._sender = Sender(limiter, settings.heartbeat_s, cooling, settings.retries)
        self._models = ModelList(router, limiter, books.clock)
        self._objects = objects

    async def serve(self, call: Call, sink: Sink) -> None:
        """Answer one request, whatever happens. Raises CancelledError only."""
        exchange_id = self._ids.new()
        exchange: Exchange | None = None
        try:
            # Looked at again and again; all the others are only sent on.
            fields = Fields.of(call.headers)
            known = known_of(fields.names)
            noted = known.notable.of(fields)
            caller = self._authenticate(noted, was_forwarded=known.was_forwarded)
            try:
                upstreams = self._router.open_to(caller, call.endpoint)
                asked = await self._read(call, noted, caller)
            except NotAuthenticated:
                raise  # a stranger, of whom nothing is kept
            except GatewayError as error:
                exchange = self._admit(exchange_id, call, noted, caller, None)
                self._refuse(exchange, error, exchange_id, sink)
                return
            exchange = self._admit(exchange_id, call, noted, caller, asked)
            await self._walk(Walk(exchange, call, caller, asked, sink), upstreams)
        except GatewayError as error:
            self._refuse(exchange, error, exchange_id, sink)
        except asyncio.CancelledError:
            _settle(exchange, "client_closed" if sink.gone else "interrupted")
            raise
        except Exception:  # the boundary: one exchange fails, the process goes on
            log.exception("exchange_failed", exchange_id=exchange_id)
            hint = f"the gateway's log has more under {exchange_id}"
            self._refuse(exchange, GatewayError("something went wrong here", hint=hint), exchange_id, sink)

    def _authenticate(self, noted: Headers, *, was_forwarded: bool) -> Caller:
        required = self._settings.key_required or was_forwarded
        return authenticate(noted, self._ring, now_us=self._books.clock.now_us(), key_required=required)

    async def _read(self, call: Call, noted: Headers, caller: Caller) -> Asked:
        body = await call.body()
        if call.endpoint not in _READ:
            return Asked(body, body, Peek(), readable=True)
        strict = self._router.needs_reading(caller)
        return decode(body, noted, max_body=self._settings.max_body, strict=strict)

    def _admit(self, exchange_id: str, call: Call, noted: Headers, caller: Caller, asked: Asked | None) -> Exchange:
        return admit(self._books, exchange_id, self._settings.instance_id, call, Labels(noted), caller, asked)

    async def _walk(self, walk: Walk, upstreams: Sequence[Upstream]) -> None:
        if walk.call.endpoint in OBJECT_ENDPOINTS and upstreams[0].pays == "gateway":
            await self._objects.serve(walk, upstreams)
            return
        targets: Sequence[Target] = self._router.candidates(walk.caller, upstreams, walk.asked.peek.model)
        # Only where the gateway pays can a body name what is somebody else's.
        if targets[0].upstream.pays == "gateway" and walk.caller.key and may_name_files(walk.asked.plain):
            targets = await self._objects.holding(walk.caller.key, walk.asked.plain, targets)
        if walk.call.endpoint == "models" and self._models.answers(walk.call, targets):
            await self._models.serve(walk, targets)
        else:
            await self._sender.send(walk, targets)

    @staticmethod
    def _refuse(exchange: Exchange | None, error: GatewayError, exchange_id: str, sink: Sink) -> None:
        if exchange is not None:
            exchange.settle(outcome_of(error), error, status=None if sink.started else error.status)
        if isinstance(error, NotAuthenticated):
            log.info("not_authenticated", reason=error.code, exchange_id=exchange_id)
        if not sink.started:
            status, headers, body = render(error, exchange_id)
            sink.start(status, [*headers, (EXCHANGE_HEADER, exchange_id.encode())])
            sink.finish(body)
        elif isinstance(error, LimitExceeded):
            sink.finish(b"event: error\ndata: " + render(error, exchange_id)[2] + b"\n\n")
        else:
            # Claude Code retries a cut stream cleanly; after an error event it asks
            # again without streaming and pays twice (measured with 2.1.329).
            sink.cut()


def _settle(exchange: Exchange | None, outcome: Outcome) -> None:
    if exchange is not None:
        exchange.settle(outcome)
