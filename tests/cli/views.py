"""Renders what the reading commands print, at a fixed width; writes the goldens when run.

    python -m tests.cli.views

rewrites `tests/cli/golden/`; the differences are to be read like code.
"""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console

from clearway.cli import exchange_line, show, usage, window_check, windows
from clearway.ledger.protocol import ExchangeQuery, UsageQuery
from clearway.ledger.store import Store
from clearway.ledger.window_states import concerns
from clearway.pricing.prices import PriceList
from tests.cli.exchanges import exchange_id, store_with_history
from tests.cli.windows import NOW_US, states

GOLDEN = Path(__file__).with_name("golden")
UTC = ZoneInfo("UTC")


def recorded(width: int) -> Console:
    """A console that keeps what it prints."""
    return Console(record=True, width=width, file=io.StringIO(), highlight=False, markup=False, no_color=True)


def log_view(store: Store, width: int) -> str:
    """`clearway log`."""
    screen = recorded(width)
    screen.print(exchange_line.table_of(store.exchanges(ExchangeQuery())[::-1], UTC, width))
    return _text(screen)


def usage_view(store: Store, width: int) -> str:
    """`clearway usage --by day,model`, with its remarks."""
    query = UsageQuery(by=("day", "model"))
    rows = store.usage(query)
    screen = recorded(width)
    screen.print(usage.table_of(rows, query.by, width))
    return _text(screen) + "\n".join(usage.remarks(rows)) + "\n"


def windows_view(width: int) -> str:
    """`clearway usage --windows`, with its notes."""
    screen = recorded(width)
    screen.print(windows.table_of(states(), NOW_US, width))
    return _text(screen) + "\n".join(windows.remarks(states(), UTC)) + "\n"


def check_view() -> str:
    """`clearway usage --check`."""
    found = [window_check.WindowConcern(concern=why, state=state) for state, why in concerns(states(), 0.9)]
    return "".join(f"{window_check.line_of(one, 0.9, NOW_US)}\n" for one in found)


def show_view(store: Store, width: int, number: int) -> str:
    """`clearway show` of one exchange."""
    screen = recorded(width)
    show.print_detail(screen, store.exchange(exchange_id(number)), UTC, PriceList.shipped())
    return _text(screen).replace(PriceList.shipped().version, "PRICES")


VIEWS: dict[str, Callable[[Store], str]] = {
    "log-100": lambda store: log_view(store, 100),
    "log-80": lambda store: log_view(store, 80),
    "log-200": lambda store: log_view(store, 200),
    "usage-120": lambda store: usage_view(store, 120),
    "usage-80": lambda store: usage_view(store, 80),
    "windows-120": lambda _: windows_view(120),
    "windows-80": lambda _: windows_view(80),
    "windows-check": lambda _: check_view(),
    "show-plan": lambda store: show_view(store, 100, 1),
    "show-billed": lambda store: show_view(store, 100, 2),
    "show-limited": lambda store: show_view(store, 100, 3),
    "show-unpriced": lambda store: show_view(store, 100, 5),
    "show-denied": lambda store: show_view(store, 100, 6),
    "show-running": lambda store: show_view(store, 100, 8),
}


def _text(screen: Console) -> str:
    return "\n".join(line.rstrip() for line in screen.export_text().splitlines()) + "\n"


def main() -> None:
    """Write every golden."""
    with tempfile.TemporaryDirectory() as place, store_with_history(Path(place) / "data") as store:
        for name, view in VIEWS.items():
            (GOLDEN / f"{name}.txt").write_text(view(store), "utf-8")


if __name__ == "__main__":
    main()
