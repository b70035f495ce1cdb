"""Sizes and durations, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.config.units import UnitError, format_duration, format_size, parse_duration, parse_size

SIZES = [
    ("0", 0),
    ("64", 64),
    ("64B", 64),
    ("64MB", 64_000_000),
    ("64 mb", 64_000_000),
    ("512KiB", 524_288),
    ("512kib", 524_288),
    ("1.5GB", 1_500_000_000),
    ("5GB", 5_000_000_000),
    ("2TiB", 2 * 1024**4),
]
DURATIONS = [
    ("0", 0.0),
    ("90", 90.0),
    ("1.5", 1.5),
    ("90s", 90.0),
    ("250ms", 0.25),
    ("12h", 43_200.0),
    ("30d", 2_592_000.0),
    ("2w", 1_209_600.0),
    ("1h30m", 5400.0),
    ("1h 30m", 5400.0),
    (" 5m ", 300.0),
    ("0.1s", 0.1),
]


@pytest.mark.parametrize(("text", "expected"), SIZES)
def test_size(text: str, expected: int) -> None:
    """KB is a thousand, KiB is 1024, case and spaces do not matter."""
    assert expected == parse_size(text)


@pytest.mark.parametrize(("text", "expected"), DURATIONS)
def test_duration(text: str, expected: float) -> None:
    """A number is seconds; parts add up."""
    assert expected == parse_duration(text)


@pytest.mark.parametrize(
    "text", ["", "MB", "64 parsecs", "-1MB", "1,5GB", "0.5B", "1e9", "٣MB", "6" * 40, "nan", "1MB2"]
)
def test_not_a_size(text: str) -> None:
    """Anything else is refused, naming what was written."""
    with pytest.raises(UnitError) as caught:
        parse_size(text)

    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["", "s", "5 years", "-5m", "1h30", "inf", "nan", "1e3", "5M"])
def test_not_a_duration(text: str) -> None:
    """Anything else is refused, naming what was written and what would do."""
    with pytest.raises(UnitError, match="90s"):
        parse_duration(text)


@given(st.integers(0, 10**15 - 1))
def test_size_there_and_back(size_bytes: int) -> None:
    """What is shown can be written back, and means the same."""
    assert size_bytes == parse_size(format_size(size_bytes))


@given(st.integers(0, 10**11))
def test_duration_there_and_back(duration_ms: int) -> None:
    """What is shown can be written back, and means the same to the millisecond."""
    assert duration_ms == round(parse_duration(format_duration(duration_ms / 1000)) * 1000)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0s"), (0.25, "250ms"), (1.5, "1.5s"), (90, "1m30s"), (86_400, "1d"), (2_592_000, "30d"), (5400, "1h30m")],
)
def test_duration_shown(seconds: float, expected: str) -> None:
    """Durations are shown in the units that people use."""
    assert expected == format_duration(seconds)
