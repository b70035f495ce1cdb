"""Blocks of thinking in a sealed text that a client keeps and sends back. Pure.

Owns the form of `encrypted_content`: a version, the compressed blocks, and a keyed hash over
both, over the client's key and over the family of the model. What was thought for one
key or one model is opened for no other. The blocks come back as they went in, to the byte. It keeps
others from making blocks up; it hides nothing that the client may not read.
Used by request.py and the answer's writers.
"""

import base64
import binascii
import hmac
import re
import zlib

import msgspec

from clearway.core.secret import Secret

_VERSION = "cw1"
_PURPOSE = b"responses.reasoning"
_LARGEST_TEXT = 24 * 1024 * 1024
"""Characters; more is not looked at."""
_LARGEST = 64 * 1024 * 1024
"""Bytes of blocks, inflated; more is not opened."""
_SNAPSHOT = re.compile(r"(?:[-@]20\d{6}|-latest)$")
_BLOCKS = msgspec.json.Decoder(list[dict[str, object]])


class Envelope:
    """Seals for one key of the gateway's.

    Args:
        secret: Of the installation.
        key_id: The client's key; empty for one that brings its own credential.
    """

    def __init__(self, secret: Secret, key_id: str) -> None:
        self._secret = secret
        self._key_id = key_id

    def seal(self, blocks: list[dict[str, object]], *, model: str) -> str:
        """The text that holds `blocks`, which `model` thought."""
        packed = zlib.compress(msgspec.json.encode(blocks))
        return f"{_VERSION}.{_text(packed)}.{_text(self._mark(packed, model))}"

    def open(self, text: str, *, model: str) -> list[dict[str, object]] | None:
        """The blocks; None for what another made, or for another key or family of models."""
        version, _, rest = text.partition(".") if len(text) <= _LARGEST_TEXT else ("", "", "")
        if version != _VERSION:
            return None
        body, _, mark = rest.partition(".")
        packed, given = _bytes(body), _bytes(mark)
        if packed is None or given is None or not hmac.compare_digest(given, self._mark(packed, model)):
            return None
        return _unpacked(packed)

    def _mark(self, packed: bytes, model: str) -> bytes:
        # Lengths first, so that no two lists of parts make one text.
        parts = (_PURPOSE, self._key_id.encode(), family(model).encode(), packed)
        whole = b"".join(b"%d:%b" % (len(part), part) for part in parts)
        return hmac.digest(self._secret.reveal().encode(), whole, "sha256")


def family(model: str) -> str:
    """The name of a model without the vendor before it and the date behind it."""
    return _SNAPSHOT.sub("", model.rpartition("/")[2].lower())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _bytes(text: str) -> bytes | None:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    # One text for the same bytes: bits behind the end would make a second.
    return data if _text(data) == text else None


def _unpacked(packed: bytes) -> list[dict[str, object]] | None:
    inflating = zlib.decompressobj()
    try:
        data = inflating.decompress(packed, _LARGEST)
    except zlib.error:
        return None
    if not inflating.eof or inflating.unused_data:
        return None
    try:
        return _BLOCKS.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
