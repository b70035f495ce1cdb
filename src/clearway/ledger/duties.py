"""What a gateway does for the ledger beside writing: keep its lease, sweep, re-read keys.

Owns when each is due. A duty that fails is logged and tried again when it is next
due. Runs on the writer's thread. Used by ledger/writer and ledger/committer.
"""

from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from clearway.core.clock import Clock
from clearway.ledger import instances
from clearway.ledger.database import Database, unusable
from clearway.ledger.instances import Instance
from clearway.ledger.keyring import KeyCache
from clearway.ledger.protocol import LedgerError

log = structlog.get_logger()

IDLE_S = 1.0
"""How often to look whether something is due."""
_KEYS_S = 1.0
"""A key that was changed by another process counts within a second or two."""
_SWEEP_S = 30.0

Duty = tuple[float, Callable[[], None]]
"""How often something is due, in seconds, and what: it may raise LedgerError."""


class Duties:
    """Of one instance.

    Args:
        database: Of the ledger.
        instance: This process.
        clock: The time.
        keys: The cache to keep fresh; None where there is none.
        more: Other rooms' duties.
    """

    def __init__(  # one argument for each duty
        self, database: Database, instance: Instance, clock: Clock, keys: KeyCache | None, more: Sequence[Duty] = ()
    ) -> None:
        self._database = database
        self._instance = instance
        self._clock = clock
        self._due: list[Duty] = [(instances.RENEW_S, self._renew), *more]
        if keys is not None:
            self._due.append((_KEYS_S, keys.refresh))
        if database.is_shared:
            self._due.append((_SWEEP_S, self._sweep_again))
        self._done_at = [0.0] * len(self._due)
        self.swept = 0
        """Exchanges of dead instances that were ended so far."""

    def start(self) -> None:
        """Register the instance and sweep.

        Raises:
            LedgerError: The database cannot be written.
        """
        try:
            with self._database.writing() as connection:
                instances.register(connection, self._instance, self._clock.now_us())
            self._sweep()
        except SQLAlchemyError as error:
            raise unusable(error) from error
        self._done_at = [self._clock.monotonic()] * len(self._due)

    def attend(self) -> None:
        """Do what is due."""
        now = self._clock.monotonic()
        for index, (every_s, duty) in enumerate(self._due):
            if now - self._done_at[index] >= every_s:
                self._done_at[index] = now
                _try(duty)

    def retire(self) -> None:
        """Give the lease back."""
        _try(self._retire)

    def _sweep(self) -> int:
        with self._database.writing() as connection:
            count = instances.sweep(
                connection, me=self._instance.id, now_us=self._clock.now_us(), alone=not self._database.is_shared
            )
        self.swept += count
        return count

    def _sweep_again(self) -> None:
        # The first time is told by whoever started the writer.
        if count := self._sweep():
            log.warning("exchanges_swept", exchanges=count, outcome="interrupted")

    def _renew(self) -> None:
        with self._database.writing() as connection:
            instances.renew(connection, self._instance.id, self._clock.now_us())

    def _retire(self) -> None:
        with self._database.writing() as connection:
            instances.retire(connection, self._instance.id, self._clock.now_us())


def _try(duty: Callable[[], None]) -> None:
    try:
        duty()
    except (SQLAlchemyError, LedgerError) as error:
        reason = unusable(error) if isinstance(error, SQLAlchemyError) else error
        log.warning("ledger_duty_failed", duty=duty.__name__.strip("_"), error=str(reason))
    except Exception:  # the writer's loop: it must outlive whatever comes
        log.exception("ledger_duty_failed", duty=duty.__name__.strip("_"))
