"""The installation's secret: keys the hashes by which credentials are told apart.

32 random bytes in the data directory (0600), made once; whoever has them could check a
guess, so they never leave. Replicas that shall tell the same need the same secret: it
may be given instead. Used by compose, as the owner of the data directory.
"""

import hmac
import os
import secrets
from pathlib import Path

from clearway.core.secret import Secret
from clearway.ledger.directory import prepare_file, write_private
from clearway.ledger.protocol import LedgerError

FILE_NAME = "installation.secret"
_BYTES = 32
_SHORTEST = 32
_LONGEST = 4096


def installation_secret(data_dir: Path, given: Secret | None = None) -> Secret:
    """The secret; made where there is none yet.

    Args:
        data_dir: Owned by this process (`DataDirLock`).
        given: What the configuration says; the file is left alone then.

    Raises:
        LedgerError: It cannot be read or made, or is too short to be one.
    """
    if given is not None:
        return _checked(given.reveal(), "the secret that is configured")
    path = data_dir / FILE_NAME
    if not os.path.lexists(path):
        # A whole file or none: O_EXCL for the draft, then a rename; the lock keeps others out.
        write_private(path, secrets.token_hex(_BYTES).encode())
    prepare_file(path)
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST)
    except OSError as error:
        raise LedgerError(f"{path} cannot be read: {error.strerror}") from error
    return _checked(content.decode("latin-1").strip(), str(path))


def keyed_hash(secret: Secret, purpose: str, value: bytes) -> str:
    """A hash of `value` that only who has the secret can check: 128 bits in hex.

    Args:
        secret: Of the installation.
        purpose: Hashes for different purposes cannot be compared.
        value: What is to be told apart from others.
    """
    return hmac.digest(secret.reveal().encode(), purpose.encode() + b"\0" + value, "sha256").hex()[:32]


def _checked(value: str, where: str) -> Secret:
    # An empty key would make every hash a plain one.
    if len(value) < _SHORTEST:
        hint = f"at least {_SHORTEST} characters are needed; remove the file and it is made anew"
        raise LedgerError(f"{where} is too short for an installation's secret ({hint})")
    return Secret(value)
