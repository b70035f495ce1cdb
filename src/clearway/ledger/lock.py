"""Who owns a data directory: one process at a time, and how to reach it.

The lock is `flock` on `owner.lock`, so it ends with its process, however that
ends. What the owner tells about itself is in `owner.json` beside it and counts
only while the lock is held. Used by compose, cli/access and cli/run.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Self

import msgspec

from clearway.ledger.directory import prepare_data_dir, prepare_file, write_private
from clearway.ledger.protocol import LedgerError

_PAUSE_S = 0.02
_SHORT_S = 0.3
"""Longer than `read_owner` holds the lock to see whether it is free."""


class OwnerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner of a data directory tells about itself."""

    pid: int
    instance_id: str
    version: str
    started_us: int
    url: str | None = None
    """Where the gateway listens; None for a command, or until it does."""
    socket: str | None = None
    """Path of the control socket; None where there is none."""


class AlreadyOwned(LedgerError):
    """Another process owns the data directory."""

    def __init__(self, data_dir: Path, info: OwnerInfo | None) -> None:
        who = "another process" if info is None else f"process {info.pid}"
        where = f", a gateway at {info.url}" if info is not None and info.url else ""
        super().__init__(f"the data directory {data_dir} is in use by {who}{where}")
        self.info = info
        """None where the owner has not yet told."""


class DataDirLock:
    """Makes this process the owner of a data directory, until released.

    Args:
        data_dir: Made (0700) where it is missing.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._handle: int | None = None

    def acquire(self, info: OwnerInfo, *, wait_s: float = _SHORT_S) -> None:
        """Become the owner.

        Args:
            info: What others shall know; `publish` can change it later.
            wait_s: How long to wait for another owner to leave.

        Raises:
            AlreadyOwned: Another process is the owner.
            LedgerError: The directory cannot be used.
        """
        prepare_data_dir(self._data_dir)
        prepare_file(self._data_dir / "owner.lock")
        handle = os.open(self._data_dir / "owner.lock", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        deadline = time.monotonic() + wait_s
        while not _lock(handle, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                os.close(handle)
                raise AlreadyOwned(self._data_dir, _told(self._data_dir))
            time.sleep(_PAUSE_S)
        self._handle = handle
        self.publish(info)

    def publish(self, info: OwnerInfo) -> None:
        """Change what others know about this owner."""
        write_private(self._data_dir / "owner.json", msgspec.json.encode(info))

    def release(self) -> None:
        """Stop being the owner; does nothing where this process is none."""
        if self._handle is None:
            return
        (self._data_dir / "owner.json").unlink(missing_ok=True)
        os.close(self._handle)
        self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def read_owner(data_dir: Path) -> OwnerInfo | None:
    """The owner of a data directory; None where nobody is.

    Raises:
        AlreadyOwned: Somebody is, who has not told anything within a second.
        LedgerError: The lock cannot be looked at.
    """
    deadline = time.monotonic() + 1.0
    while _is_held(data_dir):
        if (info := _told(data_dir)) is not None:
            return info
        if time.monotonic() >= deadline:
            raise AlreadyOwned(data_dir, None)
        time.sleep(_PAUSE_S)
    return None


def _is_held(data_dir: Path) -> bool:
    try:
        handle = os.open(data_dir / "owner.lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise LedgerError(f"{data_dir / 'owner.lock'} cannot be read: {error.strerror}") from error
    try:
        return not _lock(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def _lock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _told(data_dir: Path) -> OwnerInfo | None:
    try:
        return msgspec.json.decode((data_dir / "owner.json").read_bytes(), type=OwnerInfo)
    except (OSError, msgspec.DecodeError):
        return None
