"""Many records as few statements.

Owns how records about one exchange fold into its newest state, and how a fold
is written: whatever the batching, the rows end up as if each record had been
applied alone. A batch may be applied twice: nothing is counted or added up.
Used by ledger/writer.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Literal

from sqlalchemy import ColumnElement, Connection, Dialect, Insert, Table, Update, and_, bindparam, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import SQLCompiler

from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Measure, Progress, Record, Settlement
from clearway.ledger.rows import (
    Columns,
    admission_columns,
    end_columns,
    measure_columns,
    settlement_columns,
    start_columns,
)
from clearway.ledger.schema import attempts, exchanges

_Shape = Literal["admit", "admit_settled", "settle", "begin", "begin_seen", "begin_ended", "note", "end"]
"""Rows of one shape have the same columns, as `executemany` needs."""
_Values = Callable[[Columns], tuple[object, ...]]
_ADMITTED = (
    "id",
    "instance_id",
    "admitted_us",
    "wire",
    "endpoint",
    "method",
    "path",
    "key_id",
    "client_credential",
    "run_id",
    "session_id",
    "agent_id",
    "parent_agent_id",
    "client_name",
    "client_version",
    "client_request_id",
    "request_model",
    "stream",
    "request_bytes",
)
_STARTED = ("exchange_id", "number", "upstream", "kind", "model", "started_us")
_SEEN = tuple(measure_columns(Measure()))
_ENDED = (*_SEEN, "ended_us", "outcome", "swept")
_SETTLED = (*_ENDED, "upstream", "kind", "attempts")


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
    exchange_id = record.id if isinstance(record, Admission) else record.exchange_id
    change = changes.get(exchange_id)
    if change is None:
        change = changes[exchange_id] = Change()
    if isinstance(record, Admission):
        change.admission = change.admission or record
        return
    if isinstance(record, Settlement):
        change.settlement = change.settlement or record
        return
    attempt = change.attempts.get(record.number)
    if attempt is None:
        attempt = change.attempts[record.number] = AttemptChange()
    if isinstance(record, Progress):
        attempt.progress = record
    elif isinstance(record, AttemptEnd):
        attempt.end = attempt.end or record
    else:
        attempt.start = attempt.start or record


class BatchWriter:
    """Writes folds to one kind of database; the statements are built once.

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
        # What is settled stays settled; only the sweep's guess gives way to the truth.
        statements: dict[_Shape, tuple[Insert | Update, tuple[str, ...]]] = {
            "admit": (_insert_new(dialect, exchanges), _ADMITTED),
            "admit_settled": (
                _insert_or_close(dialect, exchanges, _SETTLED, open_exchange),
                (*_ADMITTED, *_SETTLED),
            ),
            "settle": (update(exchanges).where(this_exchange, open_exchange), _SETTLED),
            "begin": (_insert_new(dialect, attempts), _STARTED),
            "begin_seen": (_insert_or_close(dialect, attempts, _SEEN, unseen_end), (*_STARTED, *_SEEN)),
            "begin_ended": (_insert_or_close(dialect, attempts, _ENDED, open_attempt), (*_STARTED, *_ENDED)),
            "note": (update(attempts).where(this_attempt, unseen_end), _SEEN),
            "end": (update(attempts).where(this_attempt, open_attempt), _ENDED),
        }
        self._spoken = {shape: _spoken(dialect, *statement) for shape, statement in statements.items()}

    def apply(self, connection: Connection, changes: Mapping[str, Change]) -> None:
        """Write the fold inside the caller's transaction."""
        rows: dict[_Shape, list[Columns]] = {shape: [] for shape in self._spoken}
        for exchange_id, change in changes.items():
            _exchange_row(rows, exchange_id, change)
            for attempt in change.attempts.values():
                _attempt_row(rows, attempt)
        for shape, (statement, values) in self._spoken.items():
            if batch := rows[shape]:
                # Straight to the driver's `executemany`: half the time of `connection.execute`.
                connection.exec_driver_sql(statement, [values(row) for row in batch])


def _spoken(dialect: Dialect, statement: Insert | Update, names: tuple[str, ...]) -> tuple[str, _Values]:
    """The statement as the driver takes it, and what brings a row's values into its order."""
    compiled = statement.compile(dialect=dialect, column_keys=names)
    if not isinstance(compiled, SQLCompiler) or compiled.positiontup is None:
        raise TypeError("ledger/database opens every engine with positional parameters")
    return str(compiled), itemgetter(*compiled.positiontup)


def _insert_new(dialect: Dialect, table: Table) -> Insert:
    insert = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def _insert_or_close(dialect: Dialect, table: Table, names: Iterable[str], guard: ColumnElement[bool]) -> Insert:
    """Insert the row; where it is there already, set `names` as an update would."""
    insert = (postgresql.insert if dialect.name == "postgresql" else sqlite.insert)(table)
    changed = {name: insert.excluded[name] for name in names}
    return insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed, where=guard)


def _exchange_row(rows: dict[_Shape, list[Columns]], exchange_id: str, change: Change) -> None:
    if change.settlement is None:
        if change.admission is not None:
            rows["admit"].append(admission_columns(change.admission))
    elif change.admission is None:
        rows["settle"].append(settlement_columns(change.settlement) | {"at_id": exchange_id})
    else:
        rows["admit_settled"].append(admission_columns(change.admission) | settlement_columns(change.settlement))


def _attempt_row(rows: dict[_Shape, list[Columns]], attempt: AttemptChange) -> None:
    start, seen = attempt.start, attempt.end or attempt.progress
    if seen is None:
        if start is not None:
            rows["begin"].append(start_columns(start))
        return
    columns = end_columns(seen) if isinstance(seen, AttemptEnd) else measure_columns(seen.measure)
    if start is not None:
        rows["begin_ended" if attempt.end else "begin_seen"].append(start_columns(start) | columns)
    else:
        at: Columns = {"at_exchange_id": seen.exchange_id, "at_number": seen.number}
        rows["end" if attempt.end else "note"].append(columns | at)
