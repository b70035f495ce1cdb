"""`clearway usage --windows` and `--check`: exit codes, both forms, and what is refused."""

import msgspec
import pytest

from clearway.cli.failures import Failure
from clearway.cli.figures import lapse
from clearway.cli.window_check import WindowConcern, threshold_of
from clearway.core.clock import SystemClock
from clearway.core.ids import IdMaker
from clearway.ledger.protocol import WindowState
from clearway.ledger.store import Store
from tests.cli.conftest import Desk
from tests.cli.exchanges import store_with_history
from tests.cli.windows import NOW_US, moved


@pytest.fixture
def windows_desk(desk: Desk) -> Desk:
    """A desk whose ledger has seen windows a moment ago."""
    clock = SystemClock()
    with Store.open("sqlite", desk.data_dir, clock=clock, ids=IdMaker(clock)) as store:
        store.keep_windows(moved(clock.now_us() - NOW_US))
    return desk


def test_check_finds(windows_desk: Desk) -> None:
    """Exit code 6, a line for each, the weightiest reason; a threshold may be chosen."""
    done = windows_desk.quick("usage", "--check")
    assert 6 == done.returncode
    assert ["rejected", "rejected", "85% used, out in"] == [
        line.partition(": ")[2][: len(why)]
        for line, why in zip(done.stdout.splitlines(), ["rejected", "rejected", "85% used, out in"], strict=True)
    ]
    stricter = windows_desk.quick("usage", "--check", "--threshold", "20%", "--json")
    assert 6 == stricter.returncode
    found = msgspec.json.decode(stricter.stdout, type=list[WindowConcern])
    assert ["rejected", "rejected", "over_threshold", "over_threshold", "over_threshold"] == [
        one.concern for one in found
    ]


def test_check_finds_nothing(desk: Desk) -> None:
    """Exit code 0, nothing on stdout (an empty list in JSON), and a word on stderr on why."""
    done = desk.quick("usage", "--check")

    assert (0, "") == (done.returncode, done.stdout)
    assert "no windows seen yet" in done.stderr
    assert [] == msgspec.json.decode(desk.quick("usage", "--check", "--json").stdout)
    assert "no windows seen yet" in desk.quick("usage", "--windows").stderr


def test_windows_in_json(windows_desk: Desk) -> None:
    """Every field by its documented name; the sums alone stay a list of sums."""
    shown = msgspec.json.decode(windows_desk.quick("usage", "--windows", "--json").stdout)

    assert 8 == len(shown)
    assert all(set(WindowState.__struct_fields__) == set(state) for state in shown)
    assert [] == msgspec.json.decode(windows_desk.quick("usage", "--json").stdout)


def test_windows_beside_the_sums(windows_desk: Desk) -> None:
    """Shown where everything is summed, not where it is narrowed to what windows are not about."""
    with store_with_history(windows_desk.data_dir):
        pass
    done = windows_desk.quick("usage")

    assert "COST" in done.stdout
    assert "login c0ffee00" in done.stdout
    assert "is refused by its window 7d until" in done.stderr
    assert "login c0ffee00" not in windows_desk.quick("usage", "--key", "team").stdout
    assert "COST" not in windows_desk.quick("usage", "--windows").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threshold", "80%"], "--threshold belongs to --check"),
        (["--check", "--by", "day"], "look at all windows"),
        (["--windows", "--model", "x"], "look at all windows"),
        (["--check", "--threshold", "much"], "'much' is no part of a window"),
    ],
)
def test_used_wrongly(desk: Desk, arguments: list[str], message: str) -> None:
    """Exit code 2 and what to do."""
    done = desk.quick("usage", *arguments)

    assert 2 == done.returncode
    assert message in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [("80%", 0.8), ("99.5 %", 0.995), ("0.8", 0.8), (".5", 0.5), ("1", 1.0), ("100%", 1.0), ("1.0", 1.0)],
)
def test_threshold(text: str, expected: float) -> None:
    """A percentage or a fraction, of one window at most."""
    assert expected == threshold_of(text)


@pytest.mark.parametrize("text", ["", "0", "0%", "0.0", "80", "101%", "1.1", "-5%", "nan", "1e-1", "%", "\u0664%"])
def test_threshold_that_is_none(text: str) -> None:
    """`80` could be meant in two ways; nothing is no threshold."""
    with pytest.raises(Failure, match="is no part of a window"):
        threshold_of(text)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h00m"), (172_799, "47h59m"), (172_800, "2d00h")],
)
def test_lapse(seconds: int, expected: str) -> None:
    """Rounded down, with the units that matter."""
    assert expected == lapse(seconds * 1_000_000)
