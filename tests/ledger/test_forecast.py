"""The arithmetic of windows: rates by hand, and what holds whatever comes."""

import itertools
import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from clearway.ledger.forecast import (
    HOUR_US,
    LONGEST_SPAN_US,
    MINUTE_US,
    Run,
    length_us,
    present_period,
    rate_per_hour,
    runs_out_us,
    span_us,
)

NOW = 1_800_000_000_000_000
DAY_US = 24 * HOUR_US


def run(from_h: float, until_h: float, began: float | None, used: float | None, resets_h: float | None = 2) -> Run:
    """A run; times in hours from now, use as fractions."""
    return Run(
        first_us=NOW + round(from_h * HOUR_US),
        seen_us=NOW + round(until_h * HOUR_US),
        began_ppm=None if began is None else round(began * 1_000_000),
        used_ppm=None if used is None else round(used * 1_000_000),
        resets_us=None if resets_h is None else NOW + round(resets_h * HOUR_US),
    )


@pytest.mark.parametrize(
    ("window", "length", "span"),
    [
        ("5h", 5 * HOUR_US, HOUR_US),
        ("7d", 7 * DAY_US, DAY_US),
        ("7d_opus", 7 * DAY_US, DAY_US),
        ("30m", 30 * MINUTE_US, HOUR_US // 2),
        ("1d", DAY_US, DAY_US // 5),
        ("overage", None, DAY_US),
        ("0h", None, DAY_US),
        ("hour", None, DAY_US),
        ("5hours", None, DAY_US),
    ],
)
def test_length_and_span(window: str, length: int | None, span: int) -> None:
    """A window's name tells how long it is, and so how far back a rate looks."""
    assert (length, span) == (length_us(window), span_us(window))


RATES = [
    pytest.param("5h", [run(0, 0, 0.3, 0.3)], 0.1, id="one-look-three-hours-in"),
    pytest.param("5h", [run(-1.5, -1.5, 0.3, 0.3), run(0, 0, 0.5, 0.5)], 0.2 / 1.5, id="between-two-looks"),
    pytest.param("5h", [run(-2, -1, 0.3, 0.3), run(0, 0, 0.5, 0.5)], 0.2, id="level-then-used"),
    pytest.param("5h", [run(-0.02, 0, 0.2, 0.5)], 0.3 + 0.2 / 2.98 * 0.98, id="within-a-run"),
    pytest.param("5h", [run(-2, -2, 0.4, 0.4)], 0.0, id="nothing-for-two-hours"),
    pytest.param("5h", [run(-0.5, -0.5, 0.4, 0.4)], 0.4 / 2.5 * 0.5, id="nothing-for-half-an-hour"),
    pytest.param("7d", [run(0, 0, 0.5, 0.5, 84)], 0.5 / 84, id="half-a-week-in"),
    pytest.param("5h", [run(0, 0, 0.1, 0.1, 4.95)], None, id="the-window-is-three-minutes-old"),
    pytest.param("overage", [run(0, 0, 0.5, 0.5)], None, id="no-beginning-known"),
    pytest.param("overage", [run(-4, -4, 0.5, 0.5), run(0, 0, 0.7, 0.7)], 0.05, id="no-beginning-but-history"),
    pytest.param("5h", [run(-2, -1, 0.9, 0.95, -0.5), run(0, 0, 0.02, 0.02, 4.5)], 0.04, id="reset-in-between"),
    pytest.param(
        "5h", [run(-2, -2, 0.9, 0.9, None), run(-0.5, -0.5, 0.1, 0.1, None), run(0, 0, 0.2, 0.2, None)], 0.2, id="fell"
    ),
    pytest.param("5h", [run(0, 0, None, None)], None, id="never-told"),
    pytest.param("5h", [run(-0.5, -0.5, 0.25, 0.25), run(0, 0, 0.249, 0.249)], 0.25 / 2.5 * 0.5, id="rounded-down"),
    pytest.param("5h", [run(8, 8, 0.3, 0.3, 10)], None, id="seen-in-the-future"),
    pytest.param("5h", [], None, id="nothing"),
]


@pytest.mark.parametrize(("window", "runs", "expected"), RATES)
def test_rate(window: str, runs: list[Run], expected: float | None) -> None:
    """Used in the last hour of a 5-hour window, in the last day of a week's; known from one look where the
    beginning is known.
    """
    found = rate_per_hour(window, runs, NOW)

    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert math.isclose(expected, found, abs_tol=2e-3)


FORECASTS = [
    pytest.param(0.5, 0.5, 2, 1.0, id="out-in-an-hour"),
    pytest.param(0.5, 0.25, 2, None, id="just-lasts"),
    pytest.param(0.5, 0.2, 2, None, id="lasts"),
    pytest.param(0.5, 0.0, 2, None, id="unused"),
    pytest.param(0.5, None, 2, None, id="rate-unknown"),
    pytest.param(0.5, 0.5, None, None, id="reset-unknown"),
    pytest.param(0.5, 0.5, 0, None, id="reset-now"),
    pytest.param(0.5, 0.5, -1, None, id="reset-over"),
    pytest.param(None, 0.5, 2, None, id="use-unknown"),
    pytest.param(1.0, None, 2, 0.0, id="used-up"),
    pytest.param(1.2, 0.0, 2, 0.0, id="more-than-used-up"),
    pytest.param(0.5, 5e-324, 2, None, id="smallest-rate"),
    pytest.param(0.999, 1e300, 2, 0.0, id="largest-rate"),
]


@pytest.mark.parametrize(("used", "rate", "resets_h", "expected_h"), FORECASTS)
def test_forecast(used: float | None, rate: float | None, resets_h: float | None, expected_h: float | None) -> None:
    """When nothing is left, where that is before the reset."""
    resets_us = None if resets_h is None else NOW + round(resets_h * HOUR_US)
    expected = None if expected_h is None else NOW + round(expected_h * HOUR_US)

    assert expected == runs_out_us(used, rate, now_us=NOW, resets_us=resets_us)


TIMES = st.integers(-40 * DAY_US, 40 * DAY_US).map(lambda offset: NOW + offset)
USED = st.none() | st.integers(0, 100_000_000)
WINDOWS = st.sampled_from(["5h", "7d", "7d_opus", "overage", "1m", "999d"])


@st.composite
def any_runs(draw: st.DrawFn) -> list[Run]:
    """Runs in any order of time, with any use and any reset: the clock jumps, resets move."""
    return [
        Run(
            first_us=(first := draw(TIMES)),
            seen_us=first + draw(st.integers(0, 2 * DAY_US)),
            began_ppm=(began := draw(USED)),
            used_ppm=draw(USED) if began is not None else None,
            resets_us=draw(st.none() | TIMES),
        )
        for _ in range(draw(st.integers(0, 8)))
    ]


@given(WINDOWS, any_runs(), TIMES)
def test_no_rate_is_absurd(window: str, runs: list[Run], now_us: int) -> None:
    """Never negative, never more than all that was seen within the least time that is looked at."""
    rate = rate_per_hour(window, runs, now_us)
    if rate is not None:
        most = max(used for one in runs for used in (one.began_ppm, one.used_ppm) if used is not None) / 1_000_000

        assert 0 <= rate <= most * 12 * HOUR_US / span_us(window) + 1e-9


@given(WINDOWS, any_runs(), TIMES, st.floats(0, 2), TIMES)
def test_no_forecast_is_absurd(window: str, runs: list[Run], now_us: int, used: float, resets_us: int) -> None:
    """A window runs out between now and its reset, or not before it."""
    found = runs_out_us(used, rate_per_hour(window, runs, now_us), now_us=now_us, resets_us=resets_us)

    assert found is None or now_us <= found <= resets_us


@given(any_runs())
def test_the_present_period_is_an_end(runs: list[Run]) -> None:
    """It is the last runs, none is left out, and within it time never goes back."""
    found = list(present_period(runs))

    assert runs[len(runs) - len(found) :] == found
    assert bool(found) == bool(runs)
    assert all(a.seen_us <= b.first_us for a, b in itertools.pairwise(found))


@given(st.integers(1, 900_000), st.integers(0, 100), st.integers(13 * MINUTE_US, 4 * HOUR_US), st.integers(1, 20))
def test_steady_use_is_found_out(start: int, percent_per_hour: int, since_us: int, looks: int) -> None:
    """However often one looks: who uses so much an hour is told so much an hour."""
    speed = percent_per_hour * 10_000
    runs = []
    for look in range(looks + 1):
        at = NOW - since_us + since_us * look // looks
        used = start + speed * (at - (NOW - since_us)) // HOUR_US
        runs.append(Run(first_us=at, seen_us=at, began_ppm=used, used_ppm=used, resets_us=None))
    # Without a reset the beginning is not known: only looks count. A day's window looks at more than there is.
    rate = rate_per_hour("1h", runs, NOW)

    assert LONGEST_SPAN_US > span_us("1h")
    assert rate is not None
    assert math.isclose(rate, speed / 1_000_000, abs_tol=1e-4)
