"""Compressed bodies: read whole, refused when they lie, stopped when they are bombs."""

import gzip
import zlib

import brotli
import pytest
import zstandard

from clearway.core.errors import BadRequest, TooLarge
from clearway.wire.encoding import Inflater, decode_body

PLAIN = b'{"model":"claude-x","messages":[]}' * 50
LIMIT = 1_000_000


def raw_deflate(data: bytes) -> bytes:
    """Deflate without the zlib wrapper, as some clients send it."""
    maker = zlib.compressobj(wbits=-15)
    return maker.compress(data) + maker.flush()


CODED = [
    pytest.param("gzip", gzip.compress(PLAIN), id="gzip"),
    pytest.param("GZIP", gzip.compress(PLAIN[:100]) + gzip.compress(PLAIN[100:]), id="gzip-members"),
    pytest.param("deflate", zlib.compress(PLAIN), id="deflate"),
    pytest.param("deflate", raw_deflate(PLAIN), id="raw-deflate"),
    pytest.param("br", brotli.compress(PLAIN), id="br"),
    pytest.param("zstd", zstandard.compress(PLAIN), id="zstd"),
    pytest.param("zstd", zstandard.compress(PLAIN[:100]) + zstandard.compress(PLAIN[100:]), id="zstd-frames"),
    pytest.param("gzip, br", brotli.compress(gzip.compress(PLAIN)), id="two-codings"),
    pytest.param("identity", PLAIN, id="identity"),
]


@pytest.mark.parametrize(("coding", "body"), CODED)
def test_decoded(coding: str, body: bytes) -> None:
    """What comes out is what went in."""
    assert decode_body(body, coding, LIMIT) == PLAIN


BOMBS = [
    pytest.param("gzip", gzip.compress(b"\0" * 50_000_000), id="gzip"),
    pytest.param("deflate", zlib.compress(b"\0" * 50_000_000), id="deflate"),
    pytest.param("br", brotli.compress(b"\0" * 50_000_000, quality=5), id="br"),
    pytest.param("zstd", zstandard.compress(b"\0" * 50_000_000), id="zstd"),
]


@pytest.mark.parametrize(("coding", "body"), BOMBS)
def test_a_bomb_stops_at_the_limit(coding: str, body: bytes) -> None:
    """It is refused when one byte too many has come out, not after all of them."""
    with pytest.raises(TooLarge):
        decode_body(body, coding, LIMIT)


@pytest.mark.parametrize(
    ("coding", "body"), [case for case in CODED if case.id in ("gzip", "deflate", "br", "two-codings")]
)
def test_cut(coding: str, body: bytes) -> None:
    """Half of a body is no body."""
    with pytest.raises(BadRequest, match="not valid"):
        decode_body(body[: len(body) // 2], coding, LIMIT)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_wrong_bytes(coding: str) -> None:
    """What is not in its coding is a bad request."""
    with pytest.raises(BadRequest, match="not valid"):
        decode_body(b"\x01\x02 no such thing", coding, LIMIT)


@pytest.mark.parametrize("first", [zlib.compress(PLAIN), raw_deflate(PLAIN)], ids=["wrapped", "raw"])
@pytest.mark.parametrize("more", [b"\0", zlib.compress(b" "), gzip.compress(b" ")], ids=["nul", "deflate", "gzip"])
def test_deflate_has_one_part(first: bytes, more: bytes) -> None:
    """Another reader would stop at its end, and read another body."""
    with pytest.raises(BadRequest, match="not valid"):
        decode_body(first + more, "deflate", LIMIT)


def test_an_unknown_coding() -> None:
    """The answer says which codings there are."""
    with pytest.raises(BadRequest) as raised:
        decode_body(PLAIN, "compress", LIMIT)

    assert "zstd" in raised.value.hint


def test_an_answer_is_inflated_up_to_a_limit() -> None:
    """Watching a compressed answer costs at most the limit."""
    inflater = Inflater(1000)
    packed = gzip.compress(b"a" * 100_000)
    out = b"".join(inflater.feed(packed[i : i + 10]) for i in range(0, len(packed), 10))

    assert out == b"a" * 1000


def test_a_body_of_many_members_is_refused() -> None:
    """Each member costs a copy of the rest: a few are read, a body made of nothing else is not."""
    assert decode_body(gzip.compress(b"ab") * 10, "gzip", LIMIT) == b"ab" * 10

    with pytest.raises(BadRequest, match="not valid"):
        decode_body(gzip.compress(b"") * 10_000, "gzip", LIMIT)


def test_an_answer_in_several_members() -> None:
    """All of them are seen, however they are cut."""
    packed = gzip.compress(b"first ") + gzip.compress(b"second ") + gzip.compress(b"third")
    for step in (1, 7, len(packed)):
        inflater = Inflater(1000)

        assert b"first second third" == b"".join(
            inflater.feed(packed[i : i + step]) for i in range(0, len(packed), step)
        )


def test_an_answer_of_members_without_end() -> None:
    """After a thousand the rest is passed over, so that it costs nothing."""
    inflater = Inflater(1_000_000)
    packed = gzip.compress(b"a") * 5000
    out = b"".join(inflater.feed(packed[i : i + 4096]) for i in range(0, len(packed), 4096))

    assert (b"a" * 1000, True) == (out, inflater.spent)


@pytest.mark.parametrize("rest", [b"\0" * 9, b"no member"])
def test_what_follows_an_answers_last_member(rest: bytes) -> None:
    """Padding and the like do not take away what was seen before."""
    inflater = Inflater(1000)
    packed = gzip.compress(b"whole") + rest

    assert b"".join(inflater.feed(packed[i : i + 3]) for i in range(0, len(packed), 3)) == b"whole"
