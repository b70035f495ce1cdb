"""However records are batched, the rows are the same."""

from collections.abc import Sequence

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearway.core.exchange import AttemptEnd, AttemptStart, Outcome, Progress, Record
from clearway.core.usage import Usage
from clearway.ledger.fold import Fold
from clearway.ledger.store import Store
from tests.ledger.stories import START_US, Story, keep, new_ids

OUTCOMES: Sequence[Outcome] = ("ok", "client_closed", "upstream_error", "denied")


class Plan(msgspec.Struct, frozen=True):
    """What one exchange does, and how much of it is told."""

    outcome: Outcome
    output_tokens: int
    tries: int
    notes: int
    told: int


plans = st.lists(
    st.builds(
        Plan, st.sampled_from(OUTCOMES), st.integers(0, 99), st.integers(0, 3), st.integers(0, 2), st.integers(1, 12)
    ),
    min_size=1,
    max_size=4,
)
written = 0


def tell(exchange_id: str, plan: Plan) -> list[Record]:
    """The records of a plan, in order, cut off where it says."""
    story = Story(exchange_id, outcome=plan.outcome, usage=Usage(output_tokens=plan.output_tokens))
    records: list[Record] = [story.admission]
    for number in range(1, plan.tries + 1):
        records.append(msgspec.structs.replace(story.start, number=number))
        for note in range(plan.notes):
            measure = msgspec.structs.replace(story.progress.measure, response_bytes=note)
            records.append(Progress(exchange_id=exchange_id, number=number, measure=measure))
        records.append(msgspec.structs.replace(story.end, number=number))
    records.append(msgspec.structs.replace(story.settlement, attempts=plan.tries))
    return records[: plan.told]


def rows_of(store: Store, ids: Sequence[str]) -> list[object]:
    """Everything that is kept of some exchanges, but for their ids."""
    found: list[object] = []
    for exchange_id in ids:
        detail = store.exchange(exchange_id)
        exchange = msgspec.structs.replace(detail.exchange, id="")
        found.append((exchange, [msgspec.structs.replace(attempt, exchange_id="") for attempt in detail.attempts]))
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans=plans, data=st.data())
def test_batching_changes_nothing(store: Store, plans: list[Plan], data: st.DataObject) -> None:
    """Any interleaving of exchanges, cut into any batches, some of them written twice."""
    global written  # noqa: PLW0603 examples share one database and need ids of their own
    written += 1
    ids = new_ids(2 * len(plans), START_US + written * 1_000_000)
    alone, mixed = ids[: len(plans)], ids[len(plans) :]
    for exchange_id, plan in zip(alone, plans, strict=True):
        one = Fold()
        for record in tell(exchange_id, plan):
            keep(store, record, fold=one)

    stories = [tell(exchange_id, plan) for exchange_id, plan in zip(mixed, plans, strict=True)]
    turns = data.draw(st.permutations([index for index, story in enumerate(stories) for _ in story]))
    left = [iter(story) for story in stories]
    order = [next(left[index]) for index in turns]
    fold = Fold()
    while order:
        size = data.draw(st.integers(1, len(order)))
        keep(store, *order[:size], fold=fold, times=data.draw(st.integers(1, 2)))
        order = order[size:]

    assert rows_of(store, alone) == rows_of(store, mixed)


def test_first_settlement_stands(store: Store) -> None:
    """A second settlement changes nothing, in the same batch or later."""
    one, two = new_ids(2)
    for exchange_id, apart in ((one, True), (two, False)):
        story = Story(exchange_id)
        late = msgspec.structs.replace(story.settlement, outcome="denied", ended_us=1)
        if apart:
            keep(store, *story.records)
            keep(store, story.admission, late)
        else:
            keep(store, *story.records, late)

        kept = store.exchange(exchange_id).exchange

        assert (kept.outcome, kept.ended_us) == ("ok", story.settlement.ended_us)


def test_first_end_stands(store: Store) -> None:
    """What comes after the end of an attempt changes nothing."""
    (exchange_id,) = new_ids(1)
    story = Story(exchange_id)
    keep(store, *story.records)

    late_end = AttemptEnd(
        exchange_id=exchange_id, number=1, ended_us=1, outcome="denied", measure=story.progress.measure
    )
    late_start = AttemptStart(exchange_id=exchange_id, number=1, upstream="x", kind="x", model=None, started_us=1)
    keep(store, story.admission, story.start, story.progress)
    keep(store, story.admission, late_start, late_end)
    keep(store, story.admission, late_start, story.progress)

    (attempt,) = store.exchange(exchange_id).attempts
    assert (attempt.outcome, attempt.upstream, attempt.output_tokens) == ("ok", "api", 20)
