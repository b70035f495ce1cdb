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

from clearway.core.clock import Clock
from clearway.core.ids import IdMaker
from clearway.keys import session
from clearway.keys.model import Key, KeyChange, KeySecret, KeySpec, NewKey
from clearway.ledger import audit_records, key_records, listing, session_records, spending, sums, window_records
from clearway.ledger.administration import COMMAND, Actor, What
from clearway.ledger.asking import reading, writing
from clearway.ledger.audit_records import Note, Subject
from clearway.ledger.database import Database
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
        self.clock = clock
        self.ids = ids
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

    def create_key(self, spec: KeySpec, *, by: Actor = COMMAND) -> NewKey:
        """Make a key. Raises LedgerError where the name is taken by a live key."""
        with self._changing_keys() as connection:
            made = key_records.create(connection, spec, key_id=self.ids.new(), now_us=self.clock.now_us())
            self._note(connection, audit_records.made(made.key), by)
        return made

    def list_keys(self, *, revoked: bool = False) -> list[Key]:
        """Live keys by creation, with the revoked ones on demand."""
        with reading(self.database) as connection:
            return key_records.listed(connection, revoked=revoked)

    def show_key(self, ref: str) -> Key:
        """One key. Raises NotInLedger."""
        with reading(self.database) as connection:
            return key_records.find(connection, ref)

    def update_key(self, ref: str, change: KeyChange, *, by: Actor = COMMAND) -> Key:
        """Change a key. Raises NotInLedger, or LedgerError for a revoked key or a taken name."""
        with self._changing_keys() as connection:
            before = key_records.find(connection, ref)
            after = key_records.change(connection, before.id, change)
            self._note(connection, audit_records.changed(before, after), by)
        return after

    def revoke_key(self, ref: str, *, by: Actor = COMMAND) -> Key:
        """End a key for good. Raises NotInLedger."""
        with self._changing_keys() as connection:
            before = key_records.find(connection, ref)
            after = key_records.revoke(connection, before.id, now_us=self.clock.now_us())
            if before.revoked_us is None:
                self._note(connection, audit_records.revoked(after), by)
        return after

    def rotate_key(self, ref: str, overlap_s: int, *, by: Actor = COMMAND) -> NewKey:
        """Give a key a new secret. Raises NotInLedger, or LedgerError for a revoked key."""
        with self._changing_keys() as connection:
            before = key_records.find(connection, ref)
            made = key_records.rotate(connection, before.id, overlap_s, now_us=self.clock.now_us())
            self._note(connection, audit_records.rotated(before, made.key, overlap_s), by)
        return made

    def make_link(self) -> str:
        """The token of a new sign-in link."""
        token, now_us = session.new_token(), self.clock.now_us()
        with writing(self.database) as connection:
            session_records.make_link(connection, session.digest(token), now_us=now_us)
            self._note(connection, Note(what="link.create"), COMMAND)
        return token

    def set_password(self, encoded: str | None, *, by: Actor = COMMAND) -> bool:
        """Set the admin password or remove it; ends all sessions. False: there was none to remove."""
        with writing(self.database) as connection:
            had_one = session_records.set_password(connection, encoded, now_us=self.clock.now_us())
            if encoded is not None or had_one:
                what: What = "password.remove" if encoded is None else "password.set"
                note = Note(what=what, subject=Subject(), before={"set": had_one}, after={"set": encoded is not None})
                self._note(connection, note, by)
        return encoded is not None or had_one

    def usage(self, query: UsageQuery, *, within_s: float | None = None) -> list[UsageRow]:
        """Sums by group. Raises LedgerError; TookTooLong past `within_s`."""
        with reading(self.database, within_s) as connection:
            return sums.usage(connection, query)

    def exchanges(self, query: ExchangeQuery, *, within_s: float | None = None) -> list[ExchangeRow]:
        """A page of exchanges. Raises LedgerError; TookTooLong past `within_s`."""
        with reading(self.database, within_s) as connection:
            return listing.page(connection, query)

    def exchange(self, ref: str) -> ExchangeDetail:
        """One exchange with its attempts. Raises NotInLedger."""
        with reading(self.database) as connection:
            return listing.detail(connection, ref)

    def windows(self) -> list[WindowState]:
        """The windows of every credential, as they were last seen. Raises LedgerError."""
        now_us = self.clock.now_us()
        return states_of(self.recent_windows(now_us), now_us)

    def window_history(self, query: WindowQuery) -> list[WindowPoint]:
        """How windows were used, oldest first. Raises LedgerError."""
        with reading(self.database) as connection:
            return window_records.history(connection, query)

    def recent_windows(self, now_us: int) -> dict[WindowKey, list[WindowRun]]:
        """Of each window the last run, and those of the last day. Raises LedgerError."""
        with reading(self.database) as connection:
            return window_records.recent(connection, now_us)

    def keep_windows(self, runs: Iterable[WindowRun]) -> None:
        """Write runs, new ones and such as were drawn out. Raises LedgerError."""
        with writing(self.database) as connection:
            window_records.keep(connection, runs)

    def prune_windows(self) -> int:
        """Forget what is over the bounds of the history; how many rows. Raises LedgerError."""
        with writing(self.database) as connection:
            return window_records.prune(connection, self.clock.now_us())

    def key_secrets(self) -> tuple[int, list[tuple[Key, KeySecret]]]:
        """The revision of the keys, and every secret worth knowing. Raises LedgerError."""
        with reading(self.database) as connection:
            # The revision first: a change between the two is then read once more, never missed.
            revision = key_records.revision(connection)
            return revision, key_records.with_secrets(connection, now_us=self.clock.now_us())

    def spent_by_key(self, *, since_us: int, before_us: int) -> dict[str | None, Spent]:
        """What was spent by exchanges admitted since a moment that ended before another. Raises LedgerError."""
        with reading(self.database) as connection:
            return spending.spent_by_key(connection, since_us=since_us, before_us=before_us)

    def key_revision(self) -> int:
        """A number that grows with every change of any key. Raises LedgerError."""
        with reading(self.database) as connection:
            return key_records.revision(connection)

    def _note(self, connection: Connection, change: Note, by: Actor) -> None:
        audit_records.note(connection, change, by, row_id=self.ids.new(), now_us=self.clock.now_us())

    @contextmanager
    def _changing_keys(self) -> Iterator[Connection]:
        with writing(self.database) as connection:
            yield connection
        for watcher in self._watchers:
            try:
                watcher()
            except LedgerError as error:
                # The change stands, and a new secret must reach its maker; `KeyCache.refresh` tries again.
                log.warning("keys_not_reloaded", error=str(error))
