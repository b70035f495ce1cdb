"""Rows as few and short statements.

Owns the text that the driver gets. New rows go as statements of many rows: each
statement is one step of the driver, and between two steps it lets go of the
interpreter's lock, which the event loop takes and keeps. Columns in which nothing
stands are left out: the driver of SQLite spends more on a None than SQLite on a number
(3,300 instructions, in search of its `__adapt__`), and a batch of usual exchanges has
one in every third place. Used by ledger/batch.

Growth: `_PLANS` plans for each kind of row, each with a text for every size.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache, reduce
from itertools import chain, compress
from operator import itemgetter, or_
from types import NoneType
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import BigInteger, Column, ColumnElement, Dialect, Table, Text
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql.compiler import SQLCompiler

from clearway.ledger.rows import SURE, Row, named, numbers_fit, texts_fit

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

_SIZES = (32, 16, 8, 4, 2, 1)
"""Rows in one statement, so that a few statements serve every batch."""
_PLANS = 32
_ONE_ROW = re.compile(r"(INSERT INTO \w+ )\((.*)\) VALUES \((.*)\)( ON CONFLICT .*)", re.DOTALL)


class _Parts(msgspec.Struct, frozen=True):
    """An INSERT in pieces; names and places of values in the order of a row."""

    into: str
    names: tuple[str, ...]
    values: tuple[str, ...]
    on_conflict: str


class _Plan(msgspec.Struct, frozen=True):
    """How rows are written in which the same columns are filled."""

    chosen: list[bool]
    """Those columns."""
    pick: Callable[[Row], Row]
    """Takes their values out of a row."""
    texts: dict[int, str]
    """The statements so far, by number of rows."""


class Insertion:
    """New rows; one that is there already stays, or is closed as an update would.

    Args:
        dialect: How the database is spoken to.
        table: Where they go.
        names: The columns of a row, in its order.
        closing: Those that are set where the row is there already; none: it stays.
        guard: The state in which it may be closed.
    """

    def __init__(
        self,
        dialect: Dialect,
        table: Table,
        names: Sequence[str],
        closing: Iterable[str] = (),
        guard: ColumnElement[bool] | None = None,
    ) -> None:
        self._dialect = dialect
        self._table = table
        self._names = names
        self._closing = tuple(closing)
        self._guard = guard
        self._texts = _picker([_is_text(table.c[name]) for name in names])
        self._numbers = _picker([_is_number(table.c[name]) for name in names])
        self._plan_of = lru_cache(_PLANS)(self._make_plan)

    def run(self, cursor: DBAPICursor, rows: list[Row]) -> None:
        """Write the rows, as few statements."""
        fitting = [row if self._fits(row) else tuple(named(self._names, row).values()) for row in rows]
        # What is left out of a new row is NULL, and so it is in `excluded` for one that is there.
        filled_in_any = reduce(or_, map(_filled, {tuple(map(type, row)) for row in fitting}))
        plan = self._plan_of(filled_in_any)
        filled = list(map(plan.pick, fitting))
        start = 0
        for size in _SIZES:
            while len(filled) - start >= size:
                values = tuple(chain.from_iterable(filled[start : start + size]))
                cursor.execute(plan.texts.get(size) or self._write(plan, size), values)
                start += size

    def _fits(self, row: Row) -> bool:
        return texts_fit(self._texts(row)) and numbers_fit(self._numbers(row))

    def _make_plan(self, places: int) -> _Plan:
        chosen = [bool(places >> place & 1) for place in range(len(self._names))]
        return _Plan(chosen, _picker(chosen), {})

    def _write(self, plan: _Plan, size: int) -> str:
        parts = self._parts
        names, row = ", ".join(compress(parts.names, plan.chosen)), ", ".join(compress(parts.values, plan.chosen))
        text = f"{parts.into}({names}) VALUES {', '.join([f'({row})'] * size)}{parts.on_conflict}"
        plan.texts[size] = text
        return text

    @cached_property
    def _parts(self) -> _Parts:
        insert = _insert(self._dialect, self._table)
        if self._guard is None:
            insert = insert.on_conflict_do_nothing()
        else:
            changed = {name: insert.excluded[name] for name in self._closing}
            key = list(self._table.primary_key)
            insert = insert.on_conflict_do_update(index_elements=key, set_=changed, where=self._guard)
        compiled = insert.compile(dialect=self._dialect, column_keys=self._names)
        if not isinstance(compiled, SQLCompiler) or compiled.positiontup is None:
            raise TypeError("ledger/database opens every engine with positional parameters")
        found = _ONE_ROW.fullmatch(str(compiled))
        if found is None:
            raise TypeError("an INSERT is not written as it was")
        order = [self._names.index(name) for name in compiled.positiontup]
        written = sorted(zip(order, found[2].split(", "), found[3].split(", "), strict=True))
        _, names, values = zip(*written, strict=True)
        return _Parts(found[1], names, values, found[4])


@lru_cache(8 * _PLANS)
def _filled(types: tuple[type, ...]) -> int:
    """The places that are not None in a row of such values, as bits."""
    return sum(1 << place for place, kind in enumerate(types) if kind is not NoneType)


def _picker(chosen: Sequence[bool]) -> Callable[[Row], Row]:
    """Takes the chosen values out of a row."""
    places = list(compress(range(len(chosen)), chosen))
    # Of one place alone `itemgetter` would hand out the value by itself.
    return itemgetter(*places) if len(places) > 1 else itemgetter(slice(places[0], places[0] + 1))


def _is_text(column: Column[Any]) -> bool:
    return isinstance(column.type, Text) and column.name not in SURE


def _is_number(column: Column[Any]) -> bool:
    return isinstance(column.type, BigInteger) and column.name not in SURE


def _insert(dialect: Dialect, table: Table) -> "postgresql.Insert | sqlite.Insert":
    # To import both would be a tenth of the time of a start.
    if dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415  # as above

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415  # as above

    return sqlite.insert(table)
