"""How fast a window is used, and when it runs out. Pure.

A window counts from its beginning to its reset. What was seen of it are runs: pieces of
time with a value at each end, straight lines in between. A run belongs to the present
period if since then neither the reset has moved, nor the use has fallen, nor the clock
has gone back. All times are handed in; whatever they are, no rate is negative and no
window runs out in the past or after its reset.
Used by ledger/window_states.
"""

import re
from collections.abc import Sequence

import msgspec

from clearway.core.window import MILLION

HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000
LONGEST_SPAN_US = 24 * HOUR_US
"""A week's window is used by day and rests at night: a whole day is looked at."""

_SHORTEST_SPAN_US = HOUR_US // 2
_SPANS = 5
"""An hour of a window of five."""
_LEAST_OF_SPAN = 12
"""After this part of the span there is a rate; before, one request would decide."""
_SAME_RESET_US = 2 * MINUTE_US
"""The same reset is told by several sources, rounded in several ways."""
_SAME_USE_PPM = MILLION // 50
"""Likewise the same use, in percent or in fractions."""
_LENGTH = re.compile(r"(\d{1,3})([mhd])(?:[_-].*)?", re.ASCII)
_UNITS_US = {"m": MINUTE_US, "h": HOUR_US, "d": 24 * HOUR_US}


class Run(msgspec.Struct, kw_only=True):
    """A piece of time in which nothing happened that needs a run of its own."""

    first_us: int
    seen_us: int
    began_ppm: int | None
    """Used at its beginning, in millionths; None: it was not told."""
    used_ppm: int | None
    """Used at its end."""
    resets_us: int | None


def length_us(window: str) -> int | None:
    """From beginning to reset, by the window's name (`5h`, `7d_opus`); None where that does not tell."""
    found = _LENGTH.fullmatch(window)
    return None if found is None else int(found[1]) * _UNITS_US[found[2]] or None


def span_us(window: str) -> int:
    """The time that a rate is taken over, at most."""
    length = length_us(window)
    return LONGEST_SPAN_US if length is None else min(max(length // _SPANS, _SHORTEST_SPAN_US), LONGEST_SPAN_US)


def is_same_period(before: Run, resets_us: int | None, used_ppm: int | None, at_us: int) -> bool:
    """Whether what is seen at a moment goes on from `before`, or another period has begun."""
    if at_us < before.seen_us:
        return False
    if resets_us is not None and before.resets_us is not None and abs(resets_us - before.resets_us) > _SAME_RESET_US:
        return False
    return used_ppm is None or before.used_ppm is None or used_ppm >= before.used_ppm - _SAME_USE_PPM


def present_period(runs: Sequence[Run]) -> Sequence[Run]:
    """The last of `runs`, as far back as they belong to one period.

    Args:
        runs: In the order in which they were seen.
    """
    start = len(runs) - 1
    while start > 0:
        run = runs[start]
        if not is_same_period(runs[start - 1], run.resets_us, run.began_ppm, run.first_us):
            break
        start -= 1
    return runs[max(start, 0) :]


def rate_per_hour(window: str, runs: Sequence[Run], now_us: int) -> float | None:
    """The fraction that is used in an hour, over the last span; None while too little was seen.

    Where the beginning of the period is known, nothing was used then: one look suffices.

    Args:
        window: Its name.
        runs: In the order in which they were seen.
        now_us: Since the last look nothing is taken to have been used.
    """
    points = _points(window, present_period(runs), now_us)
    if not points:
        return None
    span = span_us(window)
    from_us = max(points[0][0], now_us - span)
    elapsed_us = now_us - from_us
    if elapsed_us < span // _LEAST_OF_SPAN:
        return None
    used_ppm = max(0.0, points[-1][1] - _at(points, from_us))
    return used_ppm / MILLION * HOUR_US / elapsed_us


def _points(window: str, runs: Sequence[Run], now_us: int) -> list[tuple[int, int]]:
    """(time, used), ascending in time, none after now."""
    points: list[tuple[int, int]] = []
    for run in runs:
        for at_us, used in ((run.first_us, run.began_ppm), (run.seen_us, run.used_ppm)):
            if used is not None and at_us <= now_us:
                points.append((at_us, used))
    length, resets_us = length_us(window), runs[-1].resets_us if runs else None
    if points and length is not None and resets_us is not None:
        begin_us = resets_us - length
        if begin_us < points[0][0]:
            points.insert(0, (begin_us, 0))
    return points


def _at(points: Sequence[tuple[int, int]], at_us: int) -> float:
    """Used at a moment: straight lines between points, level after the last."""
    before = points[0]
    for point in points:
        if point[0] > at_us:
            share = (at_us - before[0]) / (point[0] - before[0])
            return before[1] + share * (point[1] - before[1])
        before = point
    return before[1]


def runs_out_us(used: float | None, rate: float | None, *, now_us: int, resets_us: int | None) -> int | None:
    """When nothing is left, if things go on like this; None where the reset comes first or it cannot be told.

    Args:
        used: The used fraction.
        rate: The fraction used in an hour.
        now_us: The time.
        resets_us: Without a known reset there is no forecast.
    """
    if used is None or resets_us is None or resets_us <= now_us:
        return None
    if used >= 1:
        return now_us
    # Divided last: a rate may be as small as a float can be.
    if not rate or (1 - used) * HOUR_US >= rate * (resets_us - now_us):
        return None
    return min(now_us + round((1 - used) / rate * HOUR_US), resets_us)
