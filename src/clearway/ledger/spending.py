"""What was spent in a period, for budgets that begin to be kept.

Owns one question to the table of exchanges. Cost: one pass over the rows of the period;
for a budget in total over all of them. Used by ledger/store, for compose.
"""

from collections.abc import Iterable

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Connection, cast, func, select

from clearway.ledger.schema import exchanges

TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)
"""The columns that make a budget in tokens."""


class Spent(msgspec.Struct, frozen=True):
    """By one key, or by requests without one."""

    billed_nano: int
    estimate_nano: int
    tokens: int


def spent_by_key(connection: Connection, *, since_us: int, before_us: int) -> dict[str | None, Spent]:
    """What was spent by exchanges that were admitted since a moment.

    Args:
        connection: To read with.
        since_us: Where the period began.
        before_us: Only what ended before: later ends are counted elsewhere.
    """
    columns = exchanges.c
    query = (
        select(columns.key_id, *spent_columns())
        .where(columns.admitted_us >= since_us, columns.ended_us < before_us)
        .group_by(columns.key_id)
    )
    return {key_id: Spent(*map(int, sums)) for key_id, *sums in connection.execute(query)}


def spent_columns() -> tuple[ColumnElement[int], ...]:
    """The sums that make a `Spent`, in its order."""
    columns = exchanges.c
    tokens: ColumnElement[int] = sum(
        (func.coalesce(columns[name], 0) for name in TOKENS[1:]), func.coalesce(columns[TOKENS[0]], 0)
    )
    return _total(columns.cost_nano), _total(columns.estimate_nano), _total(tokens)


def total(sums: Iterable[Spent]) -> Spent:
    """Of everybody."""
    billed = estimate = tokens = 0
    for one in sums:
        billed += one.billed_nano
        estimate += one.estimate_nano
        tokens += one.tokens
    return Spent(billed, estimate, tokens)


def _total(column: ColumnElement[int]) -> ColumnElement[int]:
    # The sum of BIGINT is NUMERIC in PostgreSQL; of nothing it is NULL everywhere.
    return cast(func.coalesce(func.sum(column), 0), BigInteger)
