"""Calendar periods of budgets, in a time zone.

Owns where a day, week or month begins and ends; knows no budget. Pure.
A week begins on Monday (ISO 8601). Used by limits/tally.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo

import msgspec

from clearway.core.budget import Period

_US = 1_000_000
_LATE_US = 1 << 62


class Span(msgspec.Struct, frozen=True):
    """From `start_us` up to, and without, `end_us`; UTC microseconds."""

    start_us: int
    end_us: int

    def has(self, at_us: int) -> bool:
        """Whether a moment is in it."""
        return self.start_us <= at_us < self.end_us

    @property
    def resets_us(self) -> int | None:
        """Its end; None where it has none."""
        return None if self.end_us == _LATE_US else self.end_us


FOR_GOOD = Span(0, _LATE_US)


def span_of(period: Period, at_us: int, zone: tzinfo) -> Span:
    """The period that a moment is in."""
    if period == "total":
        return FOR_GOOD
    today = datetime.fromtimestamp(at_us / _US, UTC).astimezone(zone).date()
    if period == "day":
        first, after = today, today + timedelta(days=1)
    elif period == "week":
        first = today - timedelta(days=today.weekday())
        after = first + timedelta(days=7)
    else:
        first = today.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
    return Span(_midnight_us(first, zone), _midnight_us(after, zone))


def _midnight_us(day: date, zone: tzinfo) -> int:
    # Where clocks leap over midnight, the day begins at the first moment that there is.
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * _US
