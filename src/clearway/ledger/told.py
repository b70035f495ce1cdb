"""Which alerts have been told: each threshold of a budget or window once in each period.

One row each, so that neither a restart nor a second gateway on the same database tells
it again. Never on the way of a request. Used by observe/alerts, in a thread.

Growth: a row for each threshold that was ever passed, forgotten after 400 days where
its period ends at all.
"""

from collections.abc import Sequence

from sqlalchemy import delete, text
from sqlalchemy.exc import SQLAlchemyError

from clearway.core.clock import Clock
from clearway.ledger.database import Database, unusable
from clearway.ledger.schema import alerts

_KEPT_US = 400 * 86_400 * 1_000_000
# The same words for SQLite (3.24) and PostgreSQL; SQLAlchemy has them only behind each dialect's import.
_CLAIM = text(
    "INSERT INTO alerts (subject, since_us, permille, told_us) VALUES (:subject, :since_us, :permille, :told_us) "
    "ON CONFLICT (subject, since_us, permille) DO NOTHING"
)


class Told:
    """Remembers what has been told.

    Args:
        database: Of the ledger.
        clock: When.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def claim(self, subject: str, since_us: int, permilles: Sequence[int]) -> bool:
        """Whether the highest of some thresholds is still to be told, by whoever asks; it counts as told from now on.

        Args:
            subject: What it is about; tells budgets and windows apart.
            since_us: Its period.
            permilles: The thresholds that were passed, ascending; those below the last count as told, too.

        Raises:
            LedgerError: The database cannot be used.
        """
        now_us = self._clock.now_us()
        is_new = False
        try:
            with self._database.writing() as connection:
                for permille in permilles:
                    values = {"subject": subject, "since_us": since_us, "permille": permille, "told_us": now_us}
                    is_new = connection.execute(_CLAIM, values).rowcount == 1
        except SQLAlchemyError as error:
            raise unusable(error) from error
        return is_new

    def forget(self) -> None:
        """Let go of periods that are long over. Raises LedgerError."""
        old = (alerts.c.since_us > 0) & (alerts.c.told_us < self._clock.now_us() - _KEPT_US)
        try:
            with self._database.writing() as connection:
                connection.execute(delete(alerts).where(old))
        except SQLAlchemyError as error:
            raise unusable(error) from error
