"""The sweep: what dead gateways left open ends, and is charged."""

import sqlite3

import msgspec
import pytest
from sqlalchemy import select

from clearway.core.exchange import Measure, Record
from clearway.core.usage import Usage
from clearway.ledger import instances
from clearway.ledger.fold import Fold
from clearway.ledger.protocol import AttemptRow, ExchangeRow
from clearway.ledger.schema import exchanges
from clearway.ledger.store import Store
from tests.ledger.stories import START_US, Story, instance, keep, keep_stories, new_ids

LATER_US = START_US + 60_000_000


def sweep(store: Store, *, alone: bool, now_us: int = LATER_US) -> int:
    """As instance `me`."""
    with store.database.writing() as connection:
        return instances.sweep(connection, me="me", now_us=now_us, alone=alone)


def register(store: Store, name: str, now_us: int = START_US) -> None:
    """A gateway whose lease begins."""
    with store.database.writing() as connection:
        instances.register(connection, instance(name), now_us)


def test_charges_what_was_noted(store: Store) -> None:
    """The exchange ends with the usage and cost of the last note, at the last sign of life."""
    (one,) = new_ids(1)
    story = Story(one, instance_id="dead")
    register(store, "dead", START_US + 5_000_000)
    keep(store, story.admission, story.start, story.progress)

    assert sweep(store, alone=True) == 1
    assert sweep(store, alone=True) == 0

    detail = store.exchange(one)
    row, (attempt,) = detail.exchange, detail.attempts
    assert (row.outcome, row.ended_us, row.total_us) == ("interrupted", START_US + 5_000_000, 5_000_000)
    assert (row.input_tokens, row.output_tokens, row.estimated) == (10, 10, True)
    assert (row.cost_nano, row.price_version, row.billing) == (500, "2027-01-01", "billed")
    assert (row.upstream, row.kind, row.attempts) == ("api", "anthropic", 1)
    assert row.first_byte_us == 101_000
    assert (attempt.outcome, attempt.ended_us, attempt.output_tokens) == ("interrupted", START_US + 5_000_000, 10)


def _steps(store: Store) -> int:
    """How many hundreds of instructions SQLite runs for a sweep that finds nothing."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    with store.database.writing() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.set_progress_handler(count, 100)
        assert 0 == instances.sweep(connection, me="me", now_us=LATER_US, alone=True)
        driver.set_progress_handler(None, 0)
    return steps


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_takes_no_longer_with_a_long_ledger(store: Store) -> None:
    """What is settled is not looked at: a gateway with a million rows starts as fast as an empty one."""
    register(store, "dead")
    before = _steps(store)
    keep_stories(store, [Story(one, instance_id="dead") for one in new_ids(2_000)])

    assert before == _steps(store)


def test_without_any_note(store: Store) -> None:
    """An exchange that got nowhere ends without usage; one that was never sent without an upstream."""
    admitted, sent = new_ids(2)
    keep(store, Story(admitted, instance_id="dead").admission)
    keep(store, Story(sent, instance_id="dead").admission, Story(sent).start)

    assert sweep(store, alone=True) == 2

    row = store.exchange(admitted).exchange
    assert (row.outcome, row.ended_us, row.total_us, row.upstream) == ("interrupted", START_US, 0, None)
    row = store.exchange(sent).exchange
    assert (row.outcome, row.upstream, row.input_tokens, row.cost_nano) == ("interrupted", "api", None, None)


def test_after_the_attempt_had_ended(store: Store) -> None:
    """An attempt's end is charged whole, though the settlement is missing."""
    (one,) = new_ids(1)
    story = Story(one, instance_id="dead")
    keep(store, story.admission, story.start, story.progress, story.end)

    sweep(store, alone=True)

    detail = store.exchange(one)
    assert (detail.exchange.outcome, detail.exchange.output_tokens, detail.exchange.cost_nano) == (
        "interrupted",
        20,
        1_000,
    )
    assert detail.exchange.ended_us == story.end.ended_us
    assert detail.attempts[0].outcome == "ok"


def test_usage_of_an_earlier_attempt_is_not_hidden(store: Store) -> None:
    """A later attempt that saw nothing does not make the exchange free."""
    (one,) = new_ids(1)
    story = Story(one, instance_id="dead")
    keep(store, story.admission, story.start, story.progress, msgspec.structs.replace(story.start, number=2))

    sweep(store, alone=True)

    row = store.exchange(one).exchange
    assert (row.attempts, row.output_tokens, row.cost_nano) == (2, 10, 500)


def test_an_answer_of_several_attempts_is_charged_whole(store: Store) -> None:
    """What was used before an answer paused, and what was seen of the attempt that went on with it."""
    (one,) = new_ids(1)
    story = Story(one, instance_id="dead")
    more = msgspec.structs.replace(story.progress, number=2)
    keep(store, story.admission, story.start, story.end, msgspec.structs.replace(story.start, number=2), more)

    sweep(store, alone=True)

    detail = store.exchange(one)
    row = detail.exchange
    assert (row.attempts, row.output_tokens, row.cost_nano) == (2, 30, 1_500)
    assert row.input_tokens == sum(tried.input_tokens or 0 for tried in detail.attempts)
    assert row.response_bytes == sum(tried.response_bytes or 0 for tried in detail.attempts)


def test_the_living_are_left_alone(store: Store) -> None:
    """On a shared database only expired leases count; an instance never sweeps itself."""
    mine, alive, dead, unknown, settled = new_ids(5)
    register(store, "alive", LATER_US - 1_000_000)
    register(store, "dead", LATER_US - 30_000_000)
    for one, owner in ((mine, "me"), (alive, "alive"), (dead, "dead"), (unknown, "unknown")):
        keep(store, Story(one, instance_id=owner).admission)
    keep_stories(store, [Story(settled, instance_id="dead")])

    assert sweep(store, alone=False) == 2

    outcomes = {one: store.exchange(one).exchange.outcome for one in (mine, alive, dead, unknown, settled)}
    assert outcomes == {mine: None, alive: None, dead: "interrupted", unknown: "interrupted", settled: "ok"}


def test_many(store: Store) -> None:
    """More than one chunk, each with its own numbers."""
    ids = new_ids(1_203)
    records: list[Record] = []
    for index, one in enumerate(ids):
        story = Story(one, instance_id="dead", usage=Usage(output_tokens=2 * index))
        records += [story.admission, story.start, story.progress]
    keep(store, *records)

    assert sweep(store, alone=True) == len(ids)

    with store.database.reading() as connection:
        query = select(exchanges.c.output_tokens).where(exchanges.c.outcome == "interrupted").order_by(exchanges.c.id)
        assert list(connection.execute(query).scalars()) == list(range(len(ids)))


def swept_too_early(store: Store) -> tuple[Story, Fold]:
    """An exchange of a gateway that was only slow, and what that one knows of it."""
    (one,) = new_ids(1)
    story, fold = Story(one, instance_id="slow"), Fold()
    keep(store, story.admission, story.start, story.progress, fold=fold)
    sweep(store, alone=True)
    return story, fold


def test_truth_replaces_the_guess(store: Store) -> None:
    """A gateway that was only slow writes what really happened over the sweep's guess, once."""
    story, fold = swept_too_early(store)
    one = story.admission.id

    keep(store, story.end, story.settlement, fold=fold)
    keep(store, story.admission, msgspec.structs.replace(story.settlement, outcome="denied"))

    detail = store.exchange(one)
    assert (detail.exchange.outcome, detail.exchange.output_tokens, detail.exchange.total_us) == ("ok", 20, 2_000_000)
    assert (detail.attempts[0].outcome, detail.attempts[0].output_tokens) == ("ok", 20)


def test_nothing_of_the_guess_is_left(store: Store) -> None:
    """Where the truth has nothing to say of it, what the sweep had charged is gone."""
    story, fold = swept_too_early(store)
    one = story.admission.id
    assert store.exchange(one).exchange.output_tokens

    nothing = Measure(status=529, error_type="overloaded_error", total_us=5)
    end = msgspec.structs.replace(story.end, outcome="upstream_error", measure=nothing)
    settlement = msgspec.structs.replace(story.settlement, outcome="upstream_error", measure=nothing)
    keep(store, end, settlement, fold=fold)

    detail = store.exchange(one)
    kept: ExchangeRow | AttemptRow
    for kept in (detail.exchange, detail.attempts[0]):
        assert (kept.outcome, kept.status, kept.total_us) == ("upstream_error", 529, 5)
        assert (kept.output_tokens, kept.cost_nano, kept.response_model, kept.first_byte_us) == (None,) * 4
        assert not kept.estimated
