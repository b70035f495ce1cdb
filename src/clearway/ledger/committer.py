"""The writer's thread: one transaction for each batch, tried until it succeeds.

Owns what happens when the database cannot be written (full disk, locked file,
lost server): the batch stays in hand and nothing overtakes it. Used by ledger/writer.
"""

import itertools
from collections.abc import Callable

import structlog
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError, StatementError

from clearway.ledger.backlog import Backlog, Batch
from clearway.ledger.batch import BatchWriter
from clearway.ledger.database import Database, unusable
from clearway.ledger.duties import IDLE_S, Duties
from clearway.ledger.fold import Changes

log = structlog.get_logger()

_BACK_OFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Pauses between tries of one batch; the last repeats."""


class Committer:
    """Writes batch after batch until the last.

    Args:
        database: Of the ledger.
        backlog: Where the batches come from.
        duties: What else the thread does, between batches.
        on_commit: Called on the thread with each batch that is written.
    """

    def __init__(
        self, database: Database, backlog: Backlog, duties: Duties, on_commit: Callable[[Batch], None]
    ) -> None:
        self._database = database
        self._batches = BatchWriter(database.dialect)
        self._backlog = backlog
        self._duties = duties
        self._on_commit = on_commit
        self.is_healthy = True
        """False since a try has failed and until one succeeds."""
        self.refused = 0
        """Exchanges that the database would never take; each was logged. 0, but for a defect."""

    def run(self) -> None:
        """The thread's life; ends after the last batch, or when the time for it is over."""
        is_last = False
        while not is_last:
            batch = self._backlog.take(IDLE_S)
            if batch is not None:
                is_last = batch.is_last
                if batch.changes and not self._write(batch.changes):
                    return
                self._on_commit(batch)
            if not is_last:
                self._duties.attend()
        self._duties.retire()

    def _write(self, changes: Changes) -> bool:
        """Write, whatever it takes; False where closing set an end to it."""
        for pause_s in itertools.chain(_BACK_OFF_S, itertools.repeat(_BACK_OFF_S[-1])):
            try:
                with self._database.driving() as cursor:
                    self._batches.apply(cursor, changes)
            except Exception as error:  # noqa: BLE001 the writer's loop: it must outlive whatever comes
                if _is_refusal(error):
                    return self._write_singly(changes, error)
                self._report(error)
            else:
                self._recover()
                return True
            if not self._backlog.pause(pause_s):
                break
        return False

    def _write_singly(self, changes: Changes, error: Exception) -> bool:
        """One exchange that is refused must not keep out the others for ever."""
        if len(changes) > 1:
            return all(self._write({exchange_id: change}) for exchange_id, change in changes.items())
        self.refused += 1
        self._recover()
        log.error("exchange_refused_by_database", exchange_id=next(iter(changes)), error=_reason(error))
        return True

    def _report(self, error: Exception) -> None:
        if self.is_healthy:
            self.is_healthy = False
            # A traceback only for a defect: a full disk needs none.
            log.error("ledger_not_writable", error=_reason(error), exc_info=not isinstance(error, SQLAlchemyError))

    def _recover(self) -> None:
        if not self.is_healthy:
            self.is_healthy = True
            log.warning("ledger_writable_again")


def _reason(error: Exception) -> str:
    """For the log: without statement and values."""
    return str(unusable(error)) if isinstance(error, SQLAlchemyError) else type(error).__name__


def _is_refusal(error: Exception) -> bool:
    """Whether the database objects to the values, so that trying again is in vain."""
    if isinstance(error, DataError | IntegrityError):
        return True
    # The driver could not even hand the values over.
    cause = error.orig if isinstance(error, StatementError) else error
    return isinstance(cause, OverflowError | UnicodeError | TypeError | ValueError)
