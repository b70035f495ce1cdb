"""Windows as `clearway usage` shows them. Drawing only; judgement is ledger/window_states."""

from datetime import tzinfo

import typer
from rich.table import Table
from rich.text import Text

from clearway.cli import figures
from clearway.cli.clean import clean
from clearway.cli.screen import console, note, plain_table
from clearway.core.window import MILLION
from clearway.ledger.protocol import WindowState
from clearway.ledger.window_states import is_beside

_NARROW = 100
_ROOMY = 130
_SPARED = {"UPSTREAM", "PER HOUR"}
_WORDS = {"rejected": "red", "allowed_warning": "yellow", "allowed": "green"}


def show(context: typer.Context, states: list[WindowState], now_us: int, zone: tzinfo) -> None:
    """Print them, and notes on who is refused."""
    if not states:
        note("no windows seen yet: answers to the logins of subscriptions tell of them")
        return
    screen = console(context)
    screen.print(table_of(states, now_us, screen.width))
    for line in remarks(states, zone):
        note(line)


def table_of(states: list[WindowState], now_us: int, width: int) -> Table:
    """The table, one row for each window."""
    table = plain_table()
    table.padding = (0, 2 if width >= _ROOMY else 1, 0, 0)
    titles = ["CREDENTIAL", "UPSTREAM", "WINDOW", "USED", "STATUS", "RESETS", "PER HOUR", "FORECAST", "SEEN"]
    if width < _NARROW:
        titles = [title for title in titles if title not in _SPARED]
    for title in titles:
        table.add_column(title, justify="right" if title in {"USED", "PER HOUR"} else "left", overflow="ellipsis")
    for state in states:
        cells = _cells(state, now_us)
        table.add_row(*(cells[title] for title in titles))
    return table


def _cells(state: WindowState, now_us: int) -> dict[str, str | Text]:
    status = clean(state.status or "-")
    rate = state.rate_per_hour
    return {
        "CREDENTIAL": clean(state.credential_label),
        "UPSTREAM": clean(state.upstream),
        "WINDOW": clean(state.window),
        "USED": used(state.utilization),
        "STATUS": Text(status, style=_WORDS.get(status, "")),
        "RESETS": "-" if state.resets_us is None else from_now(state.resets_us, now_us),
        "PER HOUR": "-" if rate is None else f"{100 * rate:.1f}%",
        "FORECAST": forecast(state, now_us),
        "SEEN": f"{figures.lapse(state.age_us)} ago",
    }


def used(utilization: float | None) -> str:
    """`42%`; only what is used up is 100% or more."""
    return figures.share(None if utilization is None else round(utilization * MILLION), MILLION)


def forecast(state: WindowState, now_us: int) -> str:
    """What becomes of a window if things go on like this."""
    if state.is_over:
        return "reset since"
    if (state.status == "rejected" and not is_beside(state.window)) or (state.utilization or 0) >= 1:
        return "used up"
    if state.runs_out_us is not None:
        return f"out {from_now(state.runs_out_us, now_us)}"
    return "lasts" if state.rate_per_hour is not None and state.resets_us is not None else "-"


def remarks(states: list[WindowState], zone: tzinfo) -> list[str]:
    """Who is refused, and until when: of several windows the one that refuses longest."""
    return [
        f"{state.credential_label} is refused by its window {state.window}"
        + ("" if state.resets_us is None else f" until {figures.moment(state.resets_us, zone)}")
        for state in states
        if state.decides and state.status == "rejected"
    ]


def from_now(moment_us: int, now_us: int) -> str:
    """`in 2h05m`, `3m ago`."""
    if moment_us <= now_us:
        return f"{figures.lapse(now_us - moment_us)} ago"
    return f"in {figures.lapse(moment_us - now_us)}"
