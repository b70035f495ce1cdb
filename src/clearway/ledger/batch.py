"""The changes of many exchanges as few statements.

Owns which rows a change becomes: however what was told is batched, they end up as if
each record had been written alone. A batch may be applied twice: nothing is counted
or added up. Used by ledger/committer; what the driver gets is ledger/statements'.
"""

from collections.abc import Mapping
from typing import Literal

from sqlalchemy import Dialect, or_
from sqlalchemy.engine.interfaces import DBAPICursor

from clearway.ledger.fold import AttemptChange, Change
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
from clearway.ledger.statements import Insertion

_Shape = Literal["admitted", "settled", "begun", "seen", "ended"]
"""Rows of one shape have the same columns."""
_Rows = dict[_Shape, list[Row]]


class BatchWriter:
    """Writes changes to one kind of database; the statements are built once.

    Args:
        dialect: Of `Database.dialect`.
    """

    def __init__(self, dialect: Dialect) -> None:
        open_exchange = or_(exchanges.c.outcome.is_(None), exchanges.c.swept)
        open_attempt = or_(attempts.c.outcome.is_(None), attempts.c.swept)
        # What is settled stays settled; only the sweep's guess gives way to the truth.
        self._statements: dict[_Shape, Insertion] = {
            "admitted": Insertion(dialect, exchanges, ADMITTED),
            "settled": Insertion(dialect, exchanges, (*ADMITTED, *SETTLED), SETTLED, open_exchange),
            "begun": Insertion(dialect, attempts, STARTED),
            "seen": Insertion(dialect, attempts, (*STARTED, *MEASURED), MEASURED, attempts.c.outcome.is_(None)),
            "ended": Insertion(dialect, attempts, (*STARTED, *ENDED), ENDED, open_attempt),
        }

    def apply(self, cursor: DBAPICursor, changes: Mapping[str, Change]) -> None:
        """Write the changes inside the caller's transaction (`Database.driving`)."""
        rows: _Rows = {shape: [] for shape in self._statements}
        for change in changes.values():
            _add_exchange(rows, change)
            for attempt in change.attempts.values():
                _add_attempt(rows, attempt)
        for shape, statement in self._statements.items():
            if batch := rows[shape]:
                statement.run(cursor, batch)


def _add_exchange(rows: _Rows, change: Change) -> None:
    admitted = admission_row(change.admission)
    if change.settlement is None:
        rows["admitted"].append(admitted)
    else:
        rows["settled"].append(admitted + settlement_row(change.settlement))


def _add_attempt(rows: _Rows, attempt: AttemptChange) -> None:
    started = start_row(attempt.start)
    if attempt.end is not None:
        rows["ended"].append(started + end_row(attempt.end))
    elif attempt.progress is not None:
        rows["seen"].append(started + measure_row(attempt.progress.measure))
    else:
        rows["begun"].append(started)
