"""Days begin where the time zone says, to the second."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.ledger.days import DAY_US, day_name, offsets
from clearway.ledger.protocol import LedgerError

HOUR_US = 3_600_000_000
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Pacific/Chatham",
    "Pacific/Apia",
]


def micros(*moment: int) -> int:
    """A moment in UTC."""
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[misc,arg-type]  # year, month, day, …


def test_changes_of_a_year() -> None:
    """Berlin: one hour in winter, two in summer, from the very second."""
    found = offsets("Europe/Berlin", micros(2026, 1, 1), micros(2027, 1, 1))

    assert found == [
        (micros(2026, 1, 1), HOUR_US),
        (micros(2026, 3, 29, 1), 2 * HOUR_US),
        (micros(2026, 10, 25, 1), HOUR_US),
    ]


@settings(deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    since=st.integers(0, 4_000_000_000),
    length=st.integers(0, 3 * 366 * 86_400),
    where=st.floats(0, 1),
)
def test_agrees_with_the_calendar(zone: str, since: int, length: int, where: float) -> None:
    """For any time in any range the day is the one that the calendar of the zone shows."""
    at_us = (since + int(length * where)) * 1_000_000 + 999_999
    steps = offsets(zone, since * 1_000_000, (since + length) * 1_000_000 + 999_999)

    offset_us = max((start, offset) for start, offset in steps if start <= at_us)[1]

    expected = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).astimezone(ZoneInfo(zone))
    assert expected.date().isoformat() == day_name((at_us + offset_us) // DAY_US)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "a\0b", "/etc/passwd"])
def test_unknown_zone(zone: str) -> None:
    """A name that is no zone is refused with an example."""
    with pytest.raises(LedgerError, match="time zone"):
        offsets(zone, 0, 1)
