"""Rows as few and short statements.

Owns the text that the driver gets. New rows go as statements of many rows: each
statement is one step of the driver, and between two steps it lets go of the
interpreter's lock, which the event loop takes and keeps. Columns in which nothing
stands are left out: the driver of SQLite spends more on a None than SQLite on a number
(3,300 instructions, in search of its `__adapt__`), and a batch of usual exchanges has
one in every third place. Used by ledger/batch.

Growth: `_TEXTS` texts for each kind of row.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Boolean, Column, ColumnElement, Dialect, Table, Text
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql.compiler import SQLCompiler

from clearway.ledger.rows import SURE, Row, Value, numbers, texts

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

_SIZES = (32, 16, 8, 4, 2, 1)
"""Rows in one statement, so that a few statements serve every batch."""
_TEXTS = 128
_ONE_ROW = re.compile(r"(INSERT INTO \w+ )\((.*)\) VALUES \((.*)\)( ON CONFLICT .*)", re.DOTALL)


class _Parts(msgspec.Struct, frozen=True):
    """An INSERT in pieces; names and places of values in the order of a row."""

    into: str
    names: tuple[str, ...]
    values: tuple[str, ...]
    on_conflict: str


class _Kind(msgspec.Struct, frozen=True):
    """What a column may hold."""

    nothing: Value
    """Stands there where nothing is said."""
    fit: Callable[[Any], Row]
    """Brings many values into bounds."""


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
        self._kinds = [_kind(table.c[name]) for name in names]
        self._text_of = lru_cache(_TEXTS)(self._write)

    def run(self, cursor: DBAPICursor, rows: list[Row]) -> None:
        """Write the rows, as few statements."""
        # What is left out of a new row is also what `excluded` has for one that is there.
        places: list[int] = []
        columns: list[Row] = []
        for place, (column, kind) in enumerate(zip(zip(*rows, strict=True), self._kinds, strict=True)):
            if column[0] is not kind.nothing or column.count(kind.nothing) < len(column):
                places.append(place)
                columns.append(kind.fit(column))
        filled = list(zip(*columns, strict=True))
        chosen = tuple(places)
        start = 0
        for size in _SIZES:
            while len(filled) - start >= size:
                values = tuple(chain.from_iterable(filled[start : start + size]))
                cursor.execute(self._text_of(chosen, size), values)
                start += size

    def _write(self, places: tuple[int, ...], size: int) -> str:
        parts = self._parts
        names = ", ".join([parts.names[place] for place in places])
        row = ", ".join([parts.values[place] for place in places])
        return f"{parts.into}({names}) VALUES {', '.join([f'({row})'] * size)}{parts.on_conflict}"

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


def _kind(column: Column[Any]) -> _Kind:
    if isinstance(column.type, Boolean):
        return _Kind(False if column.server_default is not None else None, _as_it_is)
    if column.name in SURE:
        return _Kind(None, _as_it_is)
    return _Kind(None, texts if isinstance(column.type, Text) else numbers)


def _as_it_is(values: Row) -> Row:
    return values


def _insert(dialect: Dialect, table: Table) -> "postgresql.Insert | sqlite.Insert":
    # To import both would be a tenth of the time of a start.
    if dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415  # as above

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415  # as above

    return sqlite.insert(table)
