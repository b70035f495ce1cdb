"""How the bench judges what it has measured. Nothing is timed here."""

import pytest

from bench.case import Against, Case
from bench.cases.listing import CASES, NOT_BUILT
from bench.document import DOCUMENT, with_section
from bench.table import cells, markdown, row

JUDGED = [
    pytest.param(Against.RATIO, [10, 12, 90], [25, 36, 270], "3.00 \u00d7", (True, False), id="median-of-ratios"),
    pytest.param(Against.ADDED, [500], [502.5], "+2.5", (True, False), id="difference"),
    pytest.param(Against.ITSELF, [100], [1.5], "1.5", (True, True), id="itself-whatever-nginx-needs"),
    pytest.param(Against.ITSELF, [1], [3.5], "3.5", (False, False), id="missed"),
]


@pytest.mark.parametrize(("against", "limit", "ours", "shown", "met"), JUDGED)
def test_judged(against: Against, limit: list[float], ours: list[float], shown: str, met: tuple[bool, bool]) -> None:
    """Goals of 3 and 2 are held against the ratio, the difference or the figure itself, as the case says."""
    case = Case("name", "title", "unit", against, 3, 2, lambda _place, _seconds: 0.0)

    one = row(case, limit, ours)

    assert met == (one.is_first_met, one.is_then_met)
    assert shown == cells(one)[4]
    assert ["met" if each else "missed" for each in met] == [cell.rpartition(" ")[2] for cell in cells(one)[5:]]


def test_markdown_names_what_is_not_built() -> None:
    """Goals of parts that don't exist are rows too, so that nobody takes them for met."""
    said = markdown([], {"the goal": "the part"})

    assert "| the goal |" in said
    assert "not built: the part" in said


def test_names() -> None:
    """Each case has a name of its own, and goals that get harder."""
    assert len(CASES) == len({case.name for case in CASES})
    assert NOT_BUILT
    assert all(case.then <= case.first for case in CASES)


def test_a_part_of_the_document_is_said_anew() -> None:
    """What is around it stays, and saying it twice is saying it once."""
    document = "before\n<!-- bench: written by a program -->\nold\n<!-- bench: end -->\nafter\n"

    once = with_section(document, "bench", "new")

    assert once.startswith("before\n")
    assert once.endswith("after\n")
    assert "new" in once
    assert "old" not in once
    assert once == with_section(once, "bench", "new")


def test_the_document_has_its_parts() -> None:
    """What the bench and the soak write has a place in docs/performance.md."""
    for name in ("bench", "soak"):
        assert "table" in with_section(DOCUMENT.read_text(), name, "table")
    with pytest.raises(ValueError, match="no part `other`"):
        with_section(DOCUMENT.read_text(), "other", "table")
