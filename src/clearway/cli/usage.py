"""`clearway usage`: sums of tokens and money, and windows beside them."""

from typing import Annotated, get_args
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.table import Table

from clearway.cli import figures, window_check, windows
from clearway.cli.access import open_ledger
from clearway.cli.clean import clean
from clearway.cli.failures import Exit, Failure
from clearway.cli.moments import past
from clearway.cli.options import AsJson, load_config
from clearway.cli.screen import console, note, plain_table, print_json
from clearway.core.clock import SystemClock
from clearway.ledger.protocol import UsageBy, UsageQuery, UsageRow

_GROUPS: tuple[UsageBy, ...] = get_args(UsageBy)
_TIMES = {"hour", "day", "week", "month"}
_NARROW = 100
_ROOMY = 130
_SPARED = {"FAILED", "WRITTEN", "UNPRICED"}
"""Columns that narrow terminals go without; remarks tell of unpriced exchanges anyway."""
_UNKNOWN = {"key": "no key", "model": "no model", "session": "no session", "run": "no run", "client": "unknown"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("usage")(usage)


def usage(  # noqa: PLR0913  # one argument for each option
    context: typer.Context,
    *,
    by: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(_GROUPS)}; repeatable or with commas. Default day."),
    ] = None,
    since: Annotated[str | None, typer.Option(help="7d, 12h, or a date.")] = None,
    until: Annotated[str | None, typer.Option(help="A date, or how long ago.")] = None,
    key: Annotated[str | None, typer.Option(help="Only with this key (name or id).")] = None,
    model: Annotated[str | None, typer.Option(help="Only with this model.")] = None,
    session: Annotated[str | None, typer.Option(help="Only of this session.")] = None,
    run: Annotated[str | None, typer.Option(help="Only of this `clearway run`.")] = None,
    only_windows: Annotated[bool, typer.Option("--windows", help="Only the windows of subscriptions.")] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Look at windows only; exit code 6 where one is rejected, over the threshold, or runs out before its "
            "reset.",
        ),
    ] = False,
    threshold: Annotated[
        str | None, typer.Option(help=f"For --check: 80% or 0.8. Default {window_check.DEFAULT_THRESHOLD}.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Sum tokens and costs, and show the windows of subscriptions beside them.

    CACHED was read from the cache, WRITTEN into it; HIT is the cached part of all prompts.
    COST is money really billed. ≈ LIST is what subscription or simulated traffic would
    have cost at list price, and is never part of COST.

    Windows are read from answers that pass, never asked for: SEEN tells how old they are.
    With --json the sums alone are printed; with --windows --json the windows.
    """
    config = load_config(context).config
    zone, now_us = ZoneInfo(config.usage.timezone), SystemClock().now_us()
    narrowed = any((key, model, session, run, until))
    if only_windows or check or threshold is not None:
        _refuse_others(narrowed=narrowed or bool(by or since), lacks_check=threshold is not None and not check)
        most = window_check.threshold_of(threshold or window_check.DEFAULT_THRESHOLD)
        with open_ledger(config) as ledger:
            states = ledger.windows()
        if check:
            window_check.check(states, most, now_us, json=json)
        elif json:
            print_json(states)
        else:
            windows.show(context, states, now_us, zone)
        return
    query = UsageQuery(
        by=_groups(by or ["day"]),
        since_us=past(since, now_us=now_us, zone=zone, option="--since") if since else None,
        until_us=past(until, now_us=now_us, zone=zone, option="--until") if until else None,
        key=key,
        model=model,
        session=session,
        run=run,
        timezone=config.usage.timezone,
    )
    with open_ledger(config) as ledger:
        rows = ledger.usage(query)
        states = [] if json or narrowed else ledger.windows()
    if json:
        print_json(rows)
        return
    _show(context, rows, query)
    if states:
        if rows:
            typer.echo()
        windows.show(context, states, now_us, zone)


def _show(context: typer.Context, rows: list[UsageRow], query: UsageQuery) -> None:
    if not rows:
        note("no usage in this period")
        return
    screen = console(context)
    screen.print(table_of(rows, query.by, screen.width))
    for line in remarks(rows):
        note(line)
    if len(rows) >= query.limit:
        note(f"only the first {query.limit} groups are shown; narrow it with --since")


def _refuse_others(*, narrowed: bool, lacks_check: bool) -> None:
    if lacks_check:
        raise Failure("--threshold belongs to --check", "write: clearway usage --check --threshold 80%", Exit.USAGE)
    if narrowed:
        raise Failure("--windows and --check look at all windows", "leave --by and the filters out", Exit.USAGE)


def table_of(rows: list[UsageRow], by: tuple[UsageBy, ...], width: int) -> Table:
    """The table, with a row of totals where there is more than one row."""
    table = plain_table()
    table.show_footer = len(rows) > 1
    whole = sum_of(rows)
    names = [name for name in by if name != "total"]
    table.padding = (0, 2 if width >= _ROOMY else 1, 0, 0)
    for place, name in enumerate(names):
        # Where it gets narrow these give way, but for times; numbers never do.
        footer = "total" if place == 0 else ""
        table.add_column(name.upper(), footer=footer, overflow="ellipsis", no_wrap=name in _TIMES, min_width=8)
    columns = _columns(rows, width)
    totals = _cells(whole, columns)
    for title, footer in zip(columns, totals, strict=True):
        table.add_column(title, footer=footer, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(clean(row.group.get(name) or _UNKNOWN.get(name, "-")) for name in names), *_cells(row, columns))
    return table


def sum_of(rows: list[UsageRow]) -> UsageRow:
    """One row for all."""
    summed = {
        name: sum(getattr(row, name) for row in rows)
        for name in UsageRow.__struct_fields__
        if name not in {"group", "first_us", "last_us"}
    }
    return UsageRow(
        group={},
        first_us=min((row.first_us for row in rows), default=0),
        last_us=max((row.last_us for row in rows), default=0),
        **summed,
    )


def remarks(rows: list[UsageRow]) -> list[str]:
    """What the sums do not show."""
    whole = sum_of(rows)
    lines = []
    if whole.unpriced:
        lines.append(
            f"{_counted(whole.unpriced, 'exchange')} of a model without a known price: the sums lack them "
            "(set usage.prices to a file with their prices)"
        )
    if whole.estimated:
        owner = "its" if whole.estimated == 1 else "their"
        lines.append(f"{_counted(whole.estimated, 'exchange')} broke off: {owner} output is an estimate")
    return lines


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _columns(rows: list[UsageRow], width: int) -> list[str]:
    columns = ["EXCHANGES", "INPUT", "CACHED", "WRITTEN", "OUTPUT", "HIT", "COST", "≈ LIST"]
    if any(row.errors for row in rows):
        columns.insert(1, "FAILED")
    if any(row.unpriced for row in rows):
        columns.append("UNPRICED")
    return columns if width >= _NARROW else [title for title in columns if title not in _SPARED]


def _cells(row: UsageRow, columns: list[str]) -> list[str]:
    written = row.cache_write_5m_tokens + row.cache_write_1h_tokens
    prompt = row.input_tokens + row.cache_read_tokens + written
    cells = {
        "EXCHANGES": figures.whole(row.exchanges),
        "FAILED": figures.whole(row.errors) if row.errors else "-",
        "INPUT": figures.count(row.input_tokens),
        "CACHED": figures.count(row.cache_read_tokens),
        "WRITTEN": figures.count(written),
        "OUTPUT": figures.count(row.output_tokens),
        "HIT": figures.share(row.cache_read_tokens, prompt),
        "COST": _cost(row),
        "≈ LIST": f"≈{figures.money(row.estimate_nano)}" if row.estimate_nano else "-",
        "UNPRICED": f"{row.unpriced} !" if row.unpriced else "-",
    }
    return [cells[title] for title in columns]


def _cost(row: UsageRow) -> str:
    """`≥` where exchanges without a known price are missing from the sum, `?` where that is all there is."""
    if not row.unpriced:
        return figures.money(row.cost_nano)
    return f"≥{figures.money(row.cost_nano)}" if row.cost_nano else "?"


def _groups(values: list[str]) -> tuple[UsageBy, ...]:
    named = [name.strip() for value in values for name in value.split(",") if name.strip()]
    unknown = [name for name in named if name not in _GROUPS]
    if unknown:
        raise Failure(f"--by: there is no {unknown[0]!r}", f"known: {', '.join(_GROUPS)}", Exit.USAGE)
    groups = msgspec.convert(list(dict.fromkeys(named)), tuple[UsageBy, ...])
    return tuple(name for name in groups if name != "total") or ("total",)
