"""`clearway log`: exchanges, one a line, newest last; `--follow` goes on as they happen."""

from datetime import tzinfo
from typing import Annotated, get_args
from zoneinfo import ZoneInfo

import typer

from clearway.cli.access import open_ledger
from clearway.cli.exchange_line import table_of
from clearway.cli.failures import Exit, Failure
from clearway.cli.feed import follow
from clearway.cli.figures import day
from clearway.cli.options import AsJson, load_config
from clearway.cli.screen import console, note, print_json_line
from clearway.core.exchange import Outcome
from clearway.ledger.protocol import ExchangeQuery, ExchangeRow


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("log")(log)


def log(  # noqa: PLR0913  # one argument for each option
    context: typer.Context,
    *,
    number: Annotated[int, typer.Option("-n", "--number", min=0, max=10_000, help="How many.")] = 20,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they happen.")] = False,
    key: Annotated[str | None, typer.Option(help="Only with this key (name or id).")] = None,
    model: Annotated[str | None, typer.Option(help="Only with this model.")] = None,
    session: Annotated[str | None, typer.Option(help="Only of this session.")] = None,
    run: Annotated[str | None, typer.Option(help="Only of this `clearway run`.")] = None,
    outcome: Annotated[
        str | None, typer.Option(help="Only ok, client_closed, upstream_error, denied or interrupted.")
    ] = None,
    json: AsJson = False,
) -> None:
    """List exchanges, or follow them as they happen.

    COST is money; ≈ is the list price of what a subscription paid, ? an unknown price.
    IN is what was not read from the cache, HIT the cached part of the whole prompt.
    With --json one object per line, newest last.
    """
    if outcome is not None and outcome not in get_args(Outcome):
        raise Failure(f"--outcome: there is no {outcome!r}", f"known: {', '.join(get_args(Outcome))}", Exit.USAGE)
    config = load_config(context).config
    zone = ZoneInfo(config.usage.timezone)
    query = ExchangeQuery(limit=number, key=key, model=model, session=session, run=run, outcome=outcome)
    rows: list[ExchangeRow] = []
    if number:
        with open_ledger(config) as ledger:
            rows = ledger.exchanges(query)[::-1]
    printer = Printer(context, zone, json=json)
    if rows or not following:
        printer.print(rows)
    if number and not rows and not json and not following:
        is_narrowed = any((key, model, session, run, outcome))
        note("no exchange matches" if is_narrowed else "no exchanges yet; start with: clearway run -- claude")
    if following:
        follow(config, query, rows, printer.print)


class Printer:
    """Prints rows under one heading, with a line for each new day."""

    def __init__(self, context: typer.Context, zone: tzinfo, *, json: bool) -> None:
        self._console = console(context)
        self._zone = zone
        self._json = json
        self._day = ""

    def print(self, rows: list[ExchangeRow]) -> None:
        """Print rows, the oldest first."""
        if self._json:
            for row in rows:
                print_json_line(row)
            return
        start = 0
        for place, row in enumerate(rows):
            today = day(row.admitted_us, self._zone)
            if today != self._day:
                self._flush(rows[start:place])
                first = not self._day
                self._day, start = today, place
                self._console.print(f"{today} ({self._zone})", style="dim")
                if first:
                    self._console.print(table_of([], self._zone, self._console.width))
        self._flush(rows[start:])

    def _flush(self, rows: list[ExchangeRow]) -> None:
        if rows:
            self._console.print(table_of(rows, self._zone, self._console.width, header=False))
