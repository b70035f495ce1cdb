"""Sums are the sums of the rows."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearway.core.exchange import Outcome
from clearway.core.usage import Billing, Usage
from clearway.keys.model import KeySpec
from clearway.ledger.protocol import ExchangeQuery, ExchangeRow, LedgerError, UsageBy, UsageQuery, UsageRow
from clearway.ledger.store import Store
from tests.ledger.stories import START_US, Story, keep, keep_stories, new_ids

BILLINGS: tuple[Billing, ...] = ("billed", "plan", "simulated")
OUTCOMES: tuple[Outcome, ...] = ("ok", "client_closed", "upstream_error", "denied", "interrupted")
BY: tuple[UsageBy, ...] = get_args(UsageBy)
SUMMED = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "thinking_tokens",
    "web_search_requests",
    "cost_nano",
    "estimate_nano",
    "total_us",
)
ZONE = "America/St_Johns"


class Drawn(msgspec.Struct, frozen=True):
    """What differs between the exchanges of the property test."""

    minutes: int
    outcome: Outcome
    billing: Billing
    nano: int | None
    tokens: tuple[int, int, int, int, int, int, int]
    estimated: bool
    model: str | None
    session: str | None
    is_running: bool


drawn = st.lists(
    st.builds(
        Drawn,
        minutes=st.integers(0, 400 * 24 * 60),
        outcome=st.sampled_from(OUTCOMES),
        billing=st.sampled_from(BILLINGS),
        nano=st.none() | st.integers(0, 10**15),
        tokens=st.tuples(*[st.integers(0, 10**12)] * 7),
        estimated=st.booleans(),
        model=st.sampled_from(["m1", "m2", None]),
        session=st.sampled_from(["s1", "s2", None]),
        is_running=st.booleans(),
    ),
    min_size=1,
    max_size=12,
)
rounds = 0


def tell(exchange_id: str, run: str, one: Drawn) -> Story:
    """An exchange as drawn."""
    names = [name for name in SUMMED if name not in {"cost_nano", "estimate_nano", "total_us"}]
    usage = Usage(**dict(zip(names, one.tokens, strict=True)), estimated=one.estimated)  # type: ignore[arg-type]  # counts
    return Story(
        exchange_id,
        admitted_us=START_US + one.minutes * 60_000_000,
        outcome=one.outcome,
        usage=usage,
        nano=one.nano,
        billing=one.billing,
        response_model=one.model,
        session_id=one.session,
        run_id=run,
    )


def group_of(row: ExchangeRow, by: tuple[UsageBy, ...]) -> tuple[str | None, ...]:
    """The group that an exchange belongs to."""
    local = datetime.fromtimestamp(row.admitted_us / 1_000_000, UTC).astimezone(ZoneInfo(ZONE))
    year, week, _ = local.isocalendar()
    values = {
        "hour": local.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes"),
        "day": local.date().isoformat(),
        "week": f"{year}-W{week:02}",
        "month": f"{local.year}-{local.month:02}",
        "model": row.response_model or row.request_model,
        "key": row.key_name,
        "session": row.session_id,
        "client": row.client_name,
        "upstream": row.upstream,
        "run": row.run_id,
        "total": None,
    }
    return tuple(values[name] for name in by)


def summed(row: UsageRow | ExchangeRow) -> dict[str, int]:
    """The numbers that are added up."""
    return {name: getattr(row, name) or 0 for name in SUMMED}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(exchanges=drawn, by=st.lists(st.sampled_from(BY), min_size=1, max_size=3, unique=True).map(tuple))
def test_sums_of_rows(store: Store, exchanges: list[Drawn], by: tuple[UsageBy, ...]) -> None:
    """For any exchanges and any groups: each sum is the sum of the listed rows, to the nano-dollar."""
    global rounds  # noqa: PLW0603 examples share one database and need a run of their own
    rounds += 1
    run = f"run-{rounds}"
    for exchange_id, one in zip(new_ids(len(exchanges), START_US + rounds * 1_000_000), exchanges, strict=True):
        story = tell(exchange_id, run, one)
        keep(store, *(story.records[:3] if one.is_running else story.records))
    expected: dict[tuple[str | None, ...], list[ExchangeRow]] = defaultdict(list)
    for row in store.exchanges(ExchangeQuery(run=run, limit=100)):
        expected[group_of(row, by)].append(row)

    found = store.usage(UsageQuery(by=by, run=run, timezone=ZONE))

    assert expected.keys() == {tuple(row.group[name] for name in by) for row in found}
    for sums in found:
        rows = expected[tuple(sums.group[name] for name in by)]
        assert summed(sums) == {name: sum(summed(row)[name] for row in rows) for name in SUMMED}
        assert sums.exchanges == len(rows)
        assert sums.errors == sum(row.outcome not in {"ok", "client_closed", None} for row in rows)
        assert sums.unpriced == sum(row.unpriced for row in rows)
        assert sums.estimated == sum(row.estimated for row in rows)
        assert (sums.first_us, sums.last_us) == (
            min(row.admitted_us for row in rows),
            max(row.admitted_us for row in rows),
        )


def test_days_across_a_change_of_clocks(store: Store) -> None:
    """The day on which clocks go forward has 23 hours, and 25 when they go back."""
    zone = ZoneInfo("Europe/Berlin")
    moments = [
        datetime(2026, 3, 28, 23, 59, 59, tzinfo=zone),
        datetime(2026, 3, 29, 0, 0, 0, tzinfo=zone),
        datetime(2026, 3, 29, 23, 59, 59, tzinfo=zone),
        datetime(2026, 3, 30, 0, 0, 0, tzinfo=zone),
        datetime(2026, 10, 24, 23, 59, 59, tzinfo=zone),
        datetime(2026, 10, 25, 0, 0, 0, tzinfo=zone),
        datetime(2026, 10, 25, 23, 59, 59, tzinfo=zone),
        datetime(2026, 10, 26, 0, 0, 0, tzinfo=zone),
    ]
    ids = new_ids(len(moments))
    times = [int(moment.timestamp()) * 1_000_000 for moment in moments]
    keep_stories(store, [Story(one, admitted_us=at) for one, at in zip(ids, times, strict=True)])

    days = store.usage(UsageQuery(by=("day",), timezone="Europe/Berlin"))

    assert [(row.group["day"], row.exchanges) for row in days] == [
        ("2026-03-28", 1),
        ("2026-03-29", 2),
        ("2026-03-30", 1),
        ("2026-10-24", 1),
        ("2026-10-25", 2),
        ("2026-10-26", 1),
    ]


def test_an_hour_that_comes_twice(store: Store) -> None:
    """Clocks go back: two hours of the same name are two, and told apart by their offset."""
    minutes = (30, 90, 150)
    times = [int(datetime(2026, 10, 25, tzinfo=UTC).timestamp() + 60 * one) * 1_000_000 for one in minutes]
    keep_stories(store, [Story(one, admitted_us=at) for one, at in zip(new_ids(3), times, strict=True)])

    hours = store.usage(UsageQuery(by=("hour",), timezone="Europe/Berlin"))

    assert [(row.group["hour"], row.exchanges) for row in hours] == [
        ("2026-10-25T02:00+02:00", 1),
        ("2026-10-25T02:00+01:00", 1),
        ("2026-10-25T03:00+01:00", 1),
    ]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Apia", "Asia/Kolkata"])
def test_weeks_and_months_at_their_edges(store: Store, zone: str) -> None:
    """Weeks begin on Monday and have ISO's numbers, months on their first, both at midnight of the zone."""
    moments = [
        datetime(2026, 12, 31, 23, 59, 59, tzinfo=ZoneInfo(zone)),
        datetime(2027, 1, 1, 0, 0, 0, tzinfo=ZoneInfo(zone)),
        datetime(2027, 1, 3, 23, 59, 59, tzinfo=ZoneInfo(zone)),
        datetime(2027, 1, 4, 0, 0, 0, tzinfo=ZoneInfo(zone)),
        datetime(2027, 3, 31, 23, 59, 59, tzinfo=ZoneInfo(zone)),
        datetime(2027, 4, 1, 0, 0, 0, tzinfo=ZoneInfo(zone)),
    ]
    times = [int(moment.timestamp()) * 1_000_000 for moment in moments]
    keep_stories(store, [Story(one, admitted_us=at) for one, at in zip(new_ids(6), times, strict=True)])

    months = store.usage(UsageQuery(by=("month",), timezone=zone))
    weeks = store.usage(UsageQuery(by=("week",), timezone=zone))

    assert [("2026-12", 1), ("2027-01", 3), ("2027-03", 1), ("2027-04", 1)] == [
        (row.group["month"], row.exchanges) for row in months
    ]
    assert [("2026-W53", 3), ("2027-W01", 1), ("2027-W13", 2)] == [(row.group["week"], row.exchanges) for row in weeks]


def test_keys_by_name(store: Store) -> None:
    """Key groups carry names, also of revoked keys; a key is found by name or id."""
    first = store.create_key(KeySpec(name="laptop")).key
    store.revoke_key("laptop")
    second = store.create_key(KeySpec(name="laptop")).key
    one, two, three, four = new_ids(4)
    keep_stories(
        store, [Story(one, key_id=first.id), Story(two, key_id=second.id), Story(three), Story(four, key_id="lost")]
    )

    groups = {row.group["key"]: row.exchanges for row in store.usage(UsageQuery(by=("key",)))}

    assert groups == {"laptop": 2, None: 1, "lost": 1}
    for ref, count in (("laptop", 2), (second.id, 1)):
        (row,) = store.usage(UsageQuery(by=("total",), key=ref))
        assert row.exchanges == count
    assert store.usage(UsageQuery(by=("total",), key="nobody")) == []


def test_since_is_inclusive_and_until_is_not(store: Store) -> None:
    """A range has its first microsecond and not its last."""
    ids = new_ids(3)
    keep_stories(store, [Story(one, admitted_us=START_US + index) for index, one in enumerate(ids)])

    (row,) = store.usage(UsageQuery(by=("total",), since_us=START_US, until_us=START_US + 2))

    assert (row.exchanges, row.first_us, row.last_us) == (2, START_US, START_US + 1)


def test_order_and_limit(store: Store) -> None:
    """Groups come dearest first; days ascending, and the newest are kept."""
    ids = new_ids(3)
    days = [
        Story(one, admitted_us=START_US + day * 86_400_000_000, nano=nano, response_model=f"m{day}")
        for day, (one, nano) in enumerate(zip(ids, (5, 9, 7), strict=True))
    ]
    keep_stories(store, days)

    models = [row.group["model"] for row in store.usage(UsageQuery(by=("model",), limit=2))]
    newest = [row.group["day"] for row in store.usage(UsageQuery(by=("day",), limit=2))]

    assert models == ["m1", "m2"]
    assert newest == ["2027-01-16", "2027-01-17"]


def test_model_matches_as_asked_and_as_answered(store: Store) -> None:
    """The filter takes an alias as well as the model behind it."""
    one, two = new_ids(2)
    keep_stories(store, [Story(one, request_model="opus", response_model="claude-opus"), Story(two)])

    for model in ("opus", "claude-opus"):
        (row,) = store.usage(UsageQuery(by=("model",), model=model))
        assert (row.group, row.exchanges) == ({"model": "claude-opus"}, 1)


def test_nothing_yet(store: Store) -> None:
    """An empty ledger has no groups, whatever they are."""
    for by in BY:
        assert store.usage(UsageQuery(by=(by,))) == []


def test_impossible_questions(store: Store) -> None:
    """A zone, a group or a limit that cannot be is refused."""
    with pytest.raises(LedgerError, match="time zone"):
        store.usage(UsageQuery(timezone="Mars/Olympus"))
    with pytest.raises(LedgerError, match="grouped by 'colour'"):
        store.usage(UsageQuery(by=("colour",)))  # type: ignore[arg-type]  # as a careless client would
    with pytest.raises(LedgerError, match="at least 1"):
        store.usage(UsageQuery(limit=0))
