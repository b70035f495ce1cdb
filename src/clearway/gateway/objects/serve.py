"""The routes of files and batches with the gateway's own credential.

Each request is for an object that the key owns, at the upstream that holds it, and
for no other: what is somebody else's is answered as what never was. An object is
owned before its client knows its id.
"""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from clearway.core.errors import (
    LedgerUnavailable,
    NotAllowed,
    NotFound,
    NoUpstream,
    UpstreamProtocolError,
    UpstreamUnreachable,
)
from clearway.gateway.admit import Walk
from clearway.gateway.bookkeeping import Books
from clearway.gateway.headers import first, known_of, returned
from clearway.gateway.objects.ask import Question, asked, carried_on, pass_on, read_whole, tell
from clearway.gateway.objects.charge import Charger
from clearway.gateway.objects.holds import Draft, Holds
from clearway.gateway.objects.listing import Lister
from clearway.gateway.objects.making import Planner
from clearway.gateway.objects.named import held_by, holder_of_named
from clearway.gateway.relay import Relay
from clearway.gateway.route import Router, Target
from clearway.keys import policy
from clearway.keys.model import Key
from clearway.ledger.ownership import Owned, Ownership
from clearway.ledger.protocol import LedgerError
from clearway.limits.protocol import Limiter
from clearway.upstreams.protocol import Upstream
from clearway.wire.messages.objects import PATHS, Asked, Kind, asked_of, is_id, made_id, with_results_url

log = structlog.get_logger()

_OK, _REDIRECTION, _REFUSED, _NOT_FOUND, _TOO_MANY, _SERVER_ERROR = 200, 300, 400, 404, 429, 500
_MAKING_S = 120.0
"""How long an upstream may take to answer what made something, after its client has left."""
_READING_S = 600.0
"""How long results are read to their end, for what they tell, after their client has left."""
_NO_STREAM_S = 3600.0


class Objects:
    """Serves files and batches.

    Args:
        router: Knows aliases, and what a key may use.
        owners: The table of owners.
        limiter: Knows the budgets.
        holds: What is reserved for batches; shared by all walks of the process.
        books: Where all is noted.
        instance_id: This process.
        max_body: The most bytes that a compressed body may become.
        has_files: Some upstream holds files of keys; bodies are looked at for their ids then.
        is_direct: Nothing stands between clients and this process, and they speak HTTP to it.
    """

    def __init__(  # noqa: PLR0913  # where the parts meet
        self,
        *,
        router: Router,
        owners: Ownership,
        limiter: Limiter,
        holds: Holds,
        books: Books,
        instance_id: str,
        max_body: int,
        is_direct: bool,
        has_files: bool = True,
    ) -> None:
        self.has_files = has_files
        """Keys have files somewhere: what bodies name is looked at."""
        self._owners = owners
        self.holds = holds
        self._charger = Charger(books, owners, self.holds, instance_id)
        self._planner = Planner(router, owners, limiter, books, max_body)
        self._is_direct = is_direct
        self._lister = Lister(owners, self._shown)

    async def holding(self, key: Key, body: bytes | bytearray, targets: Sequence[Target]) -> Sequence[Target]:
        """Those of `targets` that hold the files which a body names; all of them where it names none.

        Raises:
            NotFound: A file is not this key's.
            BadRequest: The files are held by several upstreams.
            LedgerUnavailable: It cannot be found out.
        """
        return held_by(targets, await holder_of_named(self._owners, key, body))

    async def serve(self, walk: Walk, upstreams: Sequence[Upstream]) -> None:
        """Answer one request.

        Args:
            walk: Of a key, with no credential of its client's own.
            upstreams: Those that hold such objects, as the router gave them.

        Raises:
            GatewayError: As each part says.
        """
        key = walk.caller.key
        asked_for = asked_of(walk.call.method, walk.call.path)
        if key is None or asked_for is None:
            raise NotFound("this path is not served here")
        allowed = {upstream.name: upstream for upstream in upstreams if policy.allows_upstream(key, upstream.name)}
        if not allowed:
            raise NotAllowed("this key may not use the upstreams that hold files and batches")
        try:
            await self._serve(walk, key, asked_for, allowed)
        except LedgerError as error:
            raise LedgerUnavailable("whose this is cannot be found out or kept", retry_after_s=5) from error

    async def _serve(self, walk: Walk, key: Key, asked_for: Asked, upstreams: Mapping[str, Upstream]) -> None:
        kind = asked_for.kind
        match asked_for.verb:
            case "create" if kind == "file":
                await self._upload(walk, key, next(iter(upstreams.values())))
            case "create":
                await self._batch(walk, key, list(upstreams.values()))
            case "list":
                await self._lister.serve(walk, key, kind, upstreams)
            case _:
                owned = await self._find(key, asked_for)
                upstream = upstreams.get(owned.upstream)
                if upstream is None:
                    hint = "the owner of the gateway has taken it away, or this key may not use it"
                    raise NoUpstream(f"the upstream {owned.upstream} that holds this {kind} is not here", hint=hint)
                await self._use(walk, key, asked_for, owned, upstream)

    async def _find(self, key: Key, asked_for: Asked) -> Owned:
        """The object, if it is this key's. All that is not is the same: unknown."""
        kind, named = asked_for.kind, asked_for.id or ""
        owned = await asyncio.to_thread(self._owners.find, kind, named[:200] if is_id(kind, named) else "-", key.id)
        if owned is None:
            raise NotFound(f"there is no such {kind} here", hint=f"GET {PATHS[kind]} lists what this key owns")
        return owned

    async def _use(self, walk: Walk, key: Key, asked_for: Asked, owned: Owned, upstream: Upstream) -> None:
        match asked_for.verb:
            case "content":
                await self._content(walk, upstream)
            case "results":
                await carried_on(self._results(walk, key, owned, upstream), walk.sink, _READING_S)
            case "delete":
                if owned.kind == "batch" and owned.charged_us is None:
                    await self._meter(walk, key, owned, upstream)
                await carried_on(self._delete(walk, owned, upstream), walk.sink, _MAKING_S)
            case _:
                await self._show(walk, owned, upstream)

    # What makes something.

    async def _upload(self, walk: Walk, key: Key, upstream: Upstream) -> None:
        question = Question("POST", walk.call.target, walk.asked.body)
        await carried_on(self._make(walk, key, upstream, question, None), walk.sink, _MAKING_S)

    async def _batch(self, walk: Walk, key: Key, upstreams: Sequence[Upstream]) -> None:
        plan = await self._planner.plan(walk, key, upstreams)
        hold = await self.holds.reserve(key, plan.shares, walk.exchange.admission.admitted_us)
        draft = Draft(hold, plan.shares)
        question = Question("POST", walk.call.target, plan.body, is_decoded=True)
        try:
            await carried_on(self._make(walk, key, plan.upstream, question, draft), walk.sink, _MAKING_S)
        finally:
            draft.end()

    async def _make(self, walk: Walk, key: Key, upstream: Upstream, question: Question, draft: Draft | None) -> None:
        kind: Kind = "file" if draft is None else "batch"
        try:
            async with asked(walk, upstream, question) as (attempt, reply):
                body = await read_whole(attempt, reply)
                status, headers = reply.status, reply.headers
        except UpstreamUnreachable:
            if draft is not None:
                draft.is_refused = True
            raise
        if status >= _REFUSED:
            if draft is not None:
                draft.is_refused = True
        elif status < _REDIRECTION:
            owned = self._owned(walk, key, upstream, kind, body, draft)
            if not await asyncio.to_thread(self._owners.own, owned):
                raise UpstreamProtocolError(f"the upstream {upstream.name} gave out an id twice")
            if draft is not None:
                draft.keep(self.holds, owned)
            body = self._shown(walk, owned, body)
        await tell(walk, status, headers, body)

    @staticmethod
    def _owned(  # all that is known of it
        walk: Walk, key: Key, upstream: Upstream, kind: Kind, body: bytes, draft: Draft | None
    ) -> Owned:
        made = made_id(kind, body)
        if made is None:
            # It may be there, and is nobody's.
            log.warning("made_without_id", upstream=upstream.name, exchange_id=walk.exchange.id)
            raise UpstreamProtocolError(f"the upstream {upstream.name} did not say what it has made")
        return Owned(
            kind=kind,
            id=made,
            upstream=upstream.name,
            key_id=key.id,
            exchange_id=walk.exchange.id,
            created_us=walk.exchange.admission.admitted_us,
            held=() if draft is None else draft.shares,
        )

    # What uses something.

    async def _show(self, walk: Walk, owned: Owned, upstream: Upstream) -> None:
        question = Question(walk.call.method, walk.call.target, walk.asked.body)
        async with asked(walk, upstream, question) as (attempt, reply):
            body = await read_whole(attempt, reply)
            await tell(walk, reply.status, reply.headers, self._shown(walk, owned, body))

    async def _content(self, walk: Walk, upstream: Upstream) -> None:
        question = Question("GET", walk.call.target)
        async with asked(walk, upstream, question) as (attempt, reply):
            await Relay(walk.exchange, attempt, walk.sink, heartbeat_s=_NO_STREAM_S).run(reply)

    async def _delete(self, walk: Walk, owned: Owned, upstream: Upstream) -> None:
        question = Question("DELETE", walk.call.target, walk.asked.body)
        async with asked(walk, upstream, question) as (attempt, reply):
            body = await read_whole(attempt, reply)
            if reply.status < _REDIRECTION or reply.status == _NOT_FOUND:
                await asyncio.to_thread(self._owners.forget, owned)
            await tell(walk, reply.status, reply.headers, body)

    async def _results(self, walk: Walk, key: Key, owned: Owned, upstream: Upstream) -> None:
        question = Question("GET", walk.call.target, is_whole=True)
        async with asked(walk, upstream, question) as (attempt, reply):
            if _OK < reply.status < _REDIRECTION:
                raise UpstreamProtocolError(f"the upstream {upstream.name} gave a part of the results")
            if reply.status != _OK:
                await tell(walk, reply.status, reply.headers, await read_whole(attempt, reply))
                return
            meter = self._charger.meter(owned)
            walk.sink.start(_OK, returned(reply.headers, walk.exchange.id.encode(), everything=False))
            last = await pass_on(walk, attempt, reply, meter)
            # What a client received whole is in the ledger after any kill.
            await self._charger.charge(owned, key, meter)
            walk.exchange.settle("ok")
            await walk.exchange.committed()
            walk.sink.finish(last)

    async def _meter(self, walk: Walk, key: Key, owned: Owned, upstream: Upstream) -> None:
        """Read the results of a batch that is to be deleted, for afterwards nobody can tell what it used."""
        question = Question("GET", f"{PATHS['batch']}/{owned.id}/results".encode(), is_whole=True)
        async with asked(walk, upstream, question) as (attempt, reply):
            if reply.status == _TOO_MANY or reply.status >= _SERVER_ERROR or _OK < reply.status < _REFUSED:
                raise UpstreamProtocolError(f"the results cannot be read first: {upstream.name} says {reply.status}")
            if reply.status != _OK:
                # It has not ended, and its upstream will say so.
                attempt.end("ok")
                return
            meter = self._charger.meter(owned)
            await pass_on(walk, attempt, reply, meter, is_for_client=False)
            attempt.end("ok")
            await self._charger.charge(owned, key, meter)

    def _shown(self, walk: Walk, owned: Owned, body: bytes) -> bytes:
        """What a client sees of an object: the way to its results leads back here."""
        return with_results_url(body, self._results_url(walk, owned)) if owned.kind == "batch" else body

    def _results_url(self, walk: Walk, owned: Owned) -> str:
        """Absolute where it is certain how the client got here. Behind a proxy it may have been by TLS and
        under another path: a reference then, which clients resolve against their own base URL; a guess could
        send a key in the clear.
        """
        call = walk.call
        path = f"{PATHS['batch']}/{owned.id}/results"
        host = first(call.headers, b"host")
        if not self._is_direct or host is None or known_of(tuple(name for name, _ in call.headers)).was_forwarded:
            return path
        return f"http://{host}{f'/run/{call.run_id}' if call.run_id else ''}{path}"
