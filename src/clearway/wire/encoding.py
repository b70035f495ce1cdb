"""Content codings: compressed bytes in, plain bytes out, never more than asked for.

Bodies are decoded for reading only; what is relayed stays as it was sent.
Source: RFC 9110 section 8.4, RFC 8878 (zstd), RFC 7932 (br); Anthropic's error
code `request_body_too_large_after_decoding` shows that requests may be compressed.
"""

import zlib

import brotli
import zstandard

from clearway.core.errors import BadRequest, TooLarge

REQUEST_CODINGS = ("gzip", "deflate", "br", "zstd")
_AUTO_HEADER = 32 + zlib.MAX_WBITS  # gzip or zlib, told apart by the first bytes
_STEP = 1 << 20
_SLICE = 1 << 16
_MAX_MEMBERS = 64  # each costs a decoder; a body of empty ones would take long
_MAX_ANSWER_MEMBERS = 1000  # an answer may be flushed in members
_ZSTD_WINDOW = 1 << 23  # no content coding may need more (RFC 9659, section 2.2)


def decode_body(body: bytes | bytearray, codings: str, limit: int) -> bytes | bytearray:
    """Undo `content-encoding`, which may list several codings.

    Args:
        body: The bytes as sent.
        codings: The header's value, e.g. `gzip`.
        limit: The most bytes that may come out.

    Raises:
        TooLarge: More than `limit` bytes would come out.
        BadRequest: An unknown coding, or bytes that are not in it.
    """
    for coding in reversed([part.strip().lower() for part in codings.split(",")]):
        if coding not in ("", "identity"):
            body = _decode_one(body, coding, limit)
    return body


def _decode_one(body: bytes | bytearray, coding: str, limit: int) -> bytes | bytearray:
    plain: bytes | bytearray
    try:
        match coding:
            case "gzip" | "x-gzip" | "deflate":
                plain = _inflate(body, coding, limit)
            case "br":
                plain = _unbrotli(body, limit)
            case "zstd":
                reader = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(
                    body, read_across_frames=True
                )
                plain = reader.read(limit + 1)
            case _:
                hint = f"use one of {', '.join(REQUEST_CODINGS)}, or none"
                raise BadRequest("content-encoding is not supported", hint=hint)
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise BadRequest(f"the body is not valid {coding}") from error
    if len(plain) > limit:
        raise TooLarge(f"the decoded body is over {limit} bytes", hint="server.max_body sets the limit")
    return plain


def _inflate(body: bytes | bytearray, coding: str, limit: int) -> bytearray:
    out = bytearray()
    rest = memoryview(body)
    members = 0
    while rest and len(out) <= limit:
        members += 1
        if members > _MAX_MEMBERS:
            raise zlib.error("too many members")
        try:
            used = _inflate_member(rest, out, limit, _AUTO_HEADER)
        except zlib.error:
            # "deflate" is sent without the zlib wrapper by some clients (RFC 9110 section 8.4.1.2).
            if coding != "deflate" or out:
                raise
            used = _inflate_member(rest, out, limit, -zlib.MAX_WBITS)
        rest = rest[used:]
        if rest and coding == "deflate" and len(out) <= limit:
            raise zlib.error("deflate has no members")  # another reader would stop at the first
    return out


def _inflate_member(packed: memoryview, out: bytearray, limit: int, wbits: int) -> int:
    """Append one member's plain bytes, up to a step past the limit; how many bytes it took.

    Slices go in and steps come out, so that nothing is held twice.
    """
    inflater = zlib.decompressobj(wbits)
    for start in range(0, len(packed), _SLICE):
        piece: bytes | memoryview = packed[start : start + _SLICE]
        size = len(piece)
        while True:
            plain = inflater.decompress(piece, _STEP)
            out += plain
            if len(out) > limit:
                return len(packed)
            if inflater.eof:
                return start + size - len(inflater.unused_data)
            piece = inflater.unconsumed_tail
            # A full step: more may be waiting inside, without any input.
            if not piece and len(plain) < _STEP:
                break
    raise zlib.error("incomplete")


def _unbrotli(body: bytes | bytearray, limit: int) -> bytearray:
    decoder = brotli.Decompressor()
    out = bytearray(decoder.process(bytes(body), output_buffer_limit=_STEP))
    while not decoder.is_finished() and len(out) <= limit:
        more = decoder.process(b"", output_buffer_limit=_STEP)
        if not more:
            raise brotli.error("incomplete")
        out += more
    return out


class Inflater:
    """Decodes a gzip or deflate answer piece by piece, for watching only.

    Args:
        limit: The most bytes that come out in all; past it nothing more comes.
    """

    __slots__ = ("_inflater", "_left", "_members")

    def __init__(self, limit: int) -> None:
        self._inflater = zlib.decompressobj(_AUTO_HEADER)
        self._left = limit
        self._members = 1

    @property
    def spent(self) -> bool:
        """True once a limit was reached, or what came is no member: what follows is not seen."""
        return self._left <= 0

    def feed(self, chunk: bytes) -> bytes:
        """Plain bytes of the next piece. Raises zlib.error on bytes that are none."""
        out = b""
        while chunk and self._left > 0:
            try:
                plain = self._inflater.decompress(chunk, self._left)
            except zlib.error:
                if self._members == 1:
                    raise
                self._left = 0  # padding after the last member
                break
            self._left -= len(plain)
            out += plain
            chunk = b""
            if self._inflater.eof:
                # A further gzip member; the old one would collect what it does not read.
                chunk = self._inflater.unused_data
                self._inflater = zlib.decompressobj(_AUTO_HEADER)
                self._members += 1
                if self._members > _MAX_ANSWER_MEMBERS:
                    self._left = 0
        return out
