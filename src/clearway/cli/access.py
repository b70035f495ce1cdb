"""Opens the ledger, wherever it is: behind a running gateway, or in its files.

One process owns a data directory. If that is a gateway, the commands ask it over
its control socket; if it is nobody, they own it for the moment that they need.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clearway import __version__
from clearway.cli.failures import Failure
from clearway.cli.remote import RemoteLedger
from clearway.config.model import Config
from clearway.core.clock import SystemClock
from clearway.core.ids import IdMaker
from clearway.ledger.lock import AlreadyOwned, DataDirLock, OwnerInfo, read_owner
from clearway.ledger.protocol import Ledger

_PATIENCE_S = 10.0
"""For another command to finish: each holds the directory for some milliseconds."""


@contextmanager
def open_ledger(config: Config) -> Iterator[Ledger]:
    """The ledger of the configured data directory, for as short a time as possible.

    Raises:
        LedgerError: It cannot be opened.
        Failure: Another command does not finish, or the gateway does not answer.
    """
    data_dir = Path(config.server.data_dir)
    clock = SystemClock()
    ids = IdMaker(clock)
    lock = DataDirLock(data_dir)
    deadline = clock.monotonic() + _PATIENCE_S
    while True:
        socket = find_socket(data_dir)
        if socket is not None:
            yield RemoteLedger(socket)
            return
        try:
            lock.acquire(
                OwnerInfo(pid=os.getpid(), instance_id=ids.new(), version=__version__, started_us=clock.now_us())
            )
            break
        except AlreadyOwned as error:
            # Another command, or a gateway that does not listen yet: look again.
            if clock.monotonic() > deadline:
                raise Failure(str(error), "wait for that process, or end it") from error
    try:
        from clearway.ledger.store import Store  # noqa: PLC0415  # imports SQLAlchemy: only where it is needed

        store = Store.open(config.store.url, data_dir, clock=clock, ids=ids)
        try:
            yield store
        finally:
            store.close()
    finally:
        lock.release()


def find_owner(data_dir: Path) -> OwnerInfo | None:
    """Who owns the directory; None where nobody does, or has not told yet."""
    try:
        return read_owner(data_dir)
    except AlreadyOwned:
        return None  # it is just starting, or a command holds it for a moment


def find_socket(data_dir: Path) -> Path | None:
    """The control socket of the gateway that owns the directory; None where none does."""
    owner = find_owner(data_dir)
    return Path(owner.socket) if owner is not None and owner.socket else None
