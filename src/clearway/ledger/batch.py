"""Many records as few statements.

Owns how records about one exchange fold into its newest state, and how a fold
is written: whatever the batching, the rows end up as if each record had been
applied alone. A batch may be applied twice: nothing is counted or added up.
Used by ledger/writer.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from sqlalchemy import ColumnElement, Connection, Insert, Table, Update, and_, bindparam, or_, update
from sqlalchemy.dialects import postgresql, sqlite

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
"""Rows of one shape have the same columns, as `executemany` needs; written in this order."""
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
        dialect: `sqlite` or `postgresql`.
    """

    def __init__(self, dialect: str) -> None:
        open_exchange = or_(exchanges.c.outcome.is_(None), exchanges.c.swept)
        open_attempt = or_(attempts.c.outcome.is_(None), attempts.c.swept)
        unseen_end = attempts.c.outcome.is_(None)
        this_exchange = exchanges.c.id == bindparam("at_id")
        this_attempt = and_(
            attempts.c.exchange_id == bindparam("at_exchange_id"), attempts.c.number == bindparam("at_number")
        )
        # What is settled stays settled; only the sweep's guess gives way to the truth.
        self._statements: dict[_Shape, Insert | Update] = {
            "admit": _insert_new(dialect, exchanges),
            "admit_settled": _insert_or_close(dialect, exchanges, _SETTLED, open_exchange),
            "settle": update(exchanges).where(this_exchange, open_exchange),
            "begin": _insert_new(dialect, attempts),
            "begin_seen": _insert_or_close(dialect, attempts, _SEEN, unseen_end),
            "begin_ended": _insert_or_close(dialect, attempts, _ENDED, open_attempt),
            "note": update(attempts).where(this_attempt, unseen_end),
            "end": update(attempts).where(this_attempt, open_attempt),
        }

    def apply(self, connection: Connection, changes: Mapping[str, Change]) -> None:
        """Write the fold inside the caller's transaction."""
        rows: dict[_Shape, list[Columns]] = {shape: [] for shape in self._statements}
        for exchange_id, change in changes.items():
            _exchange_row(rows, exchange_id, change)
            for attempt in change.attempts.values():
                _attempt_row(rows, attempt)
        for shape, statement in self._statements.items():
            if batch := rows[shape]:
                connection.execute(statement, batch)


def _insert_new(dialect: str, table: Table) -> Insert:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def _insert_or_close(dialect: str, table: Table, names: Iterable[str], guard: ColumnElement[bool]) -> Insert:
    """Insert the row; where it is there already, set `names` as an update would."""
    insert = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)
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
