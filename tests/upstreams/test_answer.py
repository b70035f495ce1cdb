"""Answers, as tables and as properties: bytes in, status, headers and body out."""

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.upstreams.http.answer import MAX_FIELDS, MAX_HEAD, MAX_INTERIM, Answer
from tests.upstreams.hostile import chunked, plain


@dataclass(frozen=True)
class Case:
    """An answer on the wire and what is to be read from it."""

    wire: bytes
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    is_head: bool = False
    keep_alive: bool = True
    closes: bool = False
    """It ends where the connection ends."""


CASES = [
    pytest.param(Case(plain(b"abc"), headers=((b"content-length", b"3"),), body=b"abc"), id="content-length"),
    pytest.param(Case(plain(b""), headers=((b"content-length", b"0"),)), id="empty"),
    pytest.param(Case(chunked(b"a", b"bc"), headers=((b"transfer-encoding", b"chunked"),), body=b"abc"), id="chunked"),
    pytest.param(
        Case(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n1;x=y\r\na\r\n0\r\ntrailer: t\r\n\r\n",
            headers=((b"transfer-encoding", b"CHUNKED"),),
            body=b"a",
        ),
        id="extension-and-trailer",
    ),
    pytest.param(
        Case(b"HTTP/1.1 200 OK\r\nx: 1\r\n\r\nab", headers=((b"x", b"1"),), body=b"ab", keep_alive=False, closes=True),
        id="until-close",
    ),
    pytest.param(Case(b"HTTP/1.0 200 OK\r\n\r\nabc", body=b"abc", keep_alive=False, closes=True), id="http-1.0"),
    pytest.param(
        Case(plain(b"a", b"connection: close"), headers=((b"connection", b"close"), (b"content-length", b"1")),
             body=b"a", keep_alive=False),
        id="connection-close",
    ),
    pytest.param(
        Case(plain(b"a", b"B: 2", b"a: 1", b"b:\t3", b"c: \xff"), body=b"a",
             headers=((b"b", b"2"), (b"a", b"1"), (b"b", b"3"), (b"c", b"\xff"), (b"content-length", b"1"))),
        id="order-and-duplicates",
    ),
    pytest.param(
        Case(b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + plain(b"a", status=b"201 Made"),
             status=201, headers=((b"content-length", b"1"),), body=b"a"),
        id="interim",
    ),
    pytest.param(Case(b"HTTP/1.1 204 No Content\r\n\r\n", status=204), id="204"),
    pytest.param(
        Case(b"HTTP/1.1 304 Same\r\ncontent-length: 9\r\n\r\n", status=304, headers=((b"content-length", b"9"),)),
        id="304-with-length",
    ),
    pytest.param(
        Case(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", headers=((b"content-length", b"9"),), is_head=True),
        id="head",
    ),
    pytest.param(
        Case(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", headers=((b"transfer-encoding", b"chunked"),),
             is_head=True, keep_alive=False),
        id="head-chunked",
    ),
    pytest.param(Case(b"HTTP/1.1 529 \r\ncontent-length: 0\r\n\r\n", status=529, headers=((b"content-length", b"0"),)),
                 id="status-without-name"),
    pytest.param(Case(plain(b"{}", b"location: http://x/", status=b"302 Found"), status=302, body=b"{}",
                      headers=((b"location", b"http://x/"), (b"content-length", b"2"))), id="redirect-is-an-answer"),
    pytest.param(Case(plain(b"\x1f\x8b\x08", b"content-encoding: gzip"), body=b"\x1f\x8b\x08",
                      headers=((b"content-encoding", b"gzip"), (b"content-length", b"3"))), id="not-decompressed"),
]  # fmt: skip


def read(case: Case, pieces: list[bytes]) -> Answer:
    """Feed `pieces` and compare, but for the body, which is compared as a whole."""
    answer = Answer(is_head=case.is_head)
    body = bytearray()
    for piece in pieces:
        answer.feed(piece)
        body += answer.take()
    if case.closes:
        assert not answer.complete
        answer.end(clean=True)

    assert answer.failure is None
    assert answer.complete
    assert (case.status, list(case.headers), case.body) == (answer.status, list(answer.headers), bytes(body))
    assert case.keep_alive == answer.keep_alive
    assert not answer.leftover
    return answer


@pytest.mark.parametrize("case", CASES)
def test_any_cut(case: Case) -> None:
    """Cutting the answer in two, anywhere, changes nothing; nor does feeding it byte by byte."""
    for cut in range(1, len(case.wire)):
        read(case, [case.wire[:cut], case.wire[cut:]])
    read(case, [case.wire])
    read(case, [bytes([byte]) for byte in case.wire])


TOKENS = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(str.encode)
VALUES = st.binary(max_size=30).map(lambda raw: bytes(b for b in raw if b > 32 and b != 127))


@given(
    fields=st.lists(st.tuples(TOKENS.map(lambda name: b"x-" + name), VALUES), max_size=20),
    chunks=st.lists(st.binary(min_size=1, max_size=200), max_size=8),
    cuts=st.lists(st.integers(0, 3000), max_size=12),
)
def test_random_splits(fields: list[tuple[bytes, bytes]], chunks: list[bytes], cuts: list[int]) -> None:
    """However the network cuts a valid answer, it reads the same; in chunks and with a length."""
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
    body = b"".join(chunks)
    for framing, wire_body in (
        ((b"content-length", b"%d" % len(body)), body),
        ((b"transfer-encoding", b"chunked"), chunked(*chunks).partition(b"\r\n\r\n")[2]),
    ):
        wire = b"HTTP/1.1 200 OK\r\n" + lines + framing[0] + b": " + framing[1] + b"\r\n\r\n" + wire_body
        places = [0, *sorted(cut % len(wire) for cut in cuts), len(wire)]
        pieces = [wire[a:b] for a, b in itertools.pairwise(places) if a != b]

        read(Case(wire, headers=(*fields, framing), body=body), pieces)


@given(st.binary(max_size=400))
def test_noise_never_breaks_the_reader(noise: bytes) -> None:
    """Whatever comes, it is an answer, or unfinished, or a reason why it is not."""
    for start in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"):
        answer = Answer()
        answer.feed(start + noise)
        answer.end(clean=True)

        assert answer.complete != (answer.failure is not None)


REFUSED = [
    pytest.param(
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", "", id="length-and-chunked"
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n", "", id="chunked-and-length"
    ),
    pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n", "", id="two-lengths"),
    pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\n", "", id="listed-lengths"),
    pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "", id="negative-length"),
    pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n", "", id="plus-length"),
    pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n", "", id="huge-length"),
    pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", "transfer coding", id="unknown-coding"),
    pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", "transfer coding", id="two-codings"),
    pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n", "transfer coding", id="odd-coding"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        "two ways",
        id="chunked-twice",
    ),
    pytest.param(b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "two ways", id="chunked-in-1.0"),
    pytest.param(b"HTTP/1.1 200 OK\r\na: 1\r\n b: 2\r\n\r\n", "", id="folded-line"),
    pytest.param(b"HTTP/1.1 200 OK\na: 1\n\n", "", id="bare-line-feed"),
    pytest.param(b"HTTP/1.1 200 OK\r\na: x\0y\r\n\r\n", "", id="nul"),
    pytest.param(b"HTTP/1.1 200 OK\r\na: x\ry\r\n\r\n", "", id="bare-carriage-return"),
    pytest.param(b"HTTP/1.1 200 OK\r\na : x\r\n\r\n", "", id="blank-before-colon"),
    pytest.param(b"HTTP/1.1 200 OK\r\n: x\r\n\r\n", "", id="no-name"),
    pytest.param(b"HTTP/2.0 200 OK\r\n\r\n", "not HTTP/1.1", id="http-2"),
    pytest.param(b"HTTP/0.9 200 OK\r\n\r\n", "not HTTP/1.1", id="http-0.9"),
    pytest.param(b"ICY 200 OK\r\n\r\n", "", id="not-http"),
    pytest.param(b"\x16\x03\x01\x02\x00", "", id="tls"),
    pytest.param(b"HTTP/1.1 099 x\r\n\r\n", "status", id="status-too-low"),
    pytest.param(b"HTTP/1.1 600 x\r\n\r\n", "status", id="status-too-high"),
    pytest.param(b"HTTP/1.1 101 x\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "another protocol", id="upgrade"),
    pytest.param(b"HTTP/1.1 101 x\r\n\r\n", "another protocol", id="bare-101"),
    pytest.param(b"HTTP/1.1 100 x\r\n\r\n" * (MAX_INTERIM + 1), "interim", id="endless-interim"),
    pytest.param(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * MAX_FIELDS + b"a: b\r\n\r\n", "fields", id="too-many-fields"),
    pytest.param(b"HTTP/1.1 200 OK\r\na: " + b"b" * MAX_HEAD + b"\r\n\r\n", "larger", id="too-large-field"),
    pytest.param(b"HTTP/1.1 200 OK\r\n" + (b"a: " + b"b" * 1000 + b"\r\n") * 70, "larger", id="too-large-head"),
    pytest.param(b"HTTP/1.1 200 " + b"b" * 3 * MAX_HEAD, "without any of its body", id="endless-reason"),
    pytest.param(b"HTTP/1.1 200 OK\r\na: " + b"b" * 3 * MAX_HEAD, "without any of its body", id="endless-value"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;" + b"x" * 3 * MAX_HEAD,
        "without any",
        id="endless-extension",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\na: " + b"x" * 3 * MAX_HEAD,
        "without any",
        id="endless-trailer",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 2 * MAX_FIELDS,
        "fields",
        id="many-trailers",
    ),
    pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", "", id="bad-chunk-size"),
    pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n", "", id="negative-chunk-size"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n", "", id="huge-chunk-size"
    ),
    pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n", "", id="chunk-too-long"),
]


@pytest.mark.parametrize(("wire", "reason"), REFUSED)
@pytest.mark.parametrize("step", [1000, 1 << 30])
def test_what_two_readers_could_understand_differently_is_refused(wire: bytes, reason: str, step: int) -> None:
    """However it is cut; the reason holds nothing from the wire."""
    answer = Answer()
    for start in range(0, len(wire), step):
        answer.feed(wire[start : start + step])

    assert answer.failure is not None
    assert reason in answer.failure
    assert not answer.complete


TRUNCATED = [
    pytest.param(b"", "before it", id="nothing"),
    pytest.param(b"HTTP/1.1 200 OK\r\ncont", "in its head", id="head"),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", "in its head", id="interim-only"),
    pytest.param(plain(b"abc")[:-1], "before its end", id="content-length"),
    pytest.param(chunked(b"abc")[:-5], "before its end", id="no-last-chunk"),
    pytest.param(chunked(b"abc")[:-1], "before its end", id="no-last-line-feed"),
]


@pytest.mark.parametrize(("wire", "reason"), TRUNCATED)
def test_a_truncated_answer_is_never_a_quiet_end(wire: bytes, reason: str) -> None:
    """What came is handed out, and then it is a failure."""
    answer = Answer()
    if wire:
        answer.feed(wire)
    answer.end(clean=True)

    assert answer.failure is not None
    assert reason in answer.failure


def test_a_body_until_the_close_needs_a_clean_close() -> None:
    """After a reset nobody knows whether it was whole."""
    answer = Answer()
    answer.feed(b"HTTP/1.1 200 OK\r\n\r\nabc")
    answer.end(clean=False)

    assert answer.failure is not None
    assert b"abc" == answer.take()


LEFTOVER = [
    pytest.param(plain(b"abc"), False, id="content-length"),
    pytest.param(chunked(b"abc"), False, id="chunked"),
    pytest.param(b"HTTP/1.1 204 x\r\n\r\n", False, id="204"),
    pytest.param(b"HTTP/1.1 304 x\r\ncontent-length: 3\r\n\r\n", False, id="304"),
    pytest.param(b"HTTP/1.1 200 x\r\ncontent-length: 3\r\n\r\n", True, id="head"),
    pytest.param(plain(b"a", b"connection: close"), False, id="close"),
]


@pytest.mark.parametrize(("wire", "is_head"), LEFTOVER)
@pytest.mark.parametrize("more", [b"H", b"HTTP/1.1 200 OK\r\n", plain(b"evil", b"x: y"), b"\0", b"3\r\nabc\r\n"])
def test_bytes_after_the_end_are_noticed_and_never_handed_out(wire: bytes, is_head: bool, more: bytes) -> None:  # noqa: FBT001 - a table's column
    """In the same read or in the next one."""
    for pieces in ([wire + more], [wire, more], [wire[:-1], wire[-1:] + more]):
        answer = Answer(is_head=is_head)
        for piece in pieces:
            answer.feed(piece)

        assert answer.complete
        assert answer.leftover
        assert answer.failure is None
        assert b"evil" not in answer.take()
        assert (b"x", b"y") not in answer.headers


@pytest.mark.parametrize("more", [b"a", b"0\r\n", b"0\r\n\r\n", b"5\r"])
def test_what_the_parser_takes_for_a_chunk_ends_the_connection(more: bytes) -> None:
    """After the answer to a HEAD no chunk comes; where one does, the next answer cannot be told from it."""
    answer = Answer(is_head=True)
    answer.feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + more)

    assert answer.complete
    assert answer.leftover or not answer.keep_alive


def test_a_limit_is_the_last_value_that_passes() -> None:
    """200 fields and 64 KiB of them are read."""
    fields = [(b"a", b"b")] * (MAX_FIELDS - 1)
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
    answer = Answer()
    answer.feed(b"HTTP/1.1 200 OK\r\n" + lines + b"content-length: 0\r\n\r\n")

    assert MAX_FIELDS == len(answer.headers)
    assert answer.complete

    room = MAX_HEAD - len(b"content-length: 0\r\n") - len(b"a: \r\n")
    answer = Answer()
    answer.feed(b"HTTP/1.1 200 OK\r\na: " + b"v" * room + b"\r\ncontent-length: 0\r\n\r\n")

    assert answer.complete


def test_a_single_piece_is_not_copied() -> None:
    """What the parser made is what the reader gets."""
    answer = Answer()
    answer.feed(plain(b""))

    assert answer.take() is b""  # noqa: F632 - identity is the promise
