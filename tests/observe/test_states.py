"""States are told as they are at the moment that somebody asks."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from clearway.core.budget import parse_budget
from clearway.core.exchange import Finished, Tried
from clearway.limits.protocol import BudgetState
from clearway.observe.feed import LiveFeed
from clearway.observe.tally import Tally
from tests.clients.answers import events
from tests.fake_upstream import Gate, error_answer, stream_answer
from tests.observe.scraped import scrape
from tests.observe.test_bounds import READING, START, records, text
from tests.relay.stage import Stage, wait_until
from tests.relay.wire_client import OWN_CREDENTIAL, prompt

MODEL = "claude-sonnet-5-5"


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[[str], Stage]]:
    """Builds a stage with settings of its own."""
    with ExitStack() as stack:

        def make(settings: str) -> Stage:
            stage = Stage(tmp_path, settings=settings)
            stack.enter_context(stage.upstream)
            stack.enter_context(stage.gateway)
            return stage

        yield make


def test_cool_downs(build: Callable[[str], Stage]) -> None:
    """An upstream that asked to be left alone: that it began, why, and for how long still."""
    stage = build("[retries]\nmax = 0\n")
    stage.play(error_answer(529, "overloaded_error", "no", headers=[("retry-after", "300")]))
    stage.ask("gateway", prompt())
    told = scrape(stage.gateway.url)

    assert {("api", "overloaded"): 1} == told.sums("clearway_upstream_cool_downs_total", "upstream", "why")
    ((labels, left_s),) = told.rows("clearway_upstream_cooling_seconds")
    assert {"upstream": "api", "model": MODEL, "why": "overloaded"} == labels
    assert 0 < left_s <= 300


def test_what_is_refused_at_the_door(build: Callable[[str], Stage]) -> None:
    """Over its bounds, and without a good key: no exchanges, and counted all the same."""
    stage = build("[server]\nmax_in_flight = 1\n")
    gate = Gate()
    pieces = events("x", MODEL)
    stage.play(lambda _: stream_answer([*pieces[:2], gate, *pieces[2:]]))
    with stage.client() as client:
        client.ask(prompt(), [OWN_CREDENTIAL])
        client.read_head()
        gate.wait_reached()
        assert 529 == stage.ask("client", prompt()).head.status
        told = scrape(stage.gateway.url)

        assert 1 == told.total("clearway_requests_in_flight") == told.total("clearway_open_streams")
        assert 0 == told.total("clearway_ready") == told.total("clearway_exchanges_total")
        assert 0 < told.total("clearway_request_bodies_bytes")
        gate.open()
        client.read_rest()
    wait_until(lambda: not scrape(stage.gateway.url).total("clearway_requests_in_flight"), "it is over")
    with stage.client() as client:
        client.ask(prompt(), [("x-api-key", "cw-of-nobody")])
        client.read_whole()
    expected = {("overloaded",): 1, ("invalid_key",): 1}
    assert expected == scrape(stage.gateway.url).sums("clearway_turned_away_total", "code")


def test_build_and_process(build: Callable[[str], Stage]) -> None:
    """What runs, and what the machine gives it."""
    told = scrape(build("").gateway.url)
    ((labels, one),) = told.rows("clearway_build_info")

    assert 1 == one
    assert {"version", "python"} == labels.keys()
    ((_, held),) = told.rows("process_resident_memory_bytes")
    assert 10_000_000 < held


def test_dropped_updates_are_counted_for_good() -> None:
    """What a slow watcher of the feed did not get stays counted when it has left."""
    feed = LiveFeed()
    with feed.subscribe():
        for number in range(600):
            admission, end, settlement = records(number, asked="m", answered="m")
            feed.admitted(admission)
            feed.settled(Finished(admission, (Tried(START, end),), settlement))
        assert (1, 200) == (feed.watchers, feed.dropped)
    assert (0, 200) == (feed.watchers, feed.dropped)


class Window(msgspec.Struct, frozen=True):
    """A subscription's window."""

    credential_label: str
    upstream: str
    window: str
    utilization: float | None
    resets_us: int | None


def test_budgets_and_windows() -> None:
    """Exactly as whoever keeps them says: amounts in their unit, times in seconds."""
    budgets = [
        BudgetState(
            key_id="k",
            key_name="ada",
            budget=parse_budget("5usd/day"),
            spent=4_123_456_789,
            held=200_000_001,
            since_us=0,
            resets_us=1_800_000_000_500_000,
        ),
        BudgetState(
            key_id="k",
            key_name="ada",
            budget=parse_budget("2Mtokens/total"),
            spent=1,
            held=0,
            since_us=0,
            resets_us=None,
        ),
        BudgetState(
            key_id=None, key_name=None, budget=parse_budget("9usd/day"), spent=0, held=0, since_us=0, resets_us=None
        ),
    ]
    windows = [
        Window("own-1a2b", "own-login", "5h", 0.25, 1_800_000_000_000_000),
        Window("own-1a2b", "own-login", "7d", None, None),
    ]
    told = text(Tally(), structs.replace(READING, budgets=budgets, windows=windows))

    assert {("ada", "day"): 676_543_210, ("", "day"): 9_000_000_000} == told.sums(
        "clearway_budget_left_nanodollars", "key", "period"
    )
    assert 4_123_456_789 == told.total("clearway_budget_spent_nanodollars")
    assert 200_000_001 == told.total("clearway_budget_held_nanodollars")
    assert {("ada", "total"): 1_999_999} == told.sums("clearway_budget_left_tokens", "key", "period")
    assert 2_000_000 == told.total("clearway_budget_limit_tokens")
    assert [({"key": "ada", "period": "day", "unit": "usd"}, 1_800_000_000.5)] == list(
        told.rows("clearway_budget_resets_timestamp_seconds")
    )
    labels = {"credential": "own-1a2b", "upstream": "own-login", "window": "5h"}
    assert [(labels, 0.25)] == list(told.rows("clearway_window_utilization_ratio"))
    assert [(labels, 1_800_000_000.0)] == list(told.rows("clearway_window_resets_timestamp_seconds"))


def test_so_many_budgets_and_windows_are_told_and_no_more() -> None:
    """Windows are told apart by clients' credentials: their number is bounded here as well."""
    windows = [Window(f"own-{number}", "own-login", "5h", 0.5, None) for number in range(10_000)]
    budget = parse_budget("5usd/day")
    budgets = [
        BudgetState(key_id="k", key_name=f"key-{number}", budget=budget, spent=0, held=0, since_us=0, resets_us=None)
        for number in range(10_000)
    ]
    told = text(Tally(), structs.replace(READING, budgets=budgets, windows=windows))

    assert 1_000 == len(list(told.rows("clearway_window_utilization_ratio")))
    # As many as keys have names of their own, and `other`.
    assert 201 == len(list(told.rows("clearway_budget_left_nanodollars")))
