"""Opening the ledger: private, durable, and clear about what is wrong."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clearway.core.clock import SystemClock
from clearway.core.ids import IdMaker
from clearway.ledger.protocol import LedgerError
from clearway.ledger.store import Store
from tests.ledger.stories import Story, keep_stories, new_ids
from tests.services import Postgres

URLS = [
    pytest.param("", "neither `sqlite` nor", id="empty"),
    pytest.param("ledger.db", "neither `sqlite` nor", id="path"),
    pytest.param("mysql://u:hunter2@h/d", "'mysql'", id="other-database"),
    pytest.param("sqlite:////tmp/x.db", "'sqlite'", id="sqlite-elsewhere"),
    pytest.param("postgresql://u:hunter2@h:port/d", "neither `sqlite` nor", id="bad-port"),
    pytest.param("postgresql://u:hunter2@127.0.0.1:1/d?connect_timeout=2", "cannot be used", id="nobody-there"),
]


def open_at(url: str, data_dir: Path) -> Store:
    """With the machine's clock."""
    return Store.open(url, data_dir, clock=SystemClock(), ids=IdMaker(SystemClock()))


@pytest.mark.parametrize(("url", "message"), URLS)
def test_bad_address(url: str, message: str, tmp_path: Path) -> None:
    """An address that cannot be used says why, and never shows a password."""
    with pytest.raises(LedgerError, match=message) as refused:
        open_at(url, tmp_path / "data")

    assert "hunter2" not in str(refused.value)


def test_wrong_password_is_not_shown(server: Postgres, tmp_path: Path) -> None:
    """A refused sign-in names the user, not the password."""
    url = server.url.replace(server.password, "hunter2")

    with pytest.raises(LedgerError, match="password authentication failed") as refused:
        open_at(url, tmp_path / "data")

    assert "hunter2" not in str(refused.value)


def test_files_are_private_and_survive_a_kill(tmp_path: Path) -> None:
    """Directory 0700, every file 0600 whatever the umask, journal in WAL mode with NORMAL."""
    before = os.umask(0)
    try:
        with open_at("sqlite", tmp_path / "data") as store:
            keep_stories(store, [Story(one) for one in new_ids(2)])
            modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()}
            with store.database.writing() as connection:
                pragmas = [
                    connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                    for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
                ]
    finally:
        os.umask(before)

    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert pragmas == ["wal", 1, 1, 1000]


def test_closing_leaves_one_file(tmp_path: Path) -> None:
    """After closing the journal is in the file: it can be copied as it is."""
    with open_at("sqlite", tmp_path / "data") as store:
        keep_stories(store, [Story(one) for one in new_ids(2)])
        assert len(store.list_keys()) == 0

    assert [path.name for path in (tmp_path / "data").iterdir()] == ["ledger.db"]


def test_odd_directory_name(tmp_path: Path) -> None:
    """A name with characters that mean something in an address is only a name."""
    odd = tmp_path / "a ?mode=memory#%41é"

    open_at("sqlite", odd).close()

    assert (odd / "ledger.db").stat().st_size > 0


def test_link_is_refused(tmp_path: Path) -> None:
    """A ledger that leads elsewhere is not followed."""
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "ledger.db").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(LedgerError, match=r"ledger\.db cannot be used"):
        open_at("sqlite", tmp_path / "data")

    assert not (tmp_path / "elsewhere").exists()


def test_file_of_something_else(tmp_path: Path) -> None:
    """A file that is no database is refused and left as it was."""
    (tmp_path / "data").mkdir(mode=0o700)
    file = tmp_path / "data" / "ledger.db"
    file.write_bytes(b"not a database" * 1000)

    with pytest.raises(LedgerError, match="not a database"):
        open_at("sqlite", tmp_path / "data")

    assert file.read_bytes() == b"not a database" * 1000


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_readers_cannot_write(store: Store) -> None:
    """What people ask can never change the ledger of a data directory."""
    with (
        pytest.raises(Exception, match="readonly database"),
        store.database.reading() as connection,
    ):
        connection.exec_driver_sql("DELETE FROM keys")


def test_errors_hide_values(open_store: Callable[[], Store]) -> None:
    """What a database says about a failed statement goes out without the statement's values."""
    store = open_store()
    with store.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE exchanges RENAME TO lost")

    with pytest.raises(LedgerError) as refused:
        store.exchange("hunter2hunter2")

    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_postgresql_is_not_imported_for_sqlite() -> None:
    """A small installation works without the PostgreSQL driver."""
    code = """
import sys
sys.modules["psycopg"] = None
import clearway.ledger.writer
from pathlib import Path
from clearway.ledger.database import Database
from clearway.ledger.protocol import LedgerError
try:
    Database.open("postgresql://u@h/d", Path("/nowhere"))
except LedgerError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env={}).stdout

    assert "pip install 'psycopg[binary]'" in told
