"""When two request bodies say the same: key order, white space and 1 = 1.0 do not count."""

import hashlib
import re

import msgspec

# A number that could be an integer in another dress; also met in texts, which costs only time.
_DISGUISED = re.compile(rb"[0-9](?:\.0|[eE])")
_encoder = msgspec.json.Encoder(order="sorted")


def fingerprint(method: str, path: str, body: bytes) -> bytes:
    """A hash that is equal for equal requests.

    Args:
        method: In upper case.
        path: Without the query.
        body: JSON, or nothing. Anything else counts byte by byte.
    """
    digest = hashlib.blake2b(f"{method} {path}\n".encode(), digest_size=16)
    digest.update(_canonical(body))
    return digest.digest()


def _canonical(body: bytes) -> bytes:
    if not body:
        return b"null"  # how a recording says that there was none
    try:
        value = msgspec.json.decode(body)
        if _DISGUISED.search(body):
            value = _plain(value)
        return _encoder.encode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b"raw " + body


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
