"""Exchanges for tests, told as the gateway tells them."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Measure, Outcome, Progress, Record, Settlement
from clearway.core.ids import IdMaker
from clearway.core.usage import Billing, Cost, Usage
from clearway.ledger.batch import BatchWriter
from clearway.ledger.fold import Fold
from clearway.ledger.instances import Instance
from clearway.ledger.protocol import Journal
from clearway.ledger.store import Store

START_US = 1_800_000_000_000_000
"""2027-01-15 08:00 UTC."""


class TestClock:
    """Stands still until it is moved."""

    __test__ = False

    def __init__(self, now_us: int = START_US) -> None:
        self.us = now_us

    def now_us(self) -> int:
        """Wall time."""
        return self.us

    def monotonic(self) -> float:
        """Moves with wall time."""
        return self.us / 1_000_000

    def forward(self, seconds: float) -> None:
        """Move on."""
        self.us += int(seconds * 1_000_000)


class Story:
    """One exchange of 2 s with one attempt; the parts are records, in order."""

    def __init__(
        self,
        exchange_id: str,
        *,
        instance_id: str = "me",
        admitted_us: int = START_US,
        outcome: Outcome = "ok",
        usage: Usage | None = None,
        nano: int | None = 1_000,
        billing: Billing = "billed",
        response_model: str | None = "claude-sonnet-5-5",
        **admission: str | bool | None,
    ) -> None:
        self.id = exchange_id
        usage = usage or Usage(input_tokens=10, output_tokens=20, cache_read_tokens=30)
        whole = Measure(
            status=200,
            response_model=response_model,
            stop_reason="end_turn",
            response_bytes=1234,
            first_byte_us=100_000,
            first_token_us=200_000,
            total_us=1_900_000,
            usage=usage,
            cost=Cost(nano=nano, price_version="2027-01-01", billing=billing),
        )
        half = msgspec.structs.replace(usage, output_tokens=usage.output_tokens // 2, estimated=True)
        half_cost = None if nano is None else nano // 2
        cost = Cost(nano=half_cost, price_version="2027-01-01", billing=billing)
        started_us = admitted_us + 1_000
        facts = {"request_model": "sonnet", "client_name": "claude-code", **admission}
        self.admission = msgspec.convert(
            {
                "id": exchange_id,
                "instance_id": instance_id,
                "admitted_us": admitted_us,
                "wire": "messages",
                "endpoint": "messages",
                "method": "POST",
                "path": "/v1/messages",
                "request_bytes": 100,
                "stream": True,
                **facts,
            },
            Admission,
        )
        self.start = AttemptStart(
            exchange_id=exchange_id, number=1, upstream="api", kind="anthropic", model="m", started_us=started_us
        )
        self.progress = Progress(
            exchange_id=exchange_id,
            number=1,
            measure=msgspec.structs.replace(whole, usage=half, cost=cost, stop_reason=None, total_us=900_000),
        )
        self.end = AttemptEnd(
            exchange_id=exchange_id, number=1, ended_us=started_us + 1_900_000, outcome=outcome, measure=whole
        )
        self.settlement = Settlement(
            exchange_id=exchange_id,
            ended_us=admitted_us + 2_000_000,
            outcome=outcome,
            upstream="api",
            kind="anthropic",
            attempts=1,
            measure=msgspec.structs.replace(whole, first_byte_us=101_000, first_token_us=201_000, total_us=2_000_000),
        )

    @property
    def records(self) -> tuple[Record, ...]:
        """All of it."""
        return (self.admission, self.start, self.progress, self.end, self.settlement)


_writers: dict[str, BatchWriter] = {}


def _writer_of(store: Store) -> BatchWriter:
    """Made once for each kind of database, as in a gateway: building its statements takes longer than running them."""
    dialect = store.database.dialect
    if dialect.name not in _writers:
        _writers[dialect.name] = BatchWriter(dialect)
    return _writers[dialect.name]


def keep(store: Store, *records: Record, fold: Fold | None = None, times: int = 1) -> None:
    """Write records as one batch.

    Args:
        store: Where.
        records: In order.
        fold: What was told before; none: of this process nothing.
        times: How often the batch is written, as where nobody knows whether it was.
    """
    fold = Fold() if fold is None else fold
    for record in records:
        match record:
            case Admission():
                fold.admit(record)
            case AttemptStart():
                fold.begin(record)
            case Progress():
                fold.progress(record)
            case AttemptEnd():
                fold.end(record)
            case Settlement():
                fold.settle(record)
    changes = fold.take()
    for _ in range(times):
        with store.database.driving() as cursor:
            _writer_of(store).apply(cursor, changes)


def keep_stories(store: Store, stories: Sequence[Story]) -> None:
    """Write whole exchanges as one batch."""
    keep(store, *(record for story in stories for record in story.records))


def tell(journal: Journal, story: Story) -> int:
    """A whole exchange, as the walk tells it."""
    place = journal.admit(story.admission)
    journal.begin(story.start)
    journal.progress(story.progress)
    journal.end(story.end)
    journal.settle(story.settlement)
    return place


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 a thread and a database cannot set an asyncio event
            await asyncio.sleep(0.01)


def instance(instance_id: str = "me") -> Instance:
    """A gateway."""
    return Instance(id=instance_id, version="0.1.0", pid=1)


def new_ids(count: int, now_us: int = START_US) -> list[str]:
    """Ids in the order of time."""
    maker = IdMaker(TestClock(now_us))
    return [maker.new() for _ in range(count)]
