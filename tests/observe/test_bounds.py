"""What clients invent costs neither memory nor lines, and counting costs next to nothing."""

import timeit
import tracemalloc

from msgspec import structs

from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Finished, Measure, Settlement, Tried
from clearway.core.usage import Cost, Usage
from clearway.observe.bounded import OTHER
from clearway.observe.exposition import Exposition
from clearway.observe.protocol import Cooling
from clearway.observe.reading import Reading
from clearway.observe.tally import Tally
from tests.observe.scraped import Scraped

INVENTED = 10_000
MOST_LINES = 10_000
START = AttemptStart(exchange_id="id-0", number=1, upstream="api", kind="anthropic", model="m", started_us=1)
ENDPOINTS = ("messages", "count_tokens", "models", "relay")
READING = Reading(
    is_ready=True,
    in_flight=0,
    body_bytes=0,
    bodies_reading=0,
    ledger_waiting=0,
    ledger_batches=0,
    ledger_healthy=True,
    ledger_refused=0,
    ledger_swept=0,
    watchers=0,
    dropped=0,
    otel_dropped=0,
    turned_away={},
    cool_downs={},
    cooling=(),
)


def records(number: int, *, asked: str, answered: str | None, **words: str) -> tuple[Admission, AttemptEnd, Settlement]:
    """What is told of one exchange."""
    exchange_id = f"id-{number}"
    measure = Measure(
        status=int(words.get("status", "200")),
        error_type=words.get("error"),
        response_model=answered,
        first_token_us=300_000,
        total_us=2_000_000,
        usage=Usage(
            input_tokens=5, cache_read_tokens=3, output_tokens=7, web_search_requests=int(words.get("tools", "0"))
        )
        if answered
        else None,
        cost=Cost(nano=1234, price_version="1", billing="plan" if "billing" in words else "billed")
        if answered
        else None,
    )
    admission = Admission(
        id=exchange_id,
        instance_id="i",
        admitted_us=1,
        wire="messages",
        endpoint=words.get("endpoint", "messages"),  # type: ignore[arg-type]  # one of `ENDPOINTS`
        method="POST",
        path="/v1/messages",
        key_name=words.get("key", "ada"),
        request_model=asked,
        stream=True,
    )
    end = AttemptEnd(exchange_id=exchange_id, number=1, ended_us=2, outcome="ok", measure=measure)
    return (
        admission,
        end,
        Settlement(
            exchange_id=exchange_id,
            ended_us=3,
            outcome="ok",
            upstream="api",
            kind="anthropic",
            attempts=2,
            measure=measure,
        ),
    )


def drive(tally: Tally, number: int = 0, *, asked: str = "m", answered: str | None = "m", **words: str) -> None:
    """One exchange of two attempts, from its admission to its end."""
    admission, end, settlement = records(number, asked=asked, answered=answered, **words)
    tally.settled(Finished(admission, (Tried(START, end),) * 2, settlement))


def text(tally: Tally, reading: Reading = READING) -> Scraped:
    """What would be told."""
    tally.count()
    return Scraped(Exposition(tally).text(reading, "")[1].decode())


def test_invented_models_are_one() -> None:
    """Whatever clients ask for, a name has a label of its own only when an upstream has answered by it."""
    tally = Tally()
    drive(tally, asked="real", answered="real")
    for number in range(INVENTED):
        drive(tally, number, asked=f"invented-{number}", answered=None)
    drive(tally, asked="real", answered=None)

    seen = text(tally)
    assert {("real",): 2, (OTHER,): INVENTED} == seen.sums("clearway_exchanges_total", "model")


def test_a_model_that_answers_at_last_has_its_own_label_from_then_on() -> None:
    """Failures before the first answer are `other`; those after it are told by name."""
    tally = Tally()
    for answered in (None, "late", None):
        drive(tally, asked="late", answered=answered)

    assert {("late",): 2, (OTHER,): 1} == text(tally).sums("clearway_exchanges_total", "model")


def test_a_configured_model_has_its_own_label_at_once() -> None:
    """Aliases, what they stand for, and the names of the price list are the owner's words."""
    tally = Tally(["swift"])
    drive(tally, asked="swift", answered=None)

    assert {("swift",): 1} == text(tally).sums("clearway_exchanges_total", "model")


def test_everything_invented_at_once_is_bounded() -> None:
    """Even an upstream that answers by every name, with keys, errors and statuses without end: the text and
    the memory stay within bounds, and the sums are whole.
    """
    tally = Tally()
    tracemalloc.start()
    try:
        for number in range(INVENTED):
            name = f"{number}-" + "m" * 100
            words = {"key": name, "error": name, "status": str(number), "endpoint": ENDPOINTS[number % 4]}
            drive(tally, number, asked=name, answered=name, **words)
        half = tracemalloc.get_traced_memory()[0]
        for number in range(INVENTED, 2 * INVENTED):
            name = f"{number}-" + "m" * 100
            drive(tally, number, asked=name, answered=name, key=name, error=name, status=str(number))
        grown = tracemalloc.get_traced_memory()[0] - half
    finally:
        tracemalloc.stop()
    told = text(tally)

    assert 8_000_000 > half
    assert 500_000 > grown
    assert MOST_LINES > told.text.count("\n")
    assert 2 * INVENTED == told.total("clearway_exchanges_total") == told.total("clearway_key_exchanges_total")
    assert 2 * INVENTED * 1234 == told.total("clearway_cost_nanodollars_total")
    assert 2 * INVENTED * 5 == told.total("clearway_tokens_total", kind="input")
    assert 4 * INVENTED == told.total("clearway_attempts_total")
    assert 2 * INVENTED == told.total("clearway_exchange_errors_total")


def test_hostile_names_stay_names() -> None:
    """Whatever the owner calls a key, and whatever an upstream calls itself, is one value of one label."""
    tally = Tally()
    names = ['a"} 1\nclearway_up 1', "back\\slash", "é€😀", "line\u2028", "a,b=c", "{}"]
    for name in names:
        drive(tally, key=name)

    assert {(name,): 1 for name in names} == text(tally).sums("clearway_key_exchanges_total", "key")


def test_cooling_models_share_a_label() -> None:
    """Models that nobody has answered by are `other`, and the longest cool-down stands for them."""
    marks = [
        Cooling(upstream="api", model=f"invented-{number}", why="limited", left_s=float(number), told=True)
        for number in range(512)
    ]
    everything = Cooling(upstream="api", model=None, why="overloaded", left_s=3.0, told=False)
    reading = structs.replace(READING, cooling=(*marks, everything))

    told = text(Tally(), reading).sums("clearway_upstream_cooling_seconds", "model", "why")
    assert {(OTHER, "limited"): 511, ("", "overloaded"): 3} == told


def test_money_is_exact_to_nine_million_dollars() -> None:
    """A number of the text is a double: whole nano-dollars up to 2**53 of them are told exactly."""
    tally = Tally()
    drive(tally)
    tally.count()
    for nano in (1, 999_999_999, 2**53 - 1):
        next(iter(tally.spent.cells.values())).cost_nano = nano

        assert nano == text(tally).total("clearway_cost_nanodollars_total")


def test_counting_costs_microseconds() -> None:
    """All that an exchange costs on the way is a few microseconds; four times that here, where others are busy too."""
    tally, rounds = Tally(), 5_000
    admission, end, settlement = records(0, asked="m", answered="m")
    finished = Finished(admission, (Tried(START, end),), settlement)

    def once() -> None:
        tally.settled(finished)

    best_s = min(timeit.repeat(once, number=rounds, repeat=7)) / rounds

    assert 16e-6 > best_s
