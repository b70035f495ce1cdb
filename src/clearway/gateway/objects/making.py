"""What must hold before a batch is made: models, files, prices, and room in the budgets.

Reads the body off the loop where it is large, and never sends what another reader
could take for something else (`wire/messages/batch.py`).
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from clearway.core.errors import BadRequest, NotAllowed
from clearway.core.usage import Usage
from clearway.gateway.admit import Walk
from clearway.gateway.bookkeeping import Books
from clearway.gateway.headers import first
from clearway.gateway.objects.named import LARGE, holder_of_named
from clearway.gateway.route import Router, Target
from clearway.keys.model import Key
from clearway.ledger.ownership import Ownership, Share
from clearway.limits.protocol import Limiter
from clearway.upstreams.protocol import Upstream
from clearway.wire.encoding import decode_body
from clearway.wire.messages.batch import Entry, read_batch
from clearway.wire.messages.file_ids import may_name_files

_OUTPUT_TOKENS = 4096
"""Of a request without `max_tokens`, which the upstream refuses anyway."""
_BYTES_PER_TOKEN_LOW = 2.5


class Plan(msgspec.Struct, frozen=True):
    """A batch that may be made."""

    upstream: Upstream
    body: bytes
    shares: tuple[Share, ...]

    def __repr__(self) -> str:
        return f"Plan({len(self.body)} bytes)"


class _Asked(msgspec.Struct, frozen=True):
    """A body that was read."""

    body: bytes
    shares: Mapping[str, Share]
    """By model."""
    may_name_files: bool

    def __repr__(self) -> str:
        return f"_Asked({len(self.body)} bytes)"


class Planner:
    """Judges bodies that make batches.

    Args:
        router: Knows aliases, and what a key may use.
        owners: The table of owners, for the files that are named.
        limiter: Knows the budgets.
        books: Know prices.
        max_body: The most bytes that a compressed body may become.
    """

    def __init__(self, router: Router, owners: Ownership, limiter: Limiter, books: Books, max_body: int) -> None:
        self._router = router
        self._owners = owners
        self._limiter = limiter
        self._books = books
        self._max_body = max_body

    async def plan(self, walk: Walk, key: Key, upstreams: Sequence[Upstream]) -> Plan:
        """Where the batch goes, and as what.

        Raises:
            BadRequest: The body is no batch.
            NotAllowed: The key may not use a model, or a budget in USD cannot be kept for want of a price.
            NotFound: It names a file that is not the key's, or a model that no upstream serves.
        """
        body = walk.asked.body
        codings = first(walk.call.headers, b"content-encoding")
        if codings or len(body) > LARGE:
            asked = await asyncio.to_thread(self._read, body, codings)
        else:
            asked = self._read(body, codings)
        holder = await holder_of_named(self._owners, key, asked.body) if asked.may_name_files else None
        upstream = self._upstream(walk, upstreams, asked.shares, holder)
        self._refuse_unpriced(walk, key, asked.shares)
        return Plan(upstream, asked.body, tuple(asked.shares.values()))

    def _read(self, body: bytes | bytearray, codings: str | None) -> "_Asked":
        plain = decode_body(body, codings, self._max_body) if codings else body
        batch = read_batch(plain, lambda model: self._router.aliases.get(model, model))
        if not batch.entries:
            raise BadRequest("requests is empty", hint="a batch has one request at least")
        return _Asked(batch.body, _by_model(batch.entries), may_name_files(batch.body))

    def _upstream(
        self, walk: Walk, upstreams: Sequence[Upstream], models: Iterable[str], holder: str | None
    ) -> Upstream:
        """The first that serves all models; the one that holds the files, where some are named."""
        left = [upstream for upstream in upstreams if holder is None or upstream.name == holder]
        if not left:
            hint = "files can be used where they were uploaded only"
            raise BadRequest(f"the upstream {holder} holds these files, and makes no batches here", hint=hint)
        for model in models:
            targets: Sequence[Target] = self._router.candidates(walk.caller, left, model)
            left = [target.upstream for target in targets]
        return left[0]

    def _refuse_unpriced(self, walk: Walk, key: Key, models: Iterable[str]) -> None:
        """What has no price in batches cannot be counted against a budget in USD."""
        budgets = [state.budget for state in self._limiter.budgets() if state.key_id in (None, key.id)]
        if all(budget.unit != "usd" for budget in (*budgets, *key.budgets)):
            return
        probe = Usage(input_tokens=1, output_tokens=1, service_tier="batch")
        at_us = walk.exchange.admission.admitted_us
        for model in models:
            if self._books.price(probe, model, at_us=at_us, billing="billed").nano is None:
                hint = "a budget in USD cannot be kept then; the owner can add its price: usage.prices"
                raise NotAllowed(f"the price of {model[:80]!r} in batches is not known", hint=hint)


def _by_model(entries: Iterable[Entry]) -> Mapping[str, Share]:
    """What the requests for each model may use, estimated high."""
    sums: dict[str, list[int]] = {}
    for entry in entries:
        known = sums.setdefault(entry.peek.model or "", [0, 0])
        known[0] += int(entry.size / _BYTES_PER_TOKEN_LOW) + 1
        known[1] += _OUTPUT_TOKENS if entry.peek.max_tokens is None else entry.peek.max_tokens
    return {model: Share(model, tokens, output) for model, (tokens, output) in sums.items()}
