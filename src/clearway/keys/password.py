"""The admin password: what is one, how it is encoded, whether it is the one.

Owns the use of argon2 (RFC 9106, the second recommended option, as argon2-cffi has
it); it keeps nothing. Imported only where somebody signs in or sets a password: the
library is not for a start. Used by server/admin/sign_in and cli/password.
"""

import secrets
import unicodedata
from functools import cache

try:
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError
except ImportError as error:  # an extra: few gateways have a password
    raise ImportError("passwords need argon2-cffi: pip install 'clearway[password]'") from error

SHORTEST = 12
"""Characters; NIST SP 800-63B-4 asks for eight beside another factor, and fifteen alone."""
LONGEST = 512

_HASHER = PasswordHasher()


class PasswordError(ValueError):
    """It cannot be a password; the text says why."""


def encode(password: str) -> str:
    """The password as it is kept: takes some 50 ms and 64 MiB on purpose.

    Raises:
        PasswordError: It is too short or too long.
    """
    plain = _plain(password)
    if not SHORTEST <= len(plain) <= LONGEST:
        raise PasswordError(f"a password has {SHORTEST} to {LONGEST} characters")
    return _HASHER.hash(_bytes(plain))


def is_it(password: str, encoded: str | None) -> bool:
    """Whether it is the password; takes as long where there is none at all."""
    try:
        _HASHER.verify(encoded or _nobodys(), _bytes(_plain(password)[: LONGEST + 1]))
    except (VerificationError, InvalidHashError):
        return False
    return encoded is not None


def is_outdated(encoded: str) -> bool:
    """Whether it was encoded more cheaply than is usual now."""
    return _HASHER.check_needs_rehash(encoded)


@cache
def _nobodys() -> str:
    return _HASHER.hash(secrets.token_urlsafe(32))


def _plain(password: str) -> str:
    # The same characters, however the keyboard composes them.
    return unicodedata.normalize("NFKC", password)


def _bytes(plain: str) -> bytes:
    return plain.encode("utf-8", "surrogatepass")
