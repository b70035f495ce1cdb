"""What `make bench-check` calls a regression. Nothing is timed here."""

from pathlib import Path

import pytest

from bench.baseline import FILE, Baseline, Change, changes, read, write
from bench.check import GUARDED

BEFORE = Baseline("2026-11-21", "some machine", "some command", {"small": 4.0, "large": 2.0})

VERDICTS = [
    pytest.param(4.0, "same", id="as-before"),
    pytest.param(4.9, "same", id="worse-by-less-than-a-quarter"),
    pytest.param(5.0, "same", id="worse-by-a-quarter"),
    pytest.param(5.1, "regression", id="worse-by-more-than-a-quarter"),
    pytest.param(3.3, "same", id="a-little-better"),
    pytest.param(3.1, "gain", id="so-much-better-that-the-baseline-guards-nothing"),
]


@pytest.mark.parametrize(("now", "expected"), VERDICTS)
def test_verdict(now: float, expected: str) -> None:
    """A ratio may be a quarter worse than in the baseline, and not more."""
    change = Change("small", 4.0, now)

    assert expected == ("regression" if change.is_regression else "gain" if change.is_gain else "same")


def test_each_case_beside_its_own() -> None:
    """One case that got slower is not hidden by another that got faster."""
    found = changes(BEFORE, {"small": 2.0, "large": 3.0})

    assert {"small": False, "large": True} == {change.name: change.is_regression for change in found}


def test_unknown_case() -> None:
    """A case without a baseline is refused, because nothing would guard it."""
    with pytest.raises(LookupError, match="not in the baseline: new"):
        changes(BEFORE, {"small": 4.0, "new": 1.0})


def test_written_and_read(tmp_path: Path) -> None:
    """What is stored comes back."""
    write(BEFORE, tmp_path / "baseline.json")

    assert BEFORE == read(tmp_path / "baseline.json")


def test_stored_baseline() -> None:
    """The baseline in the repository has a ratio for each case that is guarded."""
    assert {case.name for case in GUARDED} == read(FILE).ratios.keys()
    assert all(ratio > 0 for ratio in read(FILE).ratios.values())
