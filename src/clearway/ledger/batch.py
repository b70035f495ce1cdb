"""Many records as few statements.

Owns how records about one exchange fold into its newest state, and how a fold
is written: whatever the batching, the rows end up as if each record had been
applied alone. A batch may be applied twice: nothing is counted or added up.

New rows go as statements of many rows: each statement is one step of the driver,
and between two steps it lets go of the interpreter's lock, which the event loop
takes and keeps. Used by ledger/writer.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import ColumnElement, Dialect, Insert, Table, Update, and_, bindparam, or_, update
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql.compiler import SQLCompiler

from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Progress, Record, Settlement
from clearway.ledger.rows import (
    ADMITTED,
    ENDED,
    MEASURED,
    SETTLED,
    STARTED,
    Row,
    admission_row,
    end_row,
    measure_row,
    settlement_row,
    start_row,
)
from clearway.ledger.schema import attempts, exchanges

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

_Shape = Literal["admit", "admit_settled", "settle", "begin", "begin_seen", "begin_ended", "note", "end"]
"""Rows of one shape have the same columns."""
_Rows = dict[_Shape, list[Row]]
_SIZES = (32, 16, 8, 4, 2, 1)
"""Rows in one statement, so that a few statements serve every batch."""
_ONE_ROW = re.compile(r"(INSERT .* VALUES )(\(.*\))( ON CONFLICT .*)", re.DOTALL)


class AttemptChange:
    """What happened to one try since it was last written."""

    __slots__ = ("end", "progress", "start")

    def __init__(self) -> None:
        self.start: AttemptStart | None = None
        self.progress: Progress | None = None
        self.end: AttemptEnd | None = None


class Change:
    """What happened to one exchange since it was last written."""

    __slots__ = ("admission", "attempts", "settlement")

    def __init__(self) -> None:
        self.admission: Admission | None = None
        self.settlement: Settlement | None = None
        self.attempts: dict[int, AttemptChange] = {}


Changes = dict[str, Change]
"""By exchange id. Grows with exchanges, not with records: a newer `Progress` replaces an older one."""


def fold(changes: Changes, record: Record) -> None:
    """Add one record; what comes first stands, but for `Progress`, where the last does."""
    _FOLDS[type(record)](changes, record)


def _change(changes: Changes, exchange_id: str) -> Change:
    change = changes.get(exchange_id)
    if change is None:
        change = changes[exchange_id] = Change()
    return change


def _fold_admission(changes: Changes, record: Admission) -> None:
    change = _change(changes, record.id)
    change.admission = change.admission or record


def _fold_settlement(changes: Changes, record: Settlement) -> None:
    change = _change(changes, record.exchange_id)
    change.settlement = change.settlement or record


def _attempt(changes: Changes, record: AttemptStart | Progress | AttemptEnd) -> AttemptChange:
    tries = _change(changes, record.exchange_id).attempts
    attempt = tries.get(record.number)
    if attempt is None:
        attempt = tries[record.number] = AttemptChange()
    return attempt


def _fold_start(changes: Changes, record: AttemptStart) -> None:
    attempt = _attempt(changes, record)
    attempt.start = attempt.start or record


def _fold_progress(changes: Changes, record: Progress) -> None:
    _attempt(changes, record).progress = record


def _fold_end(changes: Changes, record: AttemptEnd) -> None:
    attempt = _attempt(changes, record)
    attempt.end = attempt.end or record


_FOLDS: Mapping[type[Record], Callable[[Changes, Any], None]] = {
    Admission: _fold_admission,
    AttemptStart: _fold_start,
    Progress: _fold_progress,
    AttemptEnd: _fold_end,
    Settlement: _fold_settlement,
}


class BatchWriter:
    """Writes folds to one kind of database; each statement is built once, when it is first needed.

    Args:
        dialect: Of `Database.dialect`.
    """

    def __init__(self, dialect: Dialect) -> None:
        open_exchange = or_(exchanges.c.outcome.is_(None), exchanges.c.swept)
        open_attempt = or_(attempts.c.outcome.is_(None), attempts.c.swept)
        unseen_end = attempts.c.outcome.is_(None)
        this_exchange = exchanges.c.id == bindparam("at_id")
        this_attempt = and_(
            attempts.c.exchange_id == bindparam("at_exchange_id"), attempts.c.number == bindparam("at_number")
        )
        at_attempt = ("at_exchange_id", "at_number")
        # What is settled stays settled; only the sweep's guess gives way to the truth.
        self._statements: dict[_Shape, _Insertion | _Alteration] = {
            "admit": _Insertion(dialect, exchanges, ADMITTED),
            "admit_settled": _Insertion(dialect, exchanges, (*ADMITTED, *SETTLED), SETTLED, open_exchange),
            "settle": _Alteration(dialect, update(exchanges).where(this_exchange, open_exchange), (*SETTLED, "at_id")),
            "begin": _Insertion(dialect, attempts, STARTED),
            "begin_seen": _Insertion(dialect, attempts, (*STARTED, *MEASURED), MEASURED, unseen_end),
            "begin_ended": _Insertion(dialect, attempts, (*STARTED, *ENDED), ENDED, open_attempt),
            "note": _Alteration(dialect, update(attempts).where(this_attempt, unseen_end), (*MEASURED, *at_attempt)),
            "end": _Alteration(dialect, update(attempts).where(this_attempt, open_attempt), (*ENDED, *at_attempt)),
        }

    def apply(self, cursor: DBAPICursor, changes: Mapping[str, Change]) -> None:
        """Write the fold inside the caller's transaction (`Database.driving`)."""
        rows: _Rows = {shape: [] for shape in self._statements}
        for exchange_id, change in changes.items():
            _add_exchange(rows, exchange_id, change)
            for attempt in change.attempts.values():
                _add_attempt(rows, attempt)
        for shape, statement in self._statements.items():
            if batch := rows[shape]:
                statement.run(cursor, batch)


class _Insertion:
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

    @cached_property
    def _statement(self) -> tuple[dict[int, str], Callable[[Row], Row]]:
        """The statement by its number of rows, and the order of a row's values."""
        insert = _insert(self._dialect, self._table)
        if self._guard is None:
            insert = insert.on_conflict_do_nothing()
        else:
            changed = {name: insert.excluded[name] for name in self._closing}
            key = list(self._table.primary_key)
            insert = insert.on_conflict_do_update(index_elements=key, set_=changed, where=self._guard)
        text, ordered = _spoken(self._dialect, insert, self._names)
        parts = _ONE_ROW.fullmatch(text)
        if parts is None:
            raise TypeError("an INSERT is not written as it was")
        return {size: parts[1] + ", ".join([parts[2]] * size) + parts[3] for size in _SIZES}, ordered

    def run(self, cursor: DBAPICursor, rows: list[Row]) -> None:
        """Write the rows, as few statements."""
        texts, ordered = self._statement
        start = 0
        for size in _SIZES:
            while len(rows) - start >= size:
                values = tuple(chain.from_iterable(map(ordered, rows[start : start + size])))
                cursor.execute(texts[size], values)
                start += size


class _Alteration:
    """Changes of rows that are there."""

    def __init__(self, dialect: Dialect, statement: Update, names: Sequence[str]) -> None:
        self._parts = dialect, statement, names

    @cached_property
    def _statement(self) -> tuple[str, Callable[[Row], Row]]:
        return _spoken(*self._parts)

    def run(self, cursor: DBAPICursor, rows: list[Row]) -> None:
        """Write the changes."""
        text, ordered = self._statement
        cursor.executemany(text, [ordered(row) for row in rows])


def _insert(dialect: Dialect, table: Table) -> "postgresql.Insert | sqlite.Insert":
    # To import both would be a tenth of the time of a start.
    if dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415  # as above

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415  # as above

    return sqlite.insert(table)


def _spoken(dialect: Dialect, statement: Insert | Update, names: Sequence[str]) -> tuple[str, Callable[[Row], Row]]:
    """The statement as the driver takes it, and what brings the values, given as `names`, into its order."""
    compiled = statement.compile(dialect=dialect, column_keys=names)
    if not isinstance(compiled, SQLCompiler) or compiled.positiontup is None:
        raise TypeError("ledger/database opens every engine with positional parameters")
    places = {name: place for place, name in enumerate(names)}
    return str(compiled), itemgetter(*(places[name] for name in compiled.positiontup))


def _add_exchange(rows: _Rows, exchange_id: str, change: Change) -> None:
    admission, settlement = change.admission, change.settlement
    if settlement is None:
        if admission is not None:
            rows["admit"].append(admission_row(admission))
    elif admission is None:
        rows["settle"].append((*settlement_row(settlement), exchange_id))
    else:
        rows["admit_settled"].append(admission_row(admission) + settlement_row(settlement))


def _add_attempt(rows: _Rows, attempt: AttemptChange) -> None:
    start, progress, end = attempt.start, attempt.progress, attempt.end
    if end is not None:
        if start is not None:
            rows["begin_ended"].append(start_row(start) + end_row(end))
        else:
            rows["end"].append((*end_row(end), end.exchange_id, end.number))
    elif progress is not None:
        if start is not None:
            rows["begin_seen"].append(start_row(start) + measure_row(progress.measure))
        else:
            rows["note"].append((*measure_row(progress.measure), progress.exchange_id, progress.number))
    elif start is not None:
        rows["begin"].append(start_row(start))
