"""Which alerts have been told: each threshold of a budget or window once in each period,
and what is still on its way to a webhook.

A row for each threshold, so that neither a restart nor a second gateway on the same
database tells it again; a row for each message and receiver until it was taken or given
up, so that an end of the process loses none. Never on the way of a request. Used by
observe/alerts, in a thread.

Growth: a row for each threshold that was ever passed, forgotten after 400 days where
its period ends at all; messages are bounded by who sends them, and forgotten after a week.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
from sqlalchemy import Connection, RowMapping, and_, delete, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from clearway.core.clock import Clock
from clearway.ledger.database import Database, unusable
from clearway.ledger.schema import alert_messages, alerts, instances

_DAY_US = 86_400 * 1_000_000
_KEPT_US = 400 * _DAY_US
_UNDELIVERED_US = 7 * _DAY_US
# The same words for SQLite (3.24) and PostgreSQL; SQLAlchemy has them only behind each dialect's import.
_CLAIM = text(
    "INSERT INTO alerts (subject, since_us, permille, told_us) VALUES (:subject, :since_us, :permille, :told_us) "
    "ON CONFLICT (subject, since_us, permille) DO NOTHING"
)


class Undelivered(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way to one receiver."""

    message_id: str
    receiver: str
    """What tells it from others; never an address."""
    body: bytes


class Told:
    """Remembers what has been told, and what has not arrived.

    Args:
        database: Of the ledger.
        clock: When.
        instance_id: This process.
    """

    def __init__(self, database: Database, clock: Clock, instance_id: str) -> None:
        self._database = database
        self._clock = clock
        self._instance_id = instance_id

    def claim(self, subject: str, since_us: int, permilles: Sequence[int], messages: Sequence[Undelivered]) -> bool:
        """Whether the highest of some thresholds is still to be told, by whoever asks; it counts as told from now on.

        Args:
            subject: What it is about; tells budgets and windows apart.
            since_us: Its period.
            permilles: The thresholds that were passed, ascending; those below the last count as told, too.
            messages: Kept, in the same transaction, where it is to be told.

        Raises:
            LedgerError: The database cannot be used.
        """
        now_us = self._clock.now_us()
        is_new = False
        with self._writing() as connection:
            for permille in permilles:
                values = {"subject": subject, "since_us": since_us, "permille": permille, "told_us": now_us}
                is_new = connection.execute(_CLAIM, values).rowcount == 1
            if is_new:
                self._keep(connection, messages)
        return is_new

    def keep(self, messages: Sequence[Undelivered]) -> None:
        """Keep what belongs to no period that it could be claimed for. Raises LedgerError."""
        with self._writing() as connection:
            self._keep(connection, messages)

    def delivered(self, receiver: str, message_ids: Sequence[str]) -> None:
        """Let go of what was taken, or given up. Raises LedgerError."""
        these = and_(alert_messages.c.receiver == receiver, alert_messages.c.message_id.in_(message_ids))
        with self._writing() as connection:
            connection.execute(delete(alert_messages).where(these))

    def take_over(self, receivers: Sequence[str]) -> list[Undelivered]:
        """What dead gateways have left undelivered to some receivers: from now on it is this one's.
        Oldest first. Raises LedgerError.
        """
        left = (
            select(alert_messages)
            .join_from(alert_messages, instances, instances.c.id == alert_messages.c.instance_id, isouter=True)
            .where(alert_messages.c.receiver.in_(receivers), alert_messages.c.instance_id != self._instance_id)
            .order_by(alert_messages.c.message_id)
        )
        if self._database.is_shared:
            # Of a data directory there is one owner, and all others are dead.
            left = left.where(instances.c.id.is_(None) | (instances.c.expires_us <= self._clock.now_us()))
        with self._writing() as connection:
            rows = connection.execute(left).mappings().all()
            return [_undelivered(row) for row in rows if self._is_taken(connection, row)]

    def forget(self) -> None:
        """Let go of periods that are long over, and of what nobody took for a week. Raises LedgerError."""
        now_us = self._clock.now_us()
        old = (alerts.c.since_us > 0) & (alerts.c.told_us < now_us - _KEPT_US)
        with self._writing() as connection:
            connection.execute(delete(alerts).where(old))
            connection.execute(delete(alert_messages).where(alert_messages.c.made_us < now_us - _UNDELIVERED_US))

    def _keep(self, connection: Connection, messages: Sequence[Undelivered]) -> None:
        now_us = self._clock.now_us()
        rows = [
            {
                "message_id": message.message_id,
                "receiver": message.receiver,
                "instance_id": self._instance_id,
                "made_us": now_us,
                "body": message.body,
            }
            for message in messages
        ]
        if rows:
            connection.execute(insert(alert_messages), rows)

    def _is_taken(self, connection: Connection, row: RowMapping) -> bool:
        """Make a message this one's, unless another gateway was faster."""
        its = alert_messages.c
        this = and_(
            its.message_id == row["message_id"],
            its.receiver == row["receiver"],
            its.instance_id == row["instance_id"],
        )
        return connection.execute(update(alert_messages).where(this).values(instance_id=self._instance_id)).rowcount > 0

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._database.writing() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise unusable(error) from error


def _undelivered(row: RowMapping) -> Undelivered:
    return Undelivered(message_id=row["message_id"], receiver=row["receiver"], body=bytes(row["body"]))
