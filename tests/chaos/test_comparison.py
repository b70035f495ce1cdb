"""The comparison after a kill finds what it is there to find."""

import msgspec
import pytest

from tests.chaos.billing import Bill
from tests.chaos.killing import COMMIT_S, Asked, Figures, Round, Row, compare

KILLED_AT = 100.0
ASKED = Asked("request", "exchange", whole=True)
BILL = Bill("request", [(80.0, 17), (81.0, 20)])
ROW = Row("exchange", "request", "ok", estimated=False, tokens=37, cost_nano=1, attempts=1)
SWEPT = msgspec.structs.replace(ROW, outcome="interrupted", tokens=30)
RUNNING = Asked("request", "exchange")
LATELY = Bill("request", [(80.0, 17), (98.0, 13), (99.0, 7)])


def told(asked: Asked, bills: list[Bill], rows: list[Row]) -> Figures:
    """Of one life with one request."""
    return compare([Round(KILLED_AT, COMMIT_S, 1.0, [asked])], bills, rows)


def problems(figures: Figures) -> tuple[int, int, int]:
    """How many are lost, doubled and wrong."""
    return len(figures.lost), len(figures.doubled), len(figures.wrong)


CASES = [
    pytest.param(ASKED, [BILL], [ROW], (0, 0, 0), id="as-it-should-be"),
    pytest.param(RUNNING, [LATELY], [SWEPT], (0, 0, 0), id="swept-but-for-its-last-seconds"),
    pytest.param(RUNNING, [Bill("request", [(99.9, 17)])], [], (0, 0, 0), id="killed-before-the-commit"),
    pytest.param(RUNNING, [], [], (0, 0, 0), id="never-arrived"),
    pytest.param(ASKED, [BILL], [], (1, 0, 1), id="answered-and-missing"),
    pytest.param(ASKED, [BILL], [msgspec.structs.replace(ROW, id="other")], (1, 0, 0), id="another-exchange"),
    pytest.param(ASKED, [BILL], [ROW, msgspec.structs.replace(ROW, id="b")], (0, 1, 0), id="two-rows"),
    pytest.param(ASKED, [BILL, BILL], [ROW], (0, 1, 0), id="asked-upstream-twice"),
    pytest.param(ASKED, [BILL], [msgspec.structs.replace(ROW, tokens=36)], (0, 0, 2), id="charged-too-little"),
    pytest.param(ASKED, [BILL], [msgspec.structs.replace(ROW, tokens=38)], (0, 0, 2), id="charged-too-much"),
    pytest.param(ASKED, [BILL], [msgspec.structs.replace(ROW, cost_nano=None)], (0, 0, 1), id="for-nothing"),
    pytest.param(ASKED, [BILL], [msgspec.structs.replace(ROW, outcome=None)], (0, 0, 1), id="never-swept"),
    pytest.param(RUNNING, [BILL], [SWEPT], (0, 0, 1), id="swept-without-older-tokens"),
    pytest.param(RUNNING, [LATELY], [msgspec.structs.replace(SWEPT, tokens=0)], (0, 0, 2), id="swept-for-nothing"),
    pytest.param(Asked("request", "exchange", refused=503), [], [ROW], (0, 0, 3), id="refused-and-charged"),
]


@pytest.mark.parametrize(("asked", "bills", "rows", "expected"), CASES)
def test_comparison(asked: Asked, bills: list[Bill], rows: list[Row], expected: tuple[int, int, int]) -> None:
    """Each kind of mistake is counted where it belongs, and nothing else."""
    assert expected == problems(told(asked, bills, rows))
