"""Numbers, money, times and strange text as people see them: tables."""

from zoneinfo import ZoneInfo

import pytest

from clearway.cli import figures
from clearway.cli.clean import clean
from clearway.cli.failures import Failure
from clearway.cli.moments import future, past

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
DAY_US = 86_400_000_000
NOW_US = 20_000 * DAY_US


@pytest.mark.parametrize(
    ("number", "expected"),
    [(None, "-"), (0, "0"), (999, "999"), (9_999, "9,999"), (12_345, "12.3k"), (999_499, "999k"), (1_240_000, "1.24M")],
)
def test_count(number: int | None, expected: str) -> None:
    """Counts stay short and keep three digits that matter."""
    assert expected == figures.count(number)


@pytest.mark.parametrize(
    ("part", "total", "expected"),
    [(0, 10, "0%"), (10, 10, "100%"), (9_999, 10_000, "99%"), (1, 10_000, "1%"), (None, 3, "-"), (0, 0, "-")],
)
def test_share(part: int | None, total: int, expected: str) -> None:
    """100% is all of it and 0% nothing of it; what lies between never looks like either."""
    assert expected == figures.share(part, total)


@pytest.mark.parametrize(
    ("nano", "expected"),
    [
        (None, "-"),
        (0, "$0"),
        (1, "<$0.0001"),
        (41_200_000, "$0.0412"),
        (1_063_761_250, "$1.064"),
        (12_345_678_900, "$12.35"),
        (1_234_000_000_000, "$1,234.00"),
    ],
)
def test_money(nano: int | None, expected: str) -> None:
    """Unknown is a dash, nothing is $0, and a little is never $0."""
    assert expected == figures.money(nano)


@pytest.mark.parametrize(
    ("nano", "expected"),
    [
        (None, "unknown"),
        (0, "$0.00"),
        (1, "$0.000000001"),
        (1_063_761_250, "$1.06376125"),
        (5_000_000_000, "$5.00"),
        (123_456_789_012_345_678, "$123,456,789.012345678"),
    ],
)
def test_exact_money(nano: int | None, expected: str) -> None:
    """Every nano-dollar is shown, also where a float would round."""
    assert expected == figures.exact_money(nano)


@pytest.mark.parametrize(
    ("duration_us", "expected"),
    [
        (None, "-"),
        (900, "1ms"),
        (41_000, "41ms"),
        (412_345, "0.41s"),
        (9_994_999, "9.99s"),
        (9_999_999, "10.0s"),
        (125_000_000, "2m05s"),
    ],
)
def test_span(duration_us: int | None, expected: str) -> None:
    """Durations keep five characters while they are likely."""
    assert expected == figures.span(duration_us)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain", "plain", id="plain"),
        pytest.param("grüße 你好", "grüße 你好", id="letters"),
        pytest.param("\x1b[31mred\x1b[0m", "red", id="colour"),
        pytest.param("\x1b]0;title\x07x", "x", id="window-title"),
        pytest.param("\x1b]8;;http://evil\x1b\\link", "link", id="hyperlink"),
        pytest.param("\x1b]52;c;ZXZpbA==\x07", "", id="clipboard"),
        pytest.param("\x1bPq#0\x1b\\x", "x", id="device-control"),
        pytest.param("\x9b31mx", "x", id="one-byte-csi"),
        pytest.param("a\r\nb\tc", "a  b c", id="line-breaks"),
        pytest.param("a\x00\x08\x7fb", "ab", id="controls"),
        pytest.param("\u202egnp.exe\u2066", "gnp.exe", id="bidirectional-overrides"),
        pytest.param("a\u200bb\ufeff", "ab", id="zero-width"),
        pytest.param("\ud800x", "x", id="lone-surrogate"),
        pytest.param("\x1b", "", id="lone-escape"),
        pytest.param("[bold]x[/bold]", "[bold]x[/bold]", id="markup-is-text"),
    ],
)
def test_clean(text: str, expected: str) -> None:
    """Nothing that a terminal obeys is left, and what is readable stays."""
    assert expected == clean(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", NOW_US - 7 * DAY_US),
        ("0s", NOW_US),
        ("2024-10-04", 20_000 * DAY_US - 2 * 3_600_000_000),
        ("2024-10-04T12:00", 20_000 * DAY_US + 10 * 3_600_000_000),
        ("2024-10-04T12:00Z", 20_000 * DAY_US + 12 * 3_600_000_000),
        ("99999d", 0),
    ],
)
def test_past(text: str, expected: int) -> None:
    """So long ago, or a date in the configured time zone."""
    assert expected == past(text, now_us=NOW_US, zone=BERLIN, option="--since")


def test_future() -> None:
    """`never` is None; what is over already, or no moment, is refused with the option's name."""
    assert future("never", now_us=NOW_US, zone=UTC, option="--expires") is None
    assert NOW_US + DAY_US == future("1d", now_us=NOW_US, zone=UTC, option="--expires")
    for text in ("2020-01-01", "0s", "soon", "30", "9999999d"):
        with pytest.raises(Failure, match=r"^--expires: "):
            future(text, now_us=NOW_US, zone=UTC, option="--expires")
