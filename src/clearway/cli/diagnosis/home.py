"""The data directory, its store, and who owns it."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from clearway import __version__
from clearway.cli.diagnosis.finding import Finding, fail, ok, warn
from clearway.cli.remote import Unreachable, read_status
from clearway.config.model import Config
from clearway.ledger.lock import AlreadyOwned, read_owner
from clearway.ledger.protocol import LedgerError
from clearway.observe.protocol import Status

_LITTLE_SPACE_BYTES = 1_000_000_000
_WAL_FIX = (3, 51, 3)
"""Source: sqlite.org, release notes of 3.51.3: a rare corruption of WAL files with several writing processes."""


def check_home(config: Config) -> Iterator[Finding]:
    """Modes, space, store."""
    yield from _check_modes(Path(config.server.data_dir))
    yield _check_store(config)


def check_owner(config: Config) -> tuple[Finding, Status | None]:
    """Who owns the directory, and what the gateway says if it is one."""
    name, data_dir = "gateway", Path(config.server.data_dir)
    try:
        owner = read_owner(data_dir)
    except AlreadyOwned as error:
        return warn(name, str(error), "wait a moment, then look again"), None
    except LedgerError as error:
        return fail(name, str(error), "make the directory yours"), None
    if owner is None:
        return ok(name, "none is running on this data directory"), None
    if not owner.socket:
        return ok(name, f"process {owner.pid} uses the data directory, but answers nobody"), None
    return _check_gateway(name, owner.pid, Path(owner.socket))


def _check_gateway(name: str, pid: int, socket: Path) -> tuple[Finding, Status | None]:
    try:
        status = read_status(socket)
    except Unreachable as error:
        return fail(name, f"process {pid} owns the directory, but {error}", f"end process {pid}"), None
    if not status.healthy:
        hint = "see its log: is the disk full, or the database away?"
        return fail(name, f"process {status.pid} cannot write its ledger and refuses requests", hint), status
    text = f"process {status.pid} (version {status.version}) answers at {status.url}"
    if status.version != __version__:
        return warn(name, f"{text}; this command is version {__version__}", "restart the gateway"), status
    return ok(name, text), status


def _check_modes(data_dir: Path) -> Iterator[Finding]:
    name = "data directory"
    try:
        found = data_dir.lstat()
    except FileNotFoundError:
        yield ok(name, f"{data_dir} does not exist yet; it will be made")
        return
    except OSError as error:
        yield fail(name, f"{data_dir}: {(error.strerror or '').lower()}", "make the directory yours, or choose another")
        return
    if not stat.S_ISDIR(found.st_mode):
        yield fail(name, f"{data_dir} is no directory", "choose another with --data-dir")
        return
    if found.st_uid != os.geteuid():
        yield fail(name, f"{data_dir} belongs to another user", "choose another with --data-dir")
        return
    too_open = [path for path in (data_dir, *sorted(data_dir.iterdir())) if _is_open(path)]
    if too_open:
        names = ", ".join(path.name for path in too_open)
        yield warn(name, f"others on this machine may open: {names}", f"chmod -R go-rwx {data_dir}")
    elif not os.access(data_dir, os.W_OK):
        yield fail(name, f"{data_dir} cannot be written", f"chmod u+w {data_dir}")
    else:
        yield ok(name, f"{data_dir}, open to its owner only")
    free = shutil.disk_usage(data_dir).free
    if free < _LITTLE_SPACE_BYTES:
        yield warn(
            "disk",
            f"only {free // 1_000_000} MB are free at {data_dir}",
            "make room: without any, requests are refused",
        )
    else:
        yield ok("disk", f"{free // 1_000_000_000} GB free")


def _is_open(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return not stat.S_ISLNK(mode) and bool(mode & (stat.S_IRWXG | stat.S_IRWXO))


def _check_server(name: str, config: Config) -> Finding:
    from clearway.ledger.database import Database  # noqa: PLC0415  # SQLAlchemy, which SQLite's check does without

    try:
        Database.open(config.store.url, Path(config.server.data_dir)).close()
    except LedgerError as error:
        return fail(name, str(error), "check store.url and the server it names")
    return ok(name, "PostgreSQL answers")


def _check_store(config: Config) -> Finding:
    name = "store"
    if config.store.url != "sqlite":
        return _check_server(name, config)
    text = f"SQLite {sqlite3.sqlite_version}"
    if sqlite3.sqlite_version_info < _WAL_FIX:
        wanted = ".".join(map(str, _WAL_FIX))
        return ok(name, f"{text}; older than {wanted}, which matters only where several processes write: here one does")
    return ok(name, text)
