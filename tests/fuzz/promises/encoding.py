"""Content codings against what the libraries make of them by themselves."""

import contextlib
import gzip
import zlib

import brotli
import zstandard

from clearway.core.errors import BadRequest, TooLarge
from clearway.wire.encoding import Inflater, decode_body
from tests.fuzz.cuts import ways

_MOST = 1 << 16


def encoding(data: bytes) -> None:
    """The first line names the codings. What comes out is what the libraries make of it by
    themselves, never more than the limit; an answer is inflated the same however it is cut.
    """
    codings, _, packed = data.partition(b"\n")
    names = codings.decode("latin-1")
    with contextlib.suppress(BadRequest, TooLarge):
        plain = decode_body(packed, names, _MOST)
        coded = [name for name in (part.strip().lower() for part in names.split(",")) if name not in ("", "identity")]
        if not coded:
            assert plain == packed
        else:
            assert len(plain) <= _MOST
        if len(coded) == 1:
            assert _unpack(coded[0], packed) == plain
    whole = None
    for pieces in ways(packed):
        out, is_bad = _inflate(pieces)
        assert len(out) <= _MOST
        # What came out before a member turned out to be none depends on the cut.
        whole = out if whole is None else whole
        assert is_bad or out.startswith(whole) or whole.startswith(out)


def _unpack(coding: str, packed: bytes) -> bytes:
    if coding in ("gzip", "x-gzip", "deflate"):
        if coding == "deflate":
            with contextlib.suppress(zlib.error):
                return zlib.decompress(packed)
            with contextlib.suppress(zlib.error):
                return zlib.decompress(packed, -15)
        with contextlib.suppress(zlib.error, gzip.BadGzipFile, EOFError):
            return gzip.decompress(packed)
        return _members_of(packed)
    if coding == "br":
        return bytes(brotli.decompress(packed))
    return zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(packed, read_across_frames=True).read()


def _members_of(packed: bytes) -> bytes:
    out = b""
    while packed:
        one = zlib.decompressobj(47)
        out += one.decompress(packed) + one.flush()
        packed = one.unused_data
    return out


def _inflate(pieces: list[bytes]) -> tuple[bytes, bool]:
    inflater, out = Inflater(_MOST), b""
    try:
        for piece in pieces:
            out += inflater.feed(piece)
    except zlib.error:
        return out, True
    return out, False
