"""What the reading commands look like, from rows in a real store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from clearway.ledger.store import Store
from tests.cli.exchanges import store_with_history
from tests.cli.views import GOLDEN, VIEWS, log_view, usage_view


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with store_with_history(tmp_path_factory.mktemp("store") / "data") as store:
        yield store


@pytest.mark.parametrize("name", VIEWS)
def test_golden(name: str, store: Store) -> None:
    """Each view is as it was reviewed; `python -m tests.cli.views` writes new ones to review."""
    expected = (GOLDEN / f"{name}.txt").read_text("utf-8")

    assert expected == VIEWS[name](store)


def test_goldens_are_views() -> None:
    """No golden lies around without a view."""
    assert {f"{name}.txt" for name in VIEWS} == {path.name for path in Path(GOLDEN).iterdir()}


@pytest.mark.parametrize("width", [80, 81, 98, 99, 100, 107, 108, 120, 139, 140, 159, 160, 200])
def test_lines_fit(width: int, store: Store) -> None:
    """No line is wider than the terminal, at any width from 80 on, none is wrapped, and no number is cut."""
    lines = log_view(store, width).splitlines()

    assert len(lines) == 1 + 8
    assert lines[0].endswith("COST FIRST TOTAL" if width >= 100 else "COST TOTAL")
    assert not any(line.endswith("…") for line in lines)
    assert max(map(cell_len, lines)) <= width
    assert max(map(cell_len, usage_view(store, width).splitlines()[:-2])) <= width


def test_nothing_from_outside_reaches_the_terminal_raw(store: Store) -> None:
    """A model name full of escape sequences and overrides is shown without them."""
    shown = "".join(view(store) for view in VIEWS.values())

    assert "evilmodel" in shown
    assert not {"\x1b", "\u202e"} & set(shown)
