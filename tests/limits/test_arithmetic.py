"""The arithmetic of limits, by itself: buckets, periods, ceilings, tallies."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.core.budget import Budget, BudgetError, Period, parse_budget, show_budget, tell_amount
from clearway.core.usage import Usage
from clearway.limits.bucket import Bucket
from clearway.limits.period import FOR_GOOD, span_of
from clearway.limits.tally import Account
from clearway.limits.told import of_budgets
from clearway.pricing.ceiling import Ceiling, DearestRates
from clearway.pricing.cost import cost
from clearway.pricing.prices import PriceList

DAY_US = 86_400_000_000
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "America/Santiago"]
"""The last begins summer time at midnight: that day has none."""
PERIODS: list[Period] = ["day", "week", "month"]


def us(text: str) -> int:
    """A moment in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


CALENDAR = [
    ("day", "UTC", "2026-11-27T12:00", "2026-11-27T00:00", "2026-11-28T00:00"),
    ("day", "UTC", "2026-11-27T00:00", "2026-11-27T00:00", "2026-11-28T00:00"),
    ("week", "UTC", "2026-11-27T12:00", "2026-11-23T00:00", "2026-11-30T00:00"),
    ("week", "UTC", "2026-11-23T00:00", "2026-11-23T00:00", "2026-11-30T00:00"),
    ("month", "UTC", "2028-02-29T23:59", "2028-02-01T00:00", "2028-03-01T00:00"),
    ("month", "UTC", "2026-12-31T12:00", "2026-12-01T00:00", "2027-01-01T00:00"),
    ("day", "Europe/Berlin", "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),
    ("day", "Europe/Berlin", "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),
    ("month", "Asia/Kathmandu", "2026-11-30T20:00", "2026-11-30T18:15", "2026-12-31T18:15"),
]


@pytest.mark.parametrize(("period", "zone", "at", "start", "end"), CALENDAR)
def test_calendar(period: Period, zone: str, at: str, start: str, end: str) -> None:
    """Days of 23 and 25 hours, leap days, the end of the year, odd offsets."""
    span = span_of(period, us(at), ZoneInfo(zone))

    assert (us(start), us(end), us(end)) == (span.start_us, span.end_us, span.resets_us)


@given(st.integers(0, 4_000_000_000_000_000), st.sampled_from(PERIODS), st.sampled_from(ZONES))
def test_periods_follow_one_another(at_us: int, period: Period, zone: str) -> None:
    """Every moment is in one period, and where one ends the next begins."""
    span = span_of(period, at_us, ZoneInfo(zone))
    after = span_of(period, span.end_us, ZoneInfo(zone))

    assert span.has(at_us)
    assert not span.has(span.end_us)
    assert span.end_us == after.start_us


def test_for_good() -> None:
    """A budget in total has one period, without an end."""
    assert FOR_GOOD == span_of("total", us("2026-11-27T12:00"), UTC)
    assert FOR_GOOD.resets_us is None


def test_no_period_begins_twice() -> None:
    """A clock that steps over midnight and back, as often as it likes, gives nobody a second budget."""
    account = Account(ZoneInfo("UTC"))
    noon = us("2026-11-27T12:00")
    account.set([parse_budget("1usd/day")], None, noon)
    tallies = []
    for at_us in (noon, noon + DAY_US, noon, noon + DAY_US, noon):
        account.roll(at_us)
        tallies.append(account.shares[0].tally)

    assert tallies[0] is not tallies[1]
    assert all(one is other for one, other in pairwise(tallies[1:]))


@given(
    per_minute=st.integers(1, 10_000),
    steps=st.lists(st.tuples(st.floats(0, 30), st.integers(0, 200)), max_size=50),
)
def test_a_bucket_lets_through_what_it_says(per_minute: int, steps: list[tuple[float, int]]) -> None:
    """Whoever keeps to what may be taken gets a minute's worth at once and the rate after that, never more."""
    bucket, now, taken = Bucket(per_minute, 0.0), 0.0, 0
    for wait_s, amount in steps:
        now += wait_s
        if amount <= per_minute and bucket.may_take(amount, now):
            bucket.take(amount, now)
            taken += amount
        assert taken <= per_minute + now * per_minute / 60 + 1e-4


@given(per_minute=st.integers(1, 10_000), used=st.integers(0, 50_000), amount=st.integers(1, 20_000))
def test_a_bucket_says_how_long_to_wait(per_minute: int, used: int, amount: int) -> None:
    """After that time it is there; also what is more than a minute's worth, once the bucket is full."""
    bucket = Bucket(per_minute, 0.0)
    bucket.take(used, 0.0)

    assert bucket.may_take(amount, float(bucket.wait_s(amount, 0.0)))


def test_a_bucket_never_hears_a_step_back() -> None:
    """Time that goes backwards gives nothing and takes nothing."""
    bucket = Bucket(60, 100.0)
    bucket.take(60, 100.0)

    assert [0, 10, 0] == [bucket.told(at)[0] for at in (50.0, 110.0, 60.0)]
    assert (False, False) == (bucket.may_take(11, 110.0), bucket.may_take(1, 60.0))
    assert bucket.may_take(10, 110.0)


WRITTEN = [
    ("5usd/day", Budget(amount=5_000_000_000, unit="usd", period="day"), "5usd/day", "$5.00"),
    ("0.25usd", Budget(amount=250_000_000, unit="usd", period="total"), "0.25usd/total", "$0.25"),
    ("0.000000001usd/week", Budget(amount=1, unit="usd", period="week"), "0.000000001usd/week", "$0.00"),
    (
        "2Mtokens/month",
        Budget(amount=2_000_000, unit="tokens", period="month"),
        "2000000tokens/month",
        "2,000,000 tokens",
    ),
    ("1.5k tokens/day", Budget(amount=1500, unit="tokens", period="day"), "1500tokens/day", "1,500 tokens"),
]


@pytest.mark.parametrize(("text", "budget", "shown", "told"), WRITTEN)
def test_budgets_as_text(text: str, budget: Budget, shown: str, told: str) -> None:
    """Both ways, exactly."""
    assert (budget, shown, told) == (parse_budget(text), show_budget(budget), tell_amount(budget))
    assert budget == parse_budget(shown)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "5eur/day",
        "-5usd",
        "5usd/year",
        "5usd/",
        "0usd",
        "0.5tokens",
        "1e9usd",
        "5 usd / day",
        "5USD",
        "\N{ARABIC-INDIC DIGIT FIVE}usd",
    ],
)
def test_what_is_no_budget(text: str) -> None:
    """Refused with a sentence that shows the form."""
    with pytest.raises(BudgetError, match=r"write it like|above 0"):
        parse_budget(text)


_models = st.sampled_from(["claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-4-5", "claude-sonnet-4-5"])
_counts = st.integers(0, 300_000)


@given(model=_models, numbers=st.tuples(_counts, _counts, _counts, _counts, _counts), is_plain=st.booleans())
def test_nothing_costs_more_than_its_ceiling(model: str, numbers: tuple[int, ...], is_plain: bool) -> None:  # noqa: FBT001
    """However a prompt turns out to be cached, and at whatever speed it may be asked for."""
    fresh, read, short, long, output = numbers
    at_us, prices = us("2026-11-27T12:00"), PriceList.shipped()
    usage = Usage(
        input_tokens=fresh,
        cache_read_tokens=read,
        cache_write_5m_tokens=short,
        cache_write_1h_tokens=long,
        output_tokens=output,
        speed=None if is_plain else "fast",
    )
    real = cost(usage, model, at_us=at_us, billing="billed", prices=prices).nano
    most = DearestRates(prices).find(
        model, at_us=at_us, input_tokens=usage.prompt_tokens, writes_cache="1h", is_plain=is_plain
    )

    assert most is not None
    if real is not None:
        assert real <= most.nano(usage.prompt_tokens, output)


@given(st.integers(0, 10**13), st.integers(0, 10**6), st.integers(0, 10**13), st.integers(0, 10**6))
def test_what_fits_is_what_may_be_held(input_scaled: int, input_tokens: int, output_scaled: int, nano: int) -> None:
    """The most output that fits costs no more than there is, and one token more would."""
    rates = Ceiling(input_scaled, output_scaled)
    fits = rates.output_within(nano, input_tokens)

    if fits < 0:
        assert rates.nano(input_tokens, 0) > nano
    elif output_scaled:
        assert rates.nano(input_tokens, fits) <= nano < rates.nano(input_tokens, fits + 1)


@given(amount=st.integers(1, 10**12), steps=st.lists(st.integers(0, 10**11), min_size=1, max_size=30))
def test_what_is_told_of_a_budget_is_never_old(amount: int, steps: list[int]) -> None:
    """The text that is kept for a while is the one that would be made anew, whatever has been spent since."""
    account = Account(ZoneInfo("UTC"))
    account.set([Budget(amount=amount, unit="usd", period="day")], None, us("2026-11-27T12:00"))
    share = account.shares[0]
    of_budgets(account.money)
    for step in steps:
        share.tally.billed += step
        kept, was = share.shown, share.spent < share.shown_below

        assert kept == of_budgets(account.money) or not was
