"""Where days begin in a time zone, for sums in SQL.

Owns the conversion of an IANA zone into steps of constant offset, so that
`(time + offset) / day` is exact on any database, also where a day has 23 or 25
hours or the offset is no whole hour. Pure but for reading the zone's rules.
Used by ledger/buckets.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from clearway.ledger.protocol import LedgerError

DAY_US = 86_400_000_000

_SECOND_US = 1_000_000
_STEP_S = 6 * 3_600
"""Zones change their offset months apart, never twice within a step."""


def offsets(zone: str, since_us: int, until_us: int) -> list[tuple[int, int]]:
    """Offsets from UTC within a range, as (from this time on, offset), ascending.

    Args:
        zone: An IANA name.
        since_us: The first time of interest; the first entry begins here.
        until_us: The last.

    Raises:
        LedgerError: No such zone.
    """
    rules = _rules(zone)
    at, end = since_us // _SECOND_US, until_us // _SECOND_US
    offset = _offset(rules, at)
    found = [(since_us, offset * _SECOND_US)]
    while rules is not None and at < end:
        after = min(at + _STEP_S, end)
        if _offset(rules, after) != offset:
            after = _change(rules, at, after)
            offset = _offset(rules, after)
            found.append((after * _SECOND_US, offset * _SECOND_US))
        at = after
    return found


def day_name(number: int) -> str:
    """The date of a day that is counted from 1970-01-01."""
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()


def local(zone: str, at_us: int) -> datetime:
    """A time, to the second, as clocks there show it. Raises LedgerError for an unknown zone."""
    moment = datetime.fromtimestamp(at_us // _SECOND_US, UTC)
    rules = _rules(zone)
    return moment if rules is None else moment.astimezone(rules)


def at_midnight(zone: str, year: int, month: int) -> int:
    """When a month begins, in UTC microseconds. Raises LedgerError for an unknown zone."""
    begins = datetime(year, month, 1, tzinfo=_rules(zone) or UTC)
    return int(begins.timestamp()) * _SECOND_US


def _rules(zone: str) -> ZoneInfo | None:
    if zone == "UTC":
        # Works without a time zone database.
        return None
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise LedgerError(f"the time zone {zone!r} is not known; use an IANA name such as Europe/Berlin") from error


def _offset(rules: ZoneInfo | None, at: int) -> int:
    if rules is None:
        return 0
    offset = datetime.fromtimestamp(at, UTC).astimezone(rules).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _change(rules: ZoneInfo, before: int, after: int) -> int:
    """The first second with the new offset, by halving."""
    old = _offset(rules, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(rules, middle) == old:
            before = middle
        else:
            after = middle
    return after
