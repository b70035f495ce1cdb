"""Requests that two readers could cut differently, each with an innocent one behind it.

What the upstream receives is compared byte by byte. A request is refused, and then
nothing of what follows on its connection goes anywhere; or it is accepted, and then
it leaves in one form only, and what follows is a request of its own.
"""

import socket

import pytest

from tests.gateway_process import GatewayProcess
from tests.hostile.tap import Tap
from tests.security.talk import connect, conversation, exchange
from tests.security.test_framing import HOSTILE, ours

BODY = b'{"model":"claude-sonnet-4-5","max_tokens":16,"messages":[]}'
SIZE = b"%x" % len(BODY)
LENGTH = b"content-length: %d\r\n" % len(BODY)
CHUNKED = b"transfer-encoding: chunked\r\n"
CHUNKS = SIZE + b"\r\n" + BODY + b"\r\n0\r\n\r\n"
LOGIN = b"authorization: Bearer sk-ant-oat01-x\r\n"
INNOCENT = b"GET /v1/files?innocent HTTP/1.1\r\nHost: 127.0.0.1\r\nauthorization: Bearer sk-ant-oat01-other\r\n"
FOLLOWS = INNOCENT + b"connection: close\r\n\r\n"


def ask(*lines: bytes, first: bytes = b"POST /v1/messages HTTP/1.1\r\n", body: bytes = BODY) -> bytes:
    """A request from raw lines."""
    return first + b"Host: 127.0.0.1\r\n" + LOGIN + b"".join(lines) + b"\r\n" + body


def coded(value: bytes) -> bytes:
    """In chunks, by that word."""
    return ask(b"transfer-encoding:" + value + b"\r\n", body=CHUNKS)


def sized(value: bytes) -> bytes:
    """Of that length."""
    return ask(b"content-length:" + value + b"\r\n")


def begun(line: bytes) -> bytes:
    """With that first line."""
    return ask(LENGTH, first=line + b"\r\n")


def chunks(body: bytes) -> bytes:
    """With a body in chunks as they stand there."""
    return ask(CHUNKED, body=body)


def last(end: bytes) -> bytes:
    """One good chunk, and then that."""
    return chunks(SIZE + b"\r\n" + BODY + b"\r\n" + end)


N = len(BODY)
CODINGS = [
    b" chunked, chunked", b" ,chunked", b" chunked,", b"\x0bchunked", b" chunked\x0b", b" chunked;q=1", b' "chunked"',
    b" chunked\x00", b"", b" identity", b" gzip", b" chunked\xa0", b" chu\tnked", b" chunked chunked", b" xchunked",
    b" gzip, chunked", b" identity, chunked", b" chunked\t",
]  # fmt: skip
LENGTHS = [
    b" %d %d" % (N, N), b" %d\x0b" % N, b"\x0b%d" % N, b" %d\xa0" % N, b" 0_%d" % N, b" %d.0" % N, b" %de0" % N,
    b" %d;" % N, b" 18446744073709551616", b" %d," % N, b" ,%d" % N, b" -0",
    b' "%d"' % N, b" \xd9\xa5", b" 0x%x" % N, b"",
]  # fmt: skip
FIELDS = [
    b"content-length : %d\r\n" % N, b"content-length\x0b: %d\r\n" % N, b"content-length\x00: %d\r\n" % N,
    b"\x0bcontent-length: %d\r\n" % N, b"content-length %d\r\n" % N, b"x-a\r\n" + LENGTH, b"x-a: 1\r\r\n" + LENGTH,
    b"x-a: 1\r\n\r" + LENGTH, b"x-a: \x01\r\n" + LENGTH, b"x-a: \x7f\r\n" + LENGTH, b"x-a: \x0c\r\n" + LENGTH,
    b"x(a): 1\r\n" + LENGTH, b"x\xe4: 1\r\n" + LENGTH, b"x/a: 1\r\n" + LENGTH, b"x@: 1\r\n" + LENGTH,
    b'x"a": 1\r\n' + LENGTH, b"{x}: 1\r\n" + LENGTH, b"x-a: 1\r\n x-b: 2\r\n" + LENGTH, CHUNKED + CHUNKED,
    b"x-a: 1\n" + CHUNKED, b"x-a: 1\r\n\tx: 2\r\n" + CHUNKED,
]  # fmt: skip
FIRST_LINES = [
    b"POST\t/v1/messages\tHTTP/1.1", b" POST /v1/messages HTTP/1.1", b"POST /v1/messages HTTP/1.1 ",
    b"POST /v1/messages http/1.1", b"POST /v1/messages HTTP/1.1.1", b"POST /v1/messages HTTP/01.1",
    b"POST /v1/messages HTTP/1.10", b"POST /v1/messages HTTP/ 1.1", b"POST /v1/messages HTTP/1,1",
    b"POST /v1/messages HTTPS/1.1", b"POST /v1/messages XHTTP/1.1", b"POST /v1/messages HTTP/1.2",
    b"POST /v1/messages HTTP/0.9", b"POST /v1/messages HTTP/3.0", b"post /v1/messages HTTP/1.1",
    b"POST http://127.0.0.1/v1/messages HTTP/1.1", b"POST http://evil.example/v1/messages HTTP/1.1",
    b"POST 127.0.0.1:80 HTTP/1.1", b"POST * HTTP/1.1", b"POST /v1/mess\x00ages HTTP/1.1",
    b"POST /v1/mess\xffages HTTP/1.1", b"POST /v1/messages?\xff HTTP/1.1", b"POST /v1/messages?a b HTTP/1.1",
    b"POST /v1/messages?a\tb HTTP/1.1", b"\x00POST /v1/messages HTTP/1.1", b"POST /v1/messages HTTP/1.1\r",
    b"POST /v1/messages?x#y HTTP/1.1", b"PURGE /v1/messages HTTP/1.1", b"SOURCE /v1/messages ICE/1.0",
    b"POST /v1/messages", b"POST HTTP/1.1", b"POST", b"CONNECT api.anthropic.com:443 HTTP/1.1",
]  # fmt: skip
CHUNK_LINES = [
    SIZE + b" ", b" " + SIZE, b"+" + SIZE, b"-" + SIZE, b"0x" + SIZE, SIZE[:1] + b"_" + SIZE[1:],
    b"1" + b"0" * 16 + SIZE, b"f" * 17, SIZE + b" ;x", SIZE + b"\t;x", b";x", b"", SIZE + b";\0",
    SIZE + b";\x01", SIZE + b";a=b\rc", SIZE + b";a=b\n", SIZE + b"\rx", SIZE + b"\x0b", SIZE + b'"', b"g",
    SIZE + b",1",
]  # fmt: skip
LAST_LINES = [
    b"0\n\n", b"0\r\n\n", b"0\r\nx\r\n\r\n", b"0\r\n x: y\r\n\r\n", b"-0\r\n\r\n", b"0\r\nx: y\n\r\n",
    b"0\r\nx : y\r\n\r\n", b"0\r\nx: \0\r\n\r\n", b"0\r\nx: y\rz\r\n\r\n", b"0\r\n: y\r\n\r\n", b"0 \r\n\r\n",
    b"0\r\r\n\r\n",
    b"0\r\ncontent-length: 3\r\n\r\n", b"0\r\ntransfer-encoding: chunked\r\n\r\n",
]  # fmt: skip
REFUSED = [
    *(pytest.param(coded(value), id=f"coding-{value!r}") for value in CODINGS),
    *(pytest.param(sized(value), id=f"length-{value!r}") for value in LENGTHS),
    *(pytest.param(ask(line), id=f"field-{line!r}") for line in FIELDS),
    *(pytest.param(begun(line), id=f"first-{line!r}") for line in FIRST_LINES),
    *(
        pytest.param(chunks(line + b"\r\n" + BODY + b"\r\n0\r\n\r\n"), id=f"chunk-{line!r}")
        for line in CHUNK_LINES
    ),
    *(pytest.param(last(end), id=f"last-chunk-{end!r}") for end in LAST_LINES),
    pytest.param(ask(CHUNKED, first=b"POST /v1/messages HTTP/1.0\r\n", body=CHUNKS), id="chunked-in-1.0"),
    pytest.param(chunks(SIZE + b"\n" + BODY + b"\r\n0\r\n\r\n"), id="chunk-line-ends-with-lf"),
    pytest.param(chunks(SIZE + b"\r\n" + BODY + b"x\r\n0\r\n\r\n"), id="chunk-longer-than-told"),
    pytest.param(chunks(SIZE + b"\r\n" + BODY + b"\n0\r\n\r\n"), id="chunk-ends-with-lf"),
    pytest.param(chunks(SIZE + b"\r\n" + BODY + b"\r0\r\n\r\n"), id="chunk-ends-with-cr"),
    pytest.param(ask(LENGTH, LENGTH, body=BODY * 2), id="two-lengths-two-bodies"),
    pytest.param(ask(b"expect: 100-continue\r\n", LENGTH, CHUNKED, body=CHUNKS), id="expecting-in-two-ways"),
]  # fmt: skip


@pytest.mark.parametrize("data", [*HOSTILE, *REFUSED])
def test_what_is_doubtful_goes_nowhere(gateway: GatewayProcess, tap: Tap, data: bytes) -> None:
    """One answer, a 400 of ours; then the end of the connection, with whatever stands behind it."""
    said = conversation(gateway.url, data + FOLLOWS)

    assert [(400, "invalid_request")] == [ours(answer) for answer in said]
    assert b"" == tap.bytes


def forwarded(tap: Tap, *lines: bytes, query: bytes = b"", body: bytes = BODY) -> bytes:
    """The one form in which it leaves."""
    head = b"POST /v1/messages" + query + b" HTTP/1.1\r\nhost: " + tap.authority.encode() + b"\r\n" + LOGIN
    return head + b"".join(lines) + b"accept-encoding: identity\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def innocent(tap: Tap) -> bytes:
    """How the second one leaves."""
    return INNOCENT.replace(b"Host: 127.0.0.1", b"host: " + tap.authority.encode()) + b"\r\n"


ACCEPTED = [
    pytest.param(ask(LENGTH), (), b"", id="plain"),
    pytest.param(sized(b"  %d \t" % N), (), b"", id="blanks-around-the-length"),
    pytest.param(sized(b"%d" % N), (), b"", id="no-blank-before-the-length"),
    pytest.param(sized(b" 00%d" % N), (), b"", id="zeros-before-the-length"),
    pytest.param(coded(b" chunked"), (), b"", id="chunked"),
    pytest.param(coded(b" CHUNKED"), (), b"", id="chunked-in-capitals"),
    pytest.param(chunks(b"0" * 30 + CHUNKS), (), b"", id="zeros-before-the-size"),
    pytest.param(chunks(SIZE.upper() + CHUNKS[len(SIZE) :]), (), b"", id="size-in-capitals"),
    pytest.param(
        chunks(b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"), (), b"", id="chunks-of-one-byte"
    ),
    pytest.param(chunks(SIZE + b";a=b" + CHUNKS[len(SIZE) :]), (), b"", id="extension"),
    pytest.param(chunks(SIZE + b';a="b c"' + CHUNKS[len(SIZE) :]), (), b"", id="quoted-extension"),
    pytest.param(last(b"0;x=y\r\n\r\n"), (), b"", id="extension-of-the-last-chunk"),
    pytest.param(last(b"0" * 40 + b"\r\n\r\n"), (), b"", id="many-zeros"),
    pytest.param(last(b"0\r\nx-a: 1\r\n\r\n"), (), b"", id="trailer"),
    pytest.param(
        last(b"0\r\nhost: evil.example\r\nauthorization: Bearer evil\r\nx-api-key: evil\r\ncookie: a=b\r\n\r\n"),
        (), b"", id="trailers-that-would-decide",
    ),
    pytest.param(last(b"0\r\ncontent-encoding: gzip\r\nconnection: authorization\r\n\r\n"), (), b"", id="odd-trailers"),
    pytest.param(last(b"0\r\n\r\n\r\n\r\n"), (), b"", id="empty-lines-between-two"),
    pytest.param(begun(b"\r\n\r\nPOST /v1/messages HTTP/1.1"), (), b"", id="empty-lines-first"),
    pytest.param(begun(b"POST  /v1/messages  HTTP/1.1"), (), b"", id="two-blanks"),
    pytest.param(begun(b'POST /v1/messages?x="<>^`{|}\\ HTTP/1.1'), (), b'?x="<>^`{|}\\', id="odd-query"),
    pytest.param(begun(b"POST /v1/messages?? HTTP/1.1"), (), b"??", id="two-question-marks"),
    pytest.param(ask(b"x-a: \xff\xe4\r\n", LENGTH), (b"x-a: \xff\xe4\r\n",), b"", id="value-that-is-not-ascii"),
    pytest.param(ask(b"X-A:\r\n", LENGTH), (b"x-a: \r\n",), b"", id="empty-value"),
    pytest.param(
        ask(b"x-a: 1\r\n", b"X-A: 2 \r\n", b"x-b: a, b\r\n", LENGTH),
        (b"x-a: 1\r\n", b"x-a: 2 \r\n", b"x-b: a, b\r\n"), b"", id="fields-that-repeat",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("data", "lines", "query"), ACCEPTED)
def test_what_is_accepted_leaves_in_one_form(
    gateway: GatewayProcess, tap: Tap, data: bytes, lines: tuple[bytes, ...], query: bytes
) -> None:
    """One request in, one out, whole and measured anew; the next one is a request of its own."""
    said = conversation(gateway.url, data + FOLLOWS)

    assert [200, 200] == [answer.status for answer in said]
    assert forwarded(tap, *lines, query=query) + innocent(tap) == tap.bytes


@pytest.mark.parametrize("first", [b"POST /v1/messages HTTP/1.0\r\n", b"POST /v1/messages RTSP/1.0\r\n"])
def test_an_older_protocol_is_answered_once(gateway: GatewayProcess, tap: Tap, first: bytes) -> None:
    """Its connection ends with the answer: what follows is nobody's."""
    said = conversation(gateway.url, ask(LENGTH, b"connection: keep-alive\r\n", first=first) + FOLLOWS)

    assert [200] == [answer.status for answer in said]
    assert forwarded(tap) == tap.bytes


@pytest.mark.parametrize("body", [INNOCENT + b"\r\n", b"0\r\n\r\n" + INNOCENT + b"\r\n", CHUNKS])
def test_a_request_in_a_body_is_a_body(gateway: GatewayProcess, tap: Tap, body: bytes) -> None:
    """With a length and in chunks."""
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    length = b"content-length: %d\r\n" % len(body)
    said = conversation(gateway.url, ask(length, body=body) + ask(CHUNKED, body=framed) + FOLLOWS)

    assert [200, 200, 200] == [answer.status for answer in said]
    assert forwarded(tap, body=body) * 2 + innocent(tap) == tap.bytes


SMUGGLED = INNOCENT.replace(b"innocent", b"smuggled") + b"\r\n"
HERE = b" HTTP/1.1\r\nHost: 127.0.0.1\r\n"
EARLY = [
    pytest.param(b"GET /health" + HERE + LOGIN, 200, id="answered-here"),
    pytest.param(b"POST /nowhere" + HERE + LOGIN, 404, id="no-such-path"),
    pytest.param(b"POST /v1/../x" + HERE + LOGIN, 400, id="a-path-with-two-readings"),
    pytest.param(b"POST /v1/messages HTTP/1.1\r\nHost: evil.example\r\n" + LOGIN, 421, id="another-host"),
    pytest.param(b"POST /v1/messages" + HERE, 401, id="a-stranger"),
    pytest.param(b"GET /v1/models" + HERE + b"x-clearway-key: cw-none\r\n", 401, id="a-wrong-key"),
]


@pytest.mark.parametrize("framed", ["length", "chunks"])
@pytest.mark.parametrize(("head", "status"), EARLY)
def test_a_body_that_nobody_reads_is_no_request(
    gateway: GatewayProcess, tap: Tap, head: bytes, status: int, framed: str
) -> None:
    """What was answered early is read to its end all the same, and the next request begins there."""
    how = b"content-length: %d\r\n" % len(SMUGGLED) if framed == "length" else CHUNKED
    body = SMUGGLED if framed == "length" else b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    said = conversation(gateway.url, head + how + b"\r\n" + body + FOLLOWS)

    assert [status, 200] == [answer.status for answer in said]
    assert innocent(tap) == tap.bytes


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ask(LENGTH, b"x-long: " + b"x" * 70_000 + b"\r\n"), id="70-kb"),
        pytest.param(ask(LENGTH, b"x-long: " + b"x" * 1_000_000 + b"\r\n"), id="1-mb"),
        pytest.param(ask(LENGTH, *(b"x-%d: 1\r\n" % number for number in range(1000))), id="1000-fields"),
        pytest.param(ask(LENGTH, *(b"x-%d: 1\r\n" % number for number in range(20_000))), id="20000-fields"),
        pytest.param(ask(LENGTH, b"x" * 100_000 + b": 1\r\n"), id="long-name"),
        pytest.param(begun(b"POST /v1/messages?" + b"x" * 100_000 + b" HTTP/1.1"), id="100-kb-target"),
        pytest.param(chunks(SIZE + b";" + b"x" * 1_000_000 + CHUNKS[len(SIZE) :]), id="1-mb-extension"),
        pytest.param(last(b"0\r\n" + b"x-a: 1\r\n" * 100_000 + b"\r\n"), id="100000-trailers"),
        pytest.param(last(b"0\r\nx-a: " + b"x" * 1_000_000 + b"\r\n\r\n"), id="1-mb-trailer"),
    ],
)
def test_what_is_too_long_is_not_waited_for(gateway: GatewayProcess, tap: Tap, data: bytes) -> None:
    """The connection ends, mostly with a word why: its sender may still be talking."""
    with connect(gateway.url) as sock:
        said = b""
        try:
            sock.sendall(data + FOLLOWS)
            while piece := sock.recv(65_536):
                said += piece
        except ConnectionError:
            pass

    assert said == b"" or said.startswith(b"HTTP/1.1 431 ")
    assert b"" == tap.bytes


@pytest.mark.parametrize("length", [b"4294967355", b"9223372036854775807", b"18446744073709551615"])
def test_a_length_is_taken_at_its_word(gateway: GatewayProcess, tap: Tap, length: bytes) -> None:
    """Not cut to 32 or 64 bits: what follows is the body that was refused, whatever it looks like."""
    said = exchange(gateway.url, sized(b" " + length) + FOLLOWS)

    assert (413, "too_large") == ours(said)
    assert b"" == tap.bytes


HALVES = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"POST /v1/messages HT", id="half-a-line"),
    pytest.param(ask(LENGTH, body=b"")[:-2], id="half-a-head"),
    pytest.param(ask(LENGTH, body=BODY[:-1]), id="half-a-body"),
    pytest.param(ask(LENGTH, body=b""), id="no-body"),
    pytest.param(chunks(SIZE + b"\r\n" + BODY[:5]), id="half-a-chunk"),
    pytest.param(chunks(SIZE + b"\r\n" + BODY + b"\r\n"), id="no-last-chunk"),
    pytest.param(last(b"0\r\n"), id="no-last-line"),
    pytest.param(chunks(b"f" * 16 + b"\r\n" + BODY + b"\r\n0\r\n\r\n"), id="chunk-of-almost-2-to-the-64th"),
]


@pytest.mark.parametrize("data", HALVES)
def test_half_a_request_is_none(gateway: GatewayProcess, tap: Tap, data: bytes) -> None:
    """A client that sends no more has left, and what it has sent is no request."""
    with connect(gateway.url) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

        assert b"" == sock.recv(65_536)
    assert b"" == tap.bytes


def test_a_body_is_not_asked_for_twice(gateway: GatewayProcess, tap: Tap) -> None:
    """`expect: 100-continue`: one interim answer, and the body once."""
    said = conversation(gateway.url, ask(b"expect: 100-continue\r\n", LENGTH) + FOLLOWS)

    assert [200, 200] == [answer.status for answer in said]
    assert forwarded(tap) + innocent(tap) == tap.bytes


def test_many_small_requests_at_once(gateway: GatewayProcess, tap: Tap) -> None:
    """A hundred in one piece: a hundred answers in order, a hundred requests."""
    said = conversation(gateway.url, ask(LENGTH) * 100 + FOLLOWS)

    assert [200] * 101 == [answer.status for answer in said]
    assert forwarded(tap) * 100 + innocent(tap) == tap.bytes
