"""The ledger on a database: what people read and change.

Owns the way from a question to a transaction, and from a driver's error to a
`LedgerError`; the statements are in key_records, sums and listing. Every method
may be called from any thread. Used by compose, server/control and the commands.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from clearway.core.clock import Clock
from clearway.core.ids import IdMaker
from clearway.keys.model import Key, KeyChange, KeySecret, KeySpec, NewKey
from clearway.ledger import key_records, listing, spending, sums, window_records
from clearway.ledger.database import Database, unusable
from clearway.ledger.migrate import bring_up_to_date
from clearway.ledger.protocol import (
    ExchangeDetail,
    ExchangeQuery,
    ExchangeRow,
    LedgerError,
    UsageQuery,
    UsageRow,
    WindowPoint,
    WindowQuery,
    WindowState,
)
from clearway.ledger.spending import Spent
from clearway.ledger.window_states import Key as WindowKey
from clearway.ledger.window_states import WindowRun, states_of

log = structlog.get_logger()


class Store:
    """Implements `ledger.protocol.Ledger`; made by `open`.

    Args:
        database: Open, with the current schema. The store closes it.
        clock: Where the times of keys come from.
        ids: Where the ids of keys come from.
    """

    def __init__(self, database: Database, clock: Clock, ids: IdMaker) -> None:
        self.database = database
        """For the writer, which writes the exchanges."""
        self._clock = clock
        self._ids = ids
        self._watchers: list[Callable[[], None]] = []

    @classmethod
    def open(cls, url: str, data_dir: Path, *, clock: Clock, ids: IdMaker) -> Self:
        """Open the ledger, made or migrated where needed. Call it as the data directory's owner.

        Args:
            url: `sqlite`, in the data directory, or `postgresql://…`.
            data_dir: Made (0700) where it is missing.
            clock: The time.
            ids: Maker of ids.

        Raises:
            LedgerError: It cannot be opened, or was made by a newer Clearway.
        """
        database = Database.open(url, data_dir)
        try:
            bring_up_to_date(database)
        except BaseException:
            database.close()
            raise
        return cls(database, clock, ids)

    def close(self) -> None:
        """Close the database. The writer must have been closed before."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def subscribe(self, watcher: Callable[[], None]) -> None:
        """Have `watcher` called after each change of a key by this process, on the changing thread."""
        self._watchers.append(watcher)

    def create_key(self, spec: KeySpec) -> NewKey:
        """Make a key. Raises LedgerError where the name is taken by a live key."""
        with self._changing_keys() as connection:
            return key_records.create(connection, spec, key_id=self._ids.new(), now_us=self._clock.now_us())

    def list_keys(self, *, revoked: bool = False) -> list[Key]:
        """Live keys by creation, with the revoked ones on demand."""
        with self._reading() as connection:
            return key_records.listed(connection, revoked=revoked)

    def show_key(self, ref: str) -> Key:
        """One key. Raises NotInLedger."""
        with self._reading() as connection:
            return key_records.find(connection, ref)

    def update_key(self, ref: str, change: KeyChange) -> Key:
        """Change a key. Raises NotInLedger, or LedgerError for a revoked key or a taken name."""
        with self._changing_keys() as connection:
            return key_records.change(connection, ref, change)

    def revoke_key(self, ref: str) -> Key:
        """End a key for good. Raises NotInLedger."""
        with self._changing_keys() as connection:
            return key_records.revoke(connection, ref, now_us=self._clock.now_us())

    def rotate_key(self, ref: str, overlap_s: int) -> NewKey:
        """Give a key a new secret. Raises NotInLedger, or LedgerError for a revoked key."""
        with self._changing_keys() as connection:
            return key_records.rotate(connection, ref, overlap_s, now_us=self._clock.now_us())

    def usage(self, query: UsageQuery) -> list[UsageRow]:
        """Sums by group. Raises LedgerError."""
        with self._reading() as connection:
            return sums.usage(connection, query)

    def exchanges(self, query: ExchangeQuery) -> list[ExchangeRow]:
        """A page of exchanges. Raises LedgerError."""
        with self._reading() as connection:
            return listing.page(connection, query)

    def exchange(self, ref: str) -> ExchangeDetail:
        """One exchange with its attempts. Raises NotInLedger."""
        with self._reading() as connection:
            return listing.detail(connection, ref)

    def windows(self) -> list[WindowState]:
        """The windows of every credential, as they were last seen. Raises LedgerError."""
        now_us = self._clock.now_us()
        return states_of(self.recent_windows(now_us), now_us)

    def window_history(self, query: WindowQuery) -> list[WindowPoint]:
        """How windows were used, oldest first. Raises LedgerError."""
        with self._reading() as connection:
            return window_records.history(connection, query)

    def recent_windows(self, now_us: int) -> dict[WindowKey, list[WindowRun]]:
        """Of each window the last run, and those of the last day. Raises LedgerError."""
        with self._reading() as connection:
            return window_records.recent(connection, now_us)

    def keep_windows(self, runs: Iterable[WindowRun]) -> None:
        """Write runs, new ones and such as were drawn out. Raises LedgerError."""
        with self._writing() as connection:
            window_records.keep(connection, runs)

    def prune_windows(self) -> int:
        """Forget what is over the bounds of the history; how many rows. Raises LedgerError."""
        with self._writing() as connection:
            return window_records.prune(connection, self._clock.now_us())

    def key_secrets(self) -> tuple[int, list[tuple[Key, KeySecret]]]:
        """The revision of the keys, and every secret worth knowing. Raises LedgerError."""
        with self._reading() as connection:
            # The revision first: a change between the two is then read once more, never missed.
            revision = key_records.revision(connection)
            return revision, key_records.with_secrets(connection, now_us=self._clock.now_us())

    def spent_by_key(self, *, since_us: int, before_us: int) -> dict[str | None, Spent]:
        """What was spent by exchanges admitted since a moment that ended before another. Raises LedgerError."""
        with self._reading() as connection:
            return spending.spent_by_key(connection, since_us=since_us, before_us=before_us)

    def key_revision(self) -> int:
        """A number that grows with every change of any key. Raises LedgerError."""
        with self._reading() as connection:
            return key_records.revision(connection)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self.database.reading() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise unusable(error) from error

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self.database.writing() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise unusable(error) from error

    @contextmanager
    def _changing_keys(self) -> Iterator[Connection]:
        with self._writing() as connection:
            yield connection
        for watcher in self._watchers:
            try:
                watcher()
            except LedgerError as error:
                # The change stands, and a new secret must reach its maker; `KeyCache.refresh` tries again.
                log.warning("keys_not_reloaded", error=str(error))
