"""One database, of either kind: how it is opened, read and written.

Owns engines, connection settings and the mapping of drivers' errors. SQLite has
one writing connection for the whole process (the WAL-reset defect of SQLite
before 3.51.3 needs two) and read-only ones beside it; PostgreSQL has a pool.
Settings: sqlite.org/pragma.html; PostgreSQL 15, "Parameter Key Words" of libpq.
Used by ledger/store, ledger/writer and ledger/migrate.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import quote

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, func, make_url, select
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from clearway.ledger.directory import prepare_data_dir, prepare_file
from clearway.ledger.protocol import LedgerError, Unusable

FILE_NAME = "ledger.db"

_BUSY_S = 1.0
"""How long SQLite waits for another process before "database is locked"."""
_JOURNAL_BYTES = 64_000_000
_STEPS = 20_000
"""Instructions of SQLite's machine between two looks at the time: a millisecond or so."""
_INTERRUPTED = "interrupted"
_CANCELED = "57014"
"""PostgreSQL 15, "Error Codes": query_canceled."""
_READERS = 4
_CONNECT_S = 5
_SERVER_SETTINGS = {
    # A server that has vanished is noticed within seconds: the writer then
    # says that it is unhealthy instead of waiting for TCP's two hours.
    "connect_timeout": _CONNECT_S,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "clearway",
}


class Database:
    """An open database; usable from any thread."""

    def __init__(self, reader: Engine, writer: Engine, file: Path | None) -> None:
        self._reader = reader
        self._writer = writer
        self.file = file
        """Of SQLite; None for PostgreSQL."""
        self._driver_error: type[Exception] = writer.dialect.loaded_dbapi.Error

    @classmethod
    def open(cls, url: str, data_dir: Path) -> Self:
        """Open what `store.url` names: `sqlite` (in `data_dir`) or `postgresql://…`.

        Raises:
            LedgerError: It is neither, or cannot be reached or used.
        """
        database = cls._sqlite(data_dir) if url == "sqlite" else cls._postgresql(url)
        try:
            with database.writing():
                pass
        except SQLAlchemyError as error:
            database.close()
            raise unusable(error) from error
        except LedgerError:
            database.close()
            raise
        return database

    @classmethod
    def _sqlite(cls, data_dir: Path) -> Self:
        # As the driver would store it; but for what it has no adapter, it searches long (ledger/statements).
        sqlite3.register_adapter(bool, int)
        prepare_data_dir(data_dir)
        file = data_dir / FILE_NAME
        prepare_file(file)
        writer = create_engine(
            "sqlite://",
            creator=_connector(file, "rw", _set_up_writer),
            poolclass=QueuePool,
            # Waiting threads queue here: the one connection is also the lock.
            pool_size=1,
            max_overflow=0,
            hide_parameters=True,
        )
        reader = create_engine(
            "sqlite://",
            creator=_connector(file, "ro", _set_up_reader),
            poolclass=QueuePool,
            pool_size=_READERS,
            max_overflow=0,
            hide_parameters=True,
        )
        # The driver would begin late and never "immediate"; see SQLAlchemy's
        # documentation of pysqlite, "Serializable isolation".
        event.listen(writer, "begin", _begin_writing)
        event.listen(reader, "begin", _begin_reading)
        return cls(reader, writer, file)

    @classmethod
    def _postgresql(cls, text: str) -> Self:
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            # `from None`: the cause quotes parts of the address.
            raise LedgerError("store.url is neither `sqlite` nor a `postgresql://…` address") from None
        if url.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
            raise LedgerError(f"store.url begins with {url.drivername!r}; `sqlite` and `postgresql://…` are known")
        settings = {name: value for name, value in _SERVER_SETTINGS.items() if name not in url.query}
        try:
            engine = create_engine(
                _with_driver(url),
                connect_args=settings,
                pool_size=_READERS,
                max_overflow=2,
                pool_pre_ping=True,
                # By position, as SQLite's: ledger/batch hands tuples to the driver.
                paramstyle="format",
                hide_parameters=True,
            )
        except ImportError as error:
            raise LedgerError(
                "PostgreSQL needs one more package: pip install 'psycopg[binary]' (in a clone: make setup)"
            ) from error
        return cls(engine, engine, None)

    @property
    def dialect(self) -> Dialect:
        """How the database is spoken to; its `name` is `sqlite` or `postgresql`."""
        return self._writer.dialect

    @property
    def is_shared(self) -> bool:
        """Whether other gateways may use it at the same time."""
        return self.file is None

    @contextmanager
    def reading(self, within_s: float | None = None) -> Iterator[Connection]:
        """A connection for reading, inside a transaction.

        Args:
            within_s: A statement that is not done then is broken off; None: none is.
        """
        with self._reader.begin() as connection:
            if within_s is None:
                yield connection
            elif self.file is None:
                bound = func.set_config("statement_timeout", str(int(within_s * 1000)), True)  # noqa: FBT003  # SQL's own
                connection.execute(select(bound))
                yield connection
            else:
                with _bounded(connection, within_s):
                    yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection for writing: committed at the end, rolled back on an error."""
        with self._writer.begin() as connection:
            yield connection

    @contextmanager
    def driving(self) -> Iterator[DBAPICursor]:
        """The driver's own cursor, inside a transaction as with `writing`: for what is written
        all day long. A statement through a connection costs several times the driver's work.
        """
        try:
            connection = self._writer.raw_connection()
        except self._driver_error as error:
            raise self._told(error) from error
        try:
            cursor = connection.cursor()
            if self.file is not None:
                cursor.execute("BEGIN IMMEDIATE")
            yield cursor
            connection.commit()
        except BaseException as error:
            try:
                connection.rollback()
            except self._driver_error:
                # A server that is gone: the next batch begins with another connection.
                connection.invalidate()
            if isinstance(error, self._driver_error):
                raise self._told(error) from error
            raise
        finally:
            connection.close()

    def _told(self, error: Exception) -> Exception:
        """The driver's error as a connection would raise it, without statement and values."""
        return DBAPIError.instance("", None, error, self._driver_error, hide_parameters=True, dialect=self.dialect)

    def close(self) -> None:
        """Close all connections; SQLite then moves its journal into the file."""
        # Readers first: the last connection to close writes the journal back,
        # and a read-only one cannot.
        self._reader.dispose()
        self._writer.dispose()


def ran_out_of_time(error: SQLAlchemyError) -> bool:
    """Whether a statement was broken off because it took too long."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return str(cause) == _INTERRUPTED or getattr(cause, "sqlstate", None) == _CANCELED


@contextmanager
def _bounded(connection: Connection, within_s: float) -> Iterator[None]:
    driver = connection.connection.dbapi_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError(driver)
    deadline = time.monotonic() + within_s
    driver.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    try:
        yield
    finally:
        # The connection goes back to those who are not bounded.
        driver.set_progress_handler(None, 0)


def unusable(error: SQLAlchemyError) -> Unusable:
    """A driver's error for a person: its first line, without statement and values."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    reason = str(cause).strip().partition("\n")[0] or type(cause).__name__
    return Unusable(f"the ledger's database cannot be used: {reason}")


def _with_driver(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg")


def _connector(file: Path, mode: str, set_up: Callable[[sqlite3.Connection], None]) -> Callable[[], sqlite3.Connection]:
    address = f"file:{quote(str(file.absolute()))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        # The pool hands a connection from thread to thread, to one at a time.
        connection = sqlite3.connect(
            address, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=128
        )
        try:
            set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    return connect


def _set_up_writer(connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise LedgerError(
            "the data directory's file system cannot hold the ledger (no write-ahead log); use a local disk"
        )
    # NORMAL: a killed process loses nothing, a power cut may lose the last
    # commits but never the file (decision 0004).
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")


def _set_up_reader(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")
    # Sorting for a person's query must not need room on a full disk.
    connection.execute("PRAGMA temp_store = MEMORY")


def _begin_writing(connection: Connection) -> None:
    # Takes the write lock now, so that waiting happens here and not in the middle.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
