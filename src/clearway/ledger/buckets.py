"""Hours, days, weeks and months of a time zone, as groups of a statement and as names.

Owns the numbers by which times are grouped in SQL, the same on both databases, and
what each number is called. Exact where a day has 23 or 25 hours, where an hour comes
twice, and where the offset is no whole hour. Used by ledger/sums.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from sqlalchemy import BigInteger, ColumnElement, case, literal

from clearway.ledger.days import DAY_US, at_midnight, day_name, local, offsets
from clearway.ledger.protocol import UsageBy

BUCKETS: tuple[UsageBy, ...] = ("hour", "day", "week", "month")
_HOUR_US = 3_600_000_000
_WEEK_DAYS = 7
_THURSDAY = 3
"""1970-01-01 was one; weeks begin on Monday."""
_MONTHS = 12
_EPOCH_YEAR = 1970


def columns(
    time: ColumnElement[int], wanted: tuple[str, ...], zone: str, ends: tuple[int, int]
) -> Mapping[str, ColumnElement[int]]:
    """The wanted groups of a column of UTC microseconds.

    Args:
        time: The column.
        wanted: Of `BUCKETS`.
        zone: An IANA name.
        ends: The first and the last time that there is.

    Raises:
        LedgerError: No such zone.
    """
    shifted = time + _stepped(time, offsets(zone, *ends))
    day = shifted // _number(DAY_US)
    made: dict[str, ColumnElement[int]] = {}
    for name in wanted:
        if name == "hour":
            # By its beginning in UTC: the hour that a clock strikes twice is two.
            made[name] = time - shifted % _number(_HOUR_US)
        elif name == "day":
            made[name] = day
        elif name == "week":
            made[name] = (day + _number(_THURSDAY)) // _number(_WEEK_DAYS)
        elif name == "month":
            made[name] = _stepped(time, _months(zone, *ends))
    return made


def name_of(bucket: str, number: int, zone: str) -> str:
    """What people call the group of a number."""
    if bucket == "hour":
        return local(zone, number).isoformat(timespec="minutes")
    if bucket == "day":
        return day_name(number)
    if bucket == "week":
        year, week, _ = (date(1970, 1, 1) + timedelta(days=number * _WEEK_DAYS - _THURSDAY)).isocalendar()
        return f"{year:04d}-W{week:02d}"
    return f"{_EPOCH_YEAR + number // _MONTHS:04d}-{number % _MONTHS + 1:02d}"


def _months(zone: str, since_us: int, until_us: int) -> list[tuple[int, int]]:
    """Months, counted from January 1970, as (from this time on, number), ascending."""
    first, last = (datetime.fromtimestamp(at // 1_000_000, UTC) for at in (since_us, until_us))
    numbers = range(_month(first) - 1, _month(last) + 2)
    begun = [(at_midnight(zone, _EPOCH_YEAR + number // _MONTHS, number % _MONTHS + 1), number) for number in numbers]
    return [
        (at, number)
        for (at, number), (end, _) in pairwise([*begun, (until_us + 2, 0)])
        if end > since_us and at <= until_us
    ]


def _month(moment: datetime) -> int:
    return (moment.year - _EPOCH_YEAR) * _MONTHS + moment.month - 1


def _stepped(time: ColumnElement[int], steps: list[tuple[int, int]]) -> ColumnElement[int]:
    """The value of the last step that has begun."""
    value: ColumnElement[int] = _number(steps[-1][1])
    if len(steps) > 1:
        # Each value holds until the next begins.
        holds = [(time < until, _number(value)) for (_, value), (until, _) in pairwise(steps)]
        value = case(*holds, else_=value)
    return value


def _number(value: int) -> ColumnElement[int]:
    return literal(value, BigInteger)
