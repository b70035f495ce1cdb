"""One line for each exchange: which columns there are, and which fit.

Used by `clearway log`, which lists and follows with the same columns, so that
lines stay under their headings. Pure but for the rich objects it makes.
"""

import re
from collections.abc import Callable
from datetime import tzinfo
from typing import Literal

import msgspec
from rich.table import Table
from rich.text import Text

from clearway.cli import figures, words
from clearway.cli.clean import clean
from clearway.ledger.protocol import AttemptRow, ExchangeRow

SHORT_ID = 13
"""Characters of an id that name its millisecond; enough for `clearway show`."""
_SNAPSHOT = re.compile(r"-20\d{6}$")


class Column(msgspec.Struct, frozen=True):
    """One column."""

    title: str
    width: int
    from_width: int
    """Shown on terminals at least this wide."""
    justify: Literal["left", "right"]
    text: Callable[[ExchangeRow, tzinfo], str]


def columns_for(width: int) -> list[Column]:
    """The columns that fit."""
    chosen = [column for column in _COLUMNS if column.from_width <= width]
    return [_widened(column, width) for column in chosen]


def table_of(rows: list[ExchangeRow], zone: tzinfo, width: int, *, header: bool = True) -> Table:
    """A table of exchanges, in the order given."""
    columns = columns_for(width)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=header, header_style="bold")
    for column in columns:
        table.add_column(column.title, width=column.width, justify=column.justify, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(_cell(column, row, zone) for column in columns))
    return table


def payer(row: ExchangeRow) -> str:
    """Who asked: the key's name, `own login`, or both."""
    if row.key_name or row.key_id:
        name = row.key_name or f"key {(row.key_id or '')[:SHORT_ID]}"
        return f"{name}+login" if row.client_credential else name
    return "own login" if row.client_credential else "-"


def short_model(name: str | None) -> str:
    """A model's name without what every name has: `sonnet-4-5`."""
    return _SNAPSHOT.sub("", name.removeprefix("claude-")) if name else "-"


def _what(row: ExchangeRow) -> str:
    """The model; for what is no answer of a model, the kind of request."""
    if row.endpoint in ("messages", "count_tokens"):
        model = short_model(row.response_model or row.request_model)
        return f"count {model}" if row.endpoint == "count_tokens" else model
    if row.endpoint == "batches" and row.response_model:
        # What a batch used, booked when its results were read.
        return f"batch {short_model(row.response_model)}"
    return row.path if row.endpoint in {"relay", "files", "batches"} else row.endpoint


def prompt_tokens(row: ExchangeRow | AttemptRow) -> int | None:
    """The whole prompt, cached or not."""
    parts = (row.input_tokens, row.cache_read_tokens, row.cache_write_5m_tokens, row.cache_write_1h_tokens)
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def cost(row: ExchangeRow) -> str:
    """`$0.0412` billed, `≈$0.0412` at list price for plan traffic, `?` where the price is unknown."""
    if row.cost_nano is not None:
        return figures.money(row.cost_nano)
    if row.estimate_nano is not None:
        return f"≈{figures.money(row.estimate_nano)}"
    return "?" if row.unpriced else "-"


def _cell(column: Column, row: ExchangeRow, zone: tzinfo) -> Text:
    style = words.style(row) if column.title == "RESULT" else "dim" if row.outcome is None else ""
    return Text(clean(column.text(row, zone)), style=style)


def _widened(column: Column, width: int) -> Column:
    extra = {"WHO": 8, "MODEL": 13} if width >= _WIDE else {"WHO": 2, "MODEL": 4} if width >= _ROOMY else {}
    return msgspec.structs.replace(column, width=column.width + extra.get(column.title, 0))


def _client(row: ExchangeRow) -> str:
    return (
        f"{row.client_name}/{row.client_version}" if row.client_name and row.client_version else row.client_name or "-"
    )


def _input(row: ExchangeRow) -> str:
    """What was not read from the cache."""
    prompt = prompt_tokens(row)
    return figures.count(None if prompt is None else prompt - (row.cache_read_tokens or 0))


_ROOMY = 108
_WIDE = 160
_COLUMNS = (
    Column("TIME", 8, 0, "left", lambda row, zone: figures.clock(row.admitted_us, zone)),
    Column("ID", SHORT_ID, 0, "left", lambda row, _: row.id[:SHORT_ID]),
    Column("WHO", 8, 100, "left", lambda row, _: payer(row).removeprefix("own ")),
    Column("CLIENT", 20, 160, "left", lambda row, _: _client(row)),
    Column("SESSION", 8, 140, "left", lambda row, _: (row.session_id or "-")[:8]),
    Column("AGENT", 8, 140, "left", lambda row, _: (row.agent_id or "-")[:8]),
    Column("MODEL", 10, 0, "left", lambda row, _: _what(row)),
    Column("RESULT", 11, 0, "left", lambda row, _: words.result(row)),
    Column("IN", 5, 0, "right", lambda row, _: _input(row)),
    Column("CACHED", 6, 100, "right", lambda row, _: figures.count(row.cache_read_tokens)),
    Column("OUT", 5, 0, "right", lambda row, _: figures.count(row.output_tokens)),
    Column("HIT", 4, 0, "right", lambda row, _: figures.share(row.cache_read_tokens, prompt_tokens(row))),
    Column("COST", 9, 0, "right", lambda row, _: cost(row)),
    Column("FIRST", 5, 100, "right", lambda row, _: figures.span(row.first_token_us)),
    Column("TOTAL", 5, 0, "right", lambda row, _: figures.span(row.total_us)),
)
