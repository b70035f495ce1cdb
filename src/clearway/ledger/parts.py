"""Who has spent what: the ledger's sums by gateway, and which gateways live.

What counters that several gateways share are made of when they are missing, and put
right by when a gateway is gone. Every method may be called from any thread. Used by
compose, for limits/shared/past.
"""

import contextlib

import msgspec
from sqlalchemy import exists, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from clearway.ledger.asking import reading
from clearway.ledger.database import Database, unusable
from clearway.ledger.schema import exchanges, identity, instances
from clearway.ledger.spending import Spent, spent_columns


class Gateway(msgspec.Struct, frozen=True):
    """One start of a gateway."""

    id: str
    expires_us: int
    """When its lease is over."""
    has_open: bool
    """It left exchanges that nobody has ended yet."""


class Parts:
    """Reads them.

    Args:
        database: Of the ledger, open.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_shared = database.is_shared
        """Other gateways may live."""

    def identity(self, suggested: str) -> str:
        """What tells this ledger from others; `suggested`, where it has none yet. Raises LedgerError."""
        known = self._identity()
        if known is None:
            try:
                with contextlib.suppress(IntegrityError), self._database.writing() as connection:
                    # Where another gateway was faster, its name holds.
                    connection.execute(insert(identity), {"place": 1, "id": suggested})
            except SQLAlchemyError as error:
                raise unusable(error) from error
            known = self._identity()
        return known or suggested

    def gateways(self) -> list[Gateway]:
        """All that were ever started. Raises LedgerError."""
        is_open = exists().where(exchanges.c.instance_id == instances.c.id, exchanges.c.outcome.is_(None))
        with reading(self._database) as connection:
            rows = connection.execute(select(instances.c.id, instances.c.expires_us, is_open)).all()
        return [Gateway(*row) for row in rows]

    def spent(
        self,
        since_us: int,
        until_us: int,
        *,
        only: str | None = None,
        ended_before_us: int | None = None,
    ) -> dict[tuple[str, str | None], Spent]:
        """What exchanges that were admitted in a period, and are over, have spent. Raises LedgerError.

        Args:
            since_us: Where the period begins.
            until_us: Where it ends.
            only: By this gateway.
            ended_before_us: Only what had ended by then.

        Returns:
            By gateway and key.
        """
        columns = exchanges.c
        query = (
            select(columns.instance_id, columns.key_id, *spent_columns())
            .where(columns.admitted_us >= since_us, columns.ended_us.is_not(None))
            .group_by(columns.instance_id, columns.key_id)
        )
        if until_us < 1 << 62:
            query = query.where(columns.admitted_us < until_us)
        if only is not None:
            query = query.where(columns.instance_id == only)
        if ended_before_us is not None:
            query = query.where(columns.ended_us < ended_before_us)
        with reading(self._database) as connection:
            return {(instance, key): Spent(*map(int, sums)) for instance, key, *sums in connection.execute(query)}

    def _identity(self) -> str | None:
        with reading(self._database) as connection:
            return connection.execute(select(identity.c.id)).scalar_one_or_none()
