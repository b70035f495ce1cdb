"""Whatever a record holds, no database refuses it."""

import msgspec
import pytest

from clearway.core.usage import Iteration, Usage
from clearway.ledger.protocol import AttemptRow, ExchangeQuery, ExchangeRow
from clearway.ledger.rows import number, text
from clearway.ledger.schema import attempts, exchanges
from clearway.ledger.store import Store
from tests.ledger.stories import Story, keep, keep_stories, new_ids

TEXTS = [
    pytest.param(None, None, id="none"),
    pytest.param("plain", "plain", id="ascii"),
    pytest.param("é€😀", "é€😀", id="unicode"),
    pytest.param("a\0b", "a?b", id="nul"),
    pytest.param("a\ud800b", "a?b", id="lone-surrogate"),
    pytest.param("é\0", "é?", id="unicode-and-nul"),
    pytest.param("x" * 501, "x" * 500, id="too-long"),
]
NUMBERS = [
    pytest.param(None, None, id="none"),
    pytest.param(0, 0, id="zero"),
    pytest.param(-1, 0, id="negative"),
    pytest.param(10**15, 10**15, id="largest"),
    pytest.param(10**30, 10**15, id="beyond-64-bits"),
]


@pytest.mark.parametrize(("value", "expected"), TEXTS)
def test_text(value: str | None, expected: str | None) -> None:
    """Text keeps what both databases can hold."""
    assert expected == text(value)


@pytest.mark.parametrize(("value", "expected"), NUMBERS)
def test_number(value: int | None, expected: int | None) -> None:
    """A number stays within what columns and sums hold."""
    assert expected == number(value)


def test_hostile_values_never_fail_a_batch(store: Store) -> None:
    """NUL, lone surrogates, long text and huge numbers are kept in a form that fits."""
    hostile, plain = new_ids(2)
    bad = "\0\ud800" + "x" * 100_000
    usage = Usage(input_tokens=10**40, output_tokens=-5, speed=bad, iterations=(Iteration(kind=bad),))
    stories = [
        Story(hostile, usage=usage, nano=10**40, response_model=bad, session_id=bad, run_id=bad, key_id=bad),
        Story(plain),
    ]

    keep_stories(store, stories)

    row = store.exchange(hostile).exchange
    assert (row.input_tokens, row.output_tokens, row.cost_nano) == (10**15, 0, 10**15)
    assert row.session_id == ("??" + "x" * 498)
    assert row.outcome == store.exchange(plain).exchange.outcome == "ok"
    assert store.exchange(hostile).attempts[0].outcome == "ok"


def test_iterations_are_kept_as_json(store: Store) -> None:
    """The runs inside one exchange come back as they were."""
    (exchange_id,) = new_ids(1)
    iterations = (Iteration(kind="compaction", model="m", input_tokens=3), Iteration(output_tokens=4))

    keep_stories(store, [Story(exchange_id, usage=Usage(iterations=iterations))])

    kept = store.exchange(exchange_id).exchange.iterations
    assert kept is not None
    assert iterations == msgspec.json.decode(kept, type=tuple[Iteration, ...])


def test_tables_follow_the_protocol() -> None:
    """Every field of a row has its column, and every column but `swept` is shown."""
    assert {*ExchangeRow.__struct_fields__} - {"key_name"} == {*exchanges.c.keys()} - {"swept"}
    assert {*AttemptRow.__struct_fields__} == {*attempts.c.keys()} - {"swept"}


def test_row_is_the_story(store: Store) -> None:
    """What was told is what is read, field by field."""
    (exchange_id,) = new_ids(1)
    story = Story(exchange_id, session_id="s", run_id="r", client_version="2.1", client_credential=True)

    keep_stories(store, [story])

    detail = store.exchange(exchange_id)
    told = msgspec.structs.asdict(story.admission)
    # For traces only (observe/otel).
    del told["trace_parent"]
    row = msgspec.structs.asdict(detail.exchange)
    assert told == {name: row[name] for name in told}
    measure = story.settlement.measure
    assert detail.exchange.total_us == measure.total_us
    assert (detail.exchange.cost_nano, detail.exchange.estimate_nano, detail.exchange.unpriced) == (1_000, None, False)
    assert detail.exchange.ended_us == story.settlement.ended_us
    assert detail.exchange.attempts == 1
    assert detail.attempts[0].total_us == story.end.measure.total_us
    assert detail.attempts[0].model == "m"


def test_unknown_price_is_null_and_flagged(store: Store) -> None:
    """An unknown price is never 0, and a list price is never money billed."""
    unknown, plan, running = new_ids(3)
    keep_stories(store, [Story(unknown, nano=None), Story(plan, billing="plan", nano=7)])
    keep(store, Story(running).admission)

    rows = {row.id: row for row in store.exchanges(ExchangeQuery())}

    assert (rows[unknown].cost_nano, rows[unknown].estimate_nano, rows[unknown].unpriced) == (None, None, True)
    assert (rows[plan].cost_nano, rows[plan].estimate_nano, rows[plan].unpriced) == (None, 7, False)
    assert (rows[running].cost_nano, rows[running].input_tokens, rows[running].unpriced) == (None, None, False)
