"""The text of a key's secret: how it is made, recognised and hashed.

Form: `cw-`, 32 random bytes as 43 base62 digits, 6 base62 digits of checksum.
The checksum tells a typo from a forgery and lets leak scanners be sure; it
protects nothing. Pure. Used by gateway/authenticate, ledger/store and the commands.
"""

import hashlib
import os
import re
import zlib
from collections.abc import Callable

PREFIX = "cw-"
"""What makes a credential ours, in whatever header it comes."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_BYTES = 32
_BODY_DIGITS = 43
"""62**43 > 2**256."""
_CHECK_DIGITS = 6
"""62**6 > 2**32."""
_DISPLAY_CHARACTERS = 9
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_BODY_DIGITS + _CHECK_DIGITS}}}", re.ASCII)


def generate(random: Callable[[int], bytes] = os.urandom) -> str:
    """A new secret; `random` returns that many bytes of full entropy."""
    body = PREFIX + _base62(int.from_bytes(random(_RANDOM_BYTES)), _BODY_DIGITS)
    return body + _checksum(body)


def looks_ours(value: str) -> bool:
    """Whether it claims to be one of our keys, and so must never be sent on."""
    return value.startswith(PREFIX)


def is_wellformed(value: str) -> bool:
    """Whether form and checksum are right; says nothing about the key existing."""
    return _FORM.fullmatch(value) is not None and _checksum(value[:-_CHECK_DIGITS]) == value[-_CHECK_DIGITS:]


def digest(secret: str) -> bytes:
    """SHA-256 of the whole text, as it is stored and looked up."""
    # Lone surrogates (bytes of a header that were no UTF-8) must not raise here.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def display_prefix(secret: str) -> str:
    """The beginning that may be shown: `cw-AbCdEf`, 36 of 256 bits."""
    return secret[:_DISPLAY_CHARACTERS]


def _checksum(body: str) -> str:
    # CRC-32 finds every changed run of up to 32 bits: one wrong character and
    # two neighbours swapped always, anything else but for one case in 2**32.
    return _base62(zlib.crc32(body.encode()), _CHECK_DIGITS)


def _base62(number: int, width: int) -> str:
    digits: list[str] = []
    for _ in range(width):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
