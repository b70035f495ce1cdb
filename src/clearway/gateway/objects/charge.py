"""What a batch used, booked once: when its results have passed whole.

For each model that answered, one exchange is written, at the time of the batch's
own admission, with what its requests used and cost. Its id follows from the batch
and the model, and what is settled stays settled: a second reader, a kill between
two steps or another gateway on the same ledger cannot book it twice.
"""

import asyncio
import hashlib
from collections.abc import Mapping

import structlog

from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Finished, Measure, Settlement
from clearway.core.usage import Cost, Usage
from clearway.gateway import labels
from clearway.gateway.bookkeeping import Books
from clearway.gateway.objects.holds import Holds
from clearway.keys.model import Key
from clearway.ledger.ownership import Owned, Ownership
from clearway.wire.messages.batch import ResultsMeter, Sum, added

log = structlog.get_logger()

_KIND = "anthropic"
_OK = 200


class Charger:
    """Books what batches used.

    Args:
        books: Where it is noted.
        owners: Remembers that it was.
        holds: Has the reservations.
        instance_id: This process.
    """

    def __init__(self, books: Books, owners: Ownership, holds: Holds, instance_id: str) -> None:
        self._books = books
        self._owners = owners
        self._holds = holds
        self._instance_id = instance_id
        self._busy: set[tuple[str, str]] = set()

    def meter(self, owned: Owned) -> ResultsMeter:
        """For one reading of the results of a batch, at the prices of its admission."""
        at_us = owned.created_us

        def price(usage: Usage, model: str | None) -> Cost:
            return self._books.price(usage, model, at_us=at_us, billing="billed")

        return ResultsMeter(price)

    async def charge(self, owned: Owned, key: Key, meter: ResultsMeter) -> None:
        """Book what `meter` has summed up over whole results; durable when this returns.

        Raises:
            LedgerUnavailable: It cannot be kept.
            LedgerError: Likewise.
        """
        place = (owned.upstream, owned.id)
        if owned.charged_us is not None or place in self._busy:
            return
        if not meter.is_sure:
            # The hold stays: too much is better than too little.
            log.warning("batch_not_metered", batch=owned.id, upstream=owned.upstream)
            return
        self._busy.add(place)
        try:
            now = await asyncio.to_thread(self._owners.find, "batch", owned.id, owned.key_id)
            if now is None or now.charged_us is not None:
                return
            if not await self._note(owned, key, meter.sums):
                log.warning("batch_charge_not_durable", batch=owned.id)
                return
            await asyncio.to_thread(self._owners.charged, owned, self._books.clock.now_us())
            self._holds.settle(owned, *_total(meter.sums))
        finally:
            self._busy.discard(place)

    async def _note(self, owned: Owned, key: Key, sums: Mapping[str | None, Sum]) -> bool:
        """Write the exchanges; False: they are not durable yet."""
        journal = self._books.journal
        placed: list[int] = []
        for model, used in sums.items():
            admission = self._admission(owned, key, model)
            measure = _measure(owned, model, used)
            ended_us = self._books.clock.now_us()
            # All that is told in one go is durable at once: it is one change of one batch of the writer.
            placed.append(journal.admit(admission))
            self._books.feed.admitted(admission)
            start = AttemptStart(
                exchange_id=admission.id,
                number=1,
                upstream=owned.upstream,
                kind=_KIND,
                model=admission.request_model,
                started_us=admission.admitted_us,
            )
            journal.begin(start)
            journal.end(
                AttemptEnd(exchange_id=admission.id, number=1, ended_us=ended_us, outcome="ok", measure=measure)
            )
            settlement = Settlement(
                exchange_id=admission.id,
                ended_us=ended_us,
                outcome="ok",
                upstream=owned.upstream,
                kind=_KIND,
                attempts=1,
                measure=measure,
            )
            journal.settle(settlement)
            self._books.feed.settled(Finished(admission, (), settlement))
        return all([await journal.committed(place) for place in placed])

    def _admission(self, owned: Owned, key: Key, model: str | None) -> Admission:
        return Admission(
            id=charge_id(owned, model),
            instance_id=self._instance_id,
            admitted_us=owned.created_us,
            wire="messages",
            endpoint="batches",
            method="GET",
            path=f"/v1/messages/batches/{owned.id}/results",
            key_id=owned.key_id,
            key_name=key.name,
            request_model=labels.model(model),
            stream=False,
        )


def charge_id(owned: Owned, model: str | None) -> str:
    """The id of the exchange that has what a model used for a batch: the same each time.

    As any other it is a UUIDv7, at the time at which the batch was made.
    """
    digest = hashlib.sha256(f"{owned.upstream}\0{owned.id}\0{model or ''}".encode()).hexdigest()
    variant = "89ab"[int(digest[3], 16) & 3]
    return f"{owned.exchange_id[:14]}7{digest[:3]}-{variant}{digest[4:7]}-{digest[7:19]}"


def _measure(owned: Owned, model: str | None, used: Sum) -> Measure:
    return Measure(
        status=_OK,
        response_model=labels.model(model),
        response_id=labels.identifier(owned.id),
        usage=labels.counted(used.usage),
        cost=Cost(nano=used.nano, price_version=used.price_version, billing="billed"),
    )


def _total(sums: Mapping[str | None, Sum]) -> tuple[Usage | None, Cost | None]:
    """What all models used together; None: nothing."""
    usage: Usage | None = None
    nano: int | None = 0
    version = ""
    for used in sums.values():
        usage = used.usage if usage is None else added(usage, used.usage)
        nano = None if nano is None or used.nano is None else nano + used.nano
        version = used.price_version
    return usage, None if usage is None else Cost(nano=nano, price_version=version, billing="billed")
