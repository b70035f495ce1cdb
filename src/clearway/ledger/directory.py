"""The data directory: private to its owner, and so is every file made in it.

Used by ledger/lock and ledger/database, before anything is read or written there.
"""

import contextlib
import os
import stat
from pathlib import Path

from clearway.ledger.protocol import LedgerError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def prepare_data_dir(data_dir: Path) -> None:
    """Make the directory (0700), or see that it is a private one of ours.

    Raises:
        LedgerError: It is a link, no directory, somebody else's, or cannot be made.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = data_dir.lstat()
        if stat.S_ISLNK(found.st_mode):
            raise LedgerError(f"the data directory {data_dir} is a symbolic link; name the directory itself")
        if found.st_uid != os.geteuid():
            raise LedgerError(f"the data directory {data_dir} belongs to another user")
        if found.st_mode & _OTHERS:
            data_dir.chmod(0o700)
    except OSError as error:
        raise LedgerError(f"the data directory {data_dir} cannot be used: {error.strerror}") from error


def prepare_file(path: Path) -> None:
    """Make an empty file (0600), or see that it is a private one of ours.

    Raises:
        LedgerError: It is a link, no file, somebody else's, or cannot be made.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        try:
            handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            handle = os.open(path, flags | os.O_NONBLOCK)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                raise LedgerError(f"{path} is not a file of this user")
            if found.st_mode & _OTHERS:
                os.fchmod(handle, 0o600)
        finally:
            os.close(handle)
    except OSError as error:
        # ELOOP is how O_NOFOLLOW says "a symbolic link" (open(2)).
        raise LedgerError(f"{path} cannot be used: {error.strerror}") from error


def write_private(path: Path, data: bytes) -> None:
    """Replace the file's content at once: a reader sees the old or the new.

    Raises:
        LedgerError: It cannot be written; then it is what it was.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise LedgerError(f"{path} cannot be written: {error.strerror}") from error
