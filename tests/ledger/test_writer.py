"""The journal: at once for the walk, durable when it says so."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest
from sqlalchemy import Engine, event, select

from clearway.core.errors import LedgerUnavailable, Overloaded
from clearway.keys.model import KeySpec
from clearway.keys.secret import digest
from clearway.ledger.instances import register
from clearway.ledger.keyring import KeyCache
from clearway.ledger.protocol import ExchangeQuery, Journal, NotInLedger
from clearway.ledger.schema import instances
from clearway.ledger.store import Store
from clearway.ledger.writer import Writer
from tests.ledger.stories import Story, TestClock, instance, keep, new_ids, tell, until


@contextmanager
def blocked(store: Store) -> Iterator[None]:
    """Nobody can write an exchange meanwhile; writers wait."""
    with store.database.writing() as connection:
        if store.database.file is None:
            connection.exec_driver_sql("LOCK TABLE exchanges IN SHARE MODE")
        yield


async def test_committed_means_readable(store: Store, clock: TestClock) -> None:
    """When `committed` is true, another connection reads the exchange."""
    async with Writer(store, instance(), clock=clock) as running:
        writer: Journal = running
        for one in new_ids(5):
            story = Story(one)
            place = writer.admit(story.admission)

            assert await writer.committed(place)
            assert store.exchange(one).exchange.outcome is None

            writer.begin(story.start)
            writer.end(story.end)
            writer.settle(story.settlement)
            assert await running.flush()
            assert store.exchange(one).exchange.outcome == "ok"


async def test_many_at_once_are_few_transactions(store: Store, clock: TestClock) -> None:
    """What is told together is committed together."""
    commits = 0

    def count(_: object) -> None:
        nonlocal commits
        commits += 1

    async with Writer(store, instance(), clock=clock) as writer:
        event.listen(Engine, "commit", count)
        try:
            places = [tell(writer, Story(one)) for one in new_ids(500)]
            done = await asyncio.gather(*(writer.committed(place) for place in places))
        finally:
            event.remove(Engine, "commit", count)

    assert all(done)
    assert len(store.exchanges(ExchangeQuery(limit=1000))) == 500
    # The first record wakes the thread, which may take a few batches while the others come.
    assert commits <= 20


async def test_close_writes_what_is_left(store: Store, clock: TestClock) -> None:
    """Nothing that was told before closing is missing after it."""
    ids = new_ids(50)
    writer = Writer(store, instance(), clock=clock)
    writer.start(asyncio.get_running_loop())
    for one in ids:
        tell(writer, Story(one))

    assert await writer.close()
    assert await writer.close()

    assert ids[::-1] == [row.id for row in store.exchanges(ExchangeQuery(limit=100))]
    assert not writer.healthy
    with pytest.raises(LedgerUnavailable, match="closed"):
        writer.admit(Story("late").admission)


async def test_nothing_before_start(store: Store, clock: TestClock) -> None:
    """Making a writer does nothing, and it takes nothing before it is started."""
    writer = Writer(store, instance(), clock=clock)

    assert not writer.healthy
    with pytest.raises(LedgerUnavailable):
        writer.admit(Story("early").admission)
    with store.database.reading() as connection:
        assert connection.execute(select(instances)).all() == []


async def test_leaving_waiter_is_forgotten(store: Store, clock: TestClock) -> None:
    """A client that goes away while it waits for the ledger disturbs nobody."""
    async with Writer(store, instance(), clock=clock) as writer, asyncio.TaskGroup() as tasks:
        one, two = new_ids(2)
        with blocked(store):
            first = tasks.create_task(writer.committed(writer.admit(Story(one).admission)))
            second = tasks.create_task(writer.committed(writer.admit(Story(two).admission)))
            await asyncio.sleep(0)
            first.cancel()

        assert await second
    assert first.cancelled()


async def test_full_queue_refuses_new_exchanges_only(store: Store, clock: TestClock) -> None:
    """Over the bound an admission is refused; what was admitted is told to its end and kept."""
    ids = new_ids(5)
    stories = [Story(one) for one in ids]
    async with Writer(store, instance(), clock=clock, capacity=3) as writer:
        with blocked(store):
            for story in stories[:3]:
                writer.admit(story.admission)
            with pytest.raises(Overloaded, match="wait to be recorded"):
                writer.admit(stories[3].admission)
            for story in stories[:3]:
                writer.begin(story.start)
                for _ in range(100):
                    writer.progress(story.progress)
                writer.end(story.end)
                writer.settle(story.settlement)

            assert 3 <= writer.waiting <= 6

        assert await writer.flush()
        assert writer.waiting == 0
        tell(writer, stories[4])

    kept = {row.id: row.outcome for row in store.exchanges(ExchangeQuery())}
    assert kept == {ids[0]: "ok", ids[1]: "ok", ids[2]: "ok", ids[4]: "ok"}


async def test_one_refused_exchange_does_not_keep_out_the_others(store: Store, clock: TestClock) -> None:
    """What no database would take is logged and counted, and the rest of its batch is kept."""
    good, bad, also_good = new_ids(3)
    async with Writer(store, instance(), clock=clock) as writer:
        tell(writer, Story(good))
        writer.admit(msgspec.structs.replace(Story(bad).admission, wire=None))
        tell(writer, Story(also_good))

        assert await writer.flush()
        assert (writer.refused, writer.healthy) == (1, True)

    assert store.exchange(good).exchange.outcome == store.exchange(also_good).exchange.outcome == "ok"
    with pytest.raises(NotInLedger):
        store.exchange(bad)


async def test_lease_is_renewed_and_given_back(store: Store, clock: TestClock) -> None:
    """A running gateway says so every 10 s, and at its end that it is gone."""

    def lease() -> tuple[int, int]:
        with store.database.reading() as connection:
            row = connection.execute(select(instances.c.seen_us, instances.c.expires_us)).one()
        return row.seen_us, row.expires_us

    async with Writer(store, instance(), clock=clock):
        assert lease() == (clock.us, clock.us + 30_000_000)
        clock.forward(11)
        await until(lambda: lease() == (clock.us, clock.us + 30_000_000))
        clock.forward(1)

    assert lease() == (clock.us, clock.us)


async def test_keys_of_other_processes_come_in(open_store: Callable[[], Store], clock: TestClock) -> None:
    """The writer keeps the ring fresh while other processes change keys."""
    here, there = open_store(), open_store()
    cache = KeyCache(here)
    cache.start()
    async with Writer(here, instance(), clock=clock, keys=cache):
        made = there.create_key(KeySpec(name="a"))
        clock.forward(2)
        await until(lambda: cache.find(digest(made.secret)) is not None)


async def test_start_sweeps_dead_instances(store: Store, clock: TestClock) -> None:
    """What a dead gateway left open is ended when the next one starts."""
    dead, mine = new_ids(2)
    story = Story(dead, instance_id="dead")
    keep(store, story.admission, story.start, story.progress)

    async with Writer(store, instance(), clock=clock) as writer:
        assert writer.swept == 1
        writer.admit(Story(mine).admission)
        await writer.flush()

    assert store.exchange(dead).exchange.outcome == "interrupted"
    assert store.exchange(mine).exchange.outcome is None


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
async def test_shared_database_is_swept_while_running(store: Store, clock: TestClock) -> None:
    """With several gateways, one that falls silent is noticed by the others."""
    (one,) = new_ids(1)
    with store.database.writing() as connection:
        register(connection, instance("neighbour"), clock.us)
    keep(store, Story(one, instance_id="neighbour").admission)
    async with Writer(store, instance(), clock=clock) as writer:
        assert writer.swept == 0

        clock.forward(31)
        await until(lambda: writer.swept == 1)

    assert store.exchange(one).exchange.outcome == "interrupted"


async def test_a_duty_that_fails_does_not_end_the_writing(store: Store, clock: TestClock) -> None:
    """Whatever goes wrong with what the thread does besides: exchanges are written all the same."""

    class Unreadable(KeyCache):
        tried = False

        def refresh(self) -> None:
            self.tried = True
            raise ValueError("a row that cannot be read")

    keys = Unreadable(store)
    first, second = new_ids(2)
    async with Writer(store, instance(), clock=clock, keys=keys) as writer:
        clock.us += 60_000_000
        tell(writer, Story(first))
        await until(lambda: keys.tried)

        assert await writer.committed(tell(writer, Story(second)))
        assert writer.healthy
