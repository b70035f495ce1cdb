"""Limits at n-1, n and n+1, and requests that two readers would cut differently.

Whatever is refused, no upstream hears of it, and the answer is one of ours.
"""

import gzip
from collections.abc import Callable, Iterator

import msgspec
import pytest

from clearway.server.guard import MAX_FIELDS, MAX_HEAD, MAX_TARGET
from tests.security.talk import ASK, Answered, conversation, exchange, head, request
from tests.security.world import World

LOGIN = ("authorization", "Bearer sk-ant-oat01-clients-own-login")
BODY = msgspec.json.encode(ASK)
MAX_BODY = 100_000


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One that takes small bodies only."""
    with World(tmp_path_factory.mktemp("world"), server=f"max_body = {MAX_BODY}") as world:
        yield world


def ours(said: Answered | None) -> tuple[int, str | None]:
    """Status and code of an error of ours, whose shape is checked."""
    assert said is not None
    assert said.message.startswith("Clearway: ")
    return said.status, said.error


def target_of(size: int) -> str:
    """A target of that many bytes."""
    return "/v1/files?q=".ljust(size, "x")


@pytest.mark.parametrize(("more", "status"), [(-1, 200), (0, 200), (1, 431)])
def test_the_target(world: World, more: int, status: int) -> None:
    """8 KiB of path and query."""
    said = exchange(world.gateway.url, request(target_of(MAX_TARGET + more), LOGIN, method="GET"), method="GET")

    assert said is not None
    assert status == said.status
    assert (status == 200) == bool(world.login_host.received)
    if status != 200:
        assert (431, "head_too_large") == ours(said)


@pytest.mark.parametrize(("more", "status"), [(-1, 200), (0, 200), (1, 431)])
def test_the_number_of_fields(world: World, more: int, status: int) -> None:
    """A hundred."""
    known = 3  # host, authorization, content-length
    fields = [(f"x-{number}", "1") for number in range(MAX_FIELDS - known + more)]
    said = exchange(world.gateway.url, request("/v1/messages", LOGIN, *fields, body=BODY))

    assert said is not None
    assert status == said.status
    assert (status == 200) == bool(world.login_host.received)
    if status != 200:
        assert (431, "head_too_large") == ours(said)


@pytest.mark.parametrize(("more", "status"), [(-1, 200), (0, 200), (1, 431)])
def test_the_bytes_of_a_head(world: World, more: int, status: int) -> None:
    """64 KiB of target, names and values, with four bytes for each line."""
    fields = (("host", "127.0.0.1"), LOGIN, ("content-length", str(len(BODY))), ("x-long", ""))
    used = len("/v1/messages") + sum(len(name) + len(value) + 4 for name, value in fields)
    data = request("/v1/messages", LOGIN, ("x-long", "x" * (MAX_HEAD - used + more)), body=BODY)
    said = exchange(world.gateway.url, data)

    assert said is not None
    assert status == said.status
    assert (status == 200) == bool(world.login_host.received)


def test_a_head_without_end(world: World) -> None:
    """It is not waited for: past the limit the connection ends, answered."""
    data = head("POST", "/v1/messages", LOGIN)[:-2] + b"x-long: " + b"x" * (MAX_HEAD + 1)

    assert (431, "head_too_large") == ours(exchange(world.gateway.url, data))
    assert world.untouched


def sized(size: int) -> bytes:
    """A good body of that many bytes."""
    return BODY[:-1] + b" " * (size - len(BODY)) + b"}"


def chunked(body: bytes, *fields: tuple[str, str]) -> bytes:
    """A request whose body's length is not told."""
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:1000], body[1000:]) if piece)
    return head("POST", "/v1/messages", LOGIN, ("transfer-encoding", "chunked"), *fields) + pieces + b"0\r\n\r\n"


def declared(body: bytes, *fields: tuple[str, str]) -> bytes:
    """A request whose body's length is told."""
    return request("/v1/messages", LOGIN, *fields, body=body)


@pytest.mark.parametrize("frame", [declared, chunked])
@pytest.mark.parametrize(("more", "status"), [(-1, 200), (0, 200), (1, 413)])
def test_a_body(world: World, frame: Callable[..., bytes], more: int, status: int) -> None:
    """`max_body`, whether its length was told or not."""
    said = exchange(world.gateway.url, frame(sized(MAX_BODY + more)))

    assert said is not None
    assert status == said.status
    assert (status == 200) == bool(world.login_host.received)
    if status != 200:
        assert (413, "too_large") == ours(said)
        assert "max_body" in said.message


def test_a_body_is_refused_by_its_announcement(world: World) -> None:
    """Nothing of it need be sent."""
    said = exchange(world.gateway.url, head("POST", "/v1/messages", LOGIN, ("content-length", str(MAX_BODY + 1))))

    assert (413, "too_large", True) == (*ours(said), world.untouched)


def test_a_stranger_is_refused_before_the_body(world: World) -> None:
    """Without a credential nothing is read."""
    said = exchange(world.gateway.url, head("POST", "/v1/messages", ("content-length", str(MAX_BODY))))

    assert (401, "invalid_key", True) == (*ours(said), world.untouched)


DOUBLE = [
    b'{"model":"claude-haiku-4-5","model":"claude-sonnet-4-5","max_tokens":1,"messages":[]}',
    b'{"model":"claude-haiku-4-5","\\u006dodel":"claude-sonnet-4-5","max_tokens":1,"messages":[]}',
    b'{"stream":false,"model":"claude-haiku-4-5","stream":true,"max_tokens":1,"messages":[]}',
    b'{"stream":false,"model":"claude-haiku-4-5","\\u0073tream":true,"max_tokens":1,"messages":[]}',
    b'{"max_tokens":1,"model":"claude-haiku-4-5","max_tokens":999999,"messages":[]}',
]


@pytest.mark.parametrize("body", DOUBLE)
@pytest.mark.parametrize("beside", [(), (("x-clearway-key", "KEY"),)], ids=["login", "login-and-key"])
def test_what_decides_stands_there_once(
    world: World, key: str, body: bytes, beside: tuple[tuple[str, str], ...]
) -> None:
    """Of two another reader could take the other one, with a key or without, packed or not."""
    fields = tuple((name, key) for name, _ in beside)
    for data in (declared(body, *fields), declared(gzip.compress(body), ("content-encoding", "gzip"), *fields)):
        assert (400, "invalid_request", True) == (*ours(exchange(world.gateway.url, data)), world.untouched)


def test_a_body_that_nobody_can_read_needs_no_key(world: World, key: str) -> None:
    """Where a key's limits hold it is refused; a login alone is the provider's business."""
    for body in (b'{"model": "claude-son', b"\xff\xfe", b"[]", b"", b'{"model":5}', b"[" * 50_000):
        said = exchange(world.gateway.url, declared(body, ("x-clearway-key", key)))

        assert (400, "invalid_request", True) == (*ours(said), world.untouched)
        alone = exchange(world.gateway.url, declared(body))

        assert alone is not None
        assert (200, body) == (alone.status, world.login_host.received[-1].body)
        world.renew()


def lines(
    *more: bytes, host: bytes = b"Host: 127.0.0.1\r\n", first: bytes = b"POST /v1/messages HTTP/1.1\r\n"
) -> bytes:
    """A head from raw lines."""
    return first + host + b"authorization: Bearer sk-ant-oat01-x\r\n" + b"".join(more) + b"\r\n"


LENGTH = b"content-length: %d\r\n" % len(BODY)
CHUNKED = b"transfer-encoding: chunked\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
SMUGGLED = b"GET /v1/files?smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\nauthorization: Bearer x\r\n\r\n"
HOSTILE = [
    pytest.param(lines(LENGTH, host=b"") + BODY, id="no-host"),
    pytest.param(lines(LENGTH, b"Host: 127.0.0.1\r\n") + BODY, id="two-hosts-alike"),
    pytest.param(lines(LENGTH, b"hOST: evil.example\r\n") + BODY, id="two-hosts"),
    pytest.param(lines(LENGTH, CHUNKED) + CHUNKS, id="length-and-chunked"),
    pytest.param(lines(CHUNKED, LENGTH) + CHUNKS, id="chunked-and-length"),
    pytest.param(lines(b"content-length: 0\r\n", CHUNKED) + CHUNKS + SMUGGLED, id="no-length-and-chunked"),
    pytest.param(lines(LENGTH, b"content-length: 5\r\n") + BODY, id="two-lengths"),
    pytest.param(lines(LENGTH, LENGTH) + BODY, id="two-lengths-alike"),
    pytest.param(lines(b"content-length: 5, 5\r\n") + BODY, id="length-list"),
    pytest.param(lines(b"content-length: +5\r\n") + BODY, id="length-with-a-sign"),
    pytest.param(lines(b"content-length: -1\r\n") + BODY, id="negative-length"),
    pytest.param(lines(b"content-length: 0x5\r\n") + BODY, id="hexadecimal-length"),
    pytest.param(lines(b"content-length: 99999999999999999999999\r\n") + BODY, id="length-past-64-bits"),
    pytest.param(lines(b"content-length:\r\n") + BODY, id="empty-length"),
    pytest.param(lines(b"transfer-encoding: identity, chunked\r\n", LENGTH) + CHUNKS, id="identity-chunked"),
    pytest.param(lines(b"transfer-encoding: chunked, gzip\r\n") + CHUNKS, id="chunked-not-last"),
    pytest.param(lines(b"transfer-encoding: xchunked\r\n", LENGTH) + CHUNKS, id="unknown-transfer-coding"),
    pytest.param(lines(b"transfer-encoding : chunked\r\n", LENGTH) + CHUNKS, id="blank-before-the-colon"),
    pytest.param(lines(b"transfer-encoding\t: chunked\r\n", LENGTH) + CHUNKS, id="tab-before-the-colon"),
    pytest.param(lines(b" transfer-encoding: chunked\r\n", LENGTH) + CHUNKS, id="line-folding"),
    pytest.param(lines(b"x-a: 1\r\n\tfolded: 2\r\n", LENGTH) + BODY, id="line-folding-with-a-tab"),
    pytest.param(lines(b"x-a: 1\rtransfer-encoding: chunked\r\n", LENGTH) + BODY, id="bare-cr"),
    pytest.param(lines(b"x-a: \x00\r\n", LENGTH) + BODY, id="nul-in-a-value"),
    pytest.param(lines(b"x-\x00a: 1\r\n", LENGTH) + BODY, id="nul-in-a-name"),
    pytest.param(lines(b"x a: 1\r\n", LENGTH) + BODY, id="blank-in-a-name"),
    pytest.param(lines(b": 1\r\n", LENGTH) + BODY, id="empty-name"),
    pytest.param(lines(LENGTH).replace(b"\r\n", b"\n") + BODY, id="bare-lf-everywhere"),
    pytest.param(lines(b"x-a: 1\n", LENGTH) + BODY, id="bare-lf-in-the-head"),
    pytest.param(lines(CHUNKED) + CHUNKS.replace(b"\r\n", b"\n"), id="bare-lf-in-chunks"),
    pytest.param(lines(CHUNKED) + b"-1\r\nx\r\n0\r\n\r\n", id="negative-chunk"),
    pytest.param(lines(CHUNKED) + b"0x5\r\nhello\r\n0\r\n\r\n", id="hexadecimal-prefix-of-a-chunk"),
    pytest.param(lines(CHUNKED) + b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n", id="chunk-past-64-bits"),
    pytest.param(lines(CHUNKED) + b"5\r\nhelloXX0\r\n\r\n", id="chunk-without-its-end"),
    pytest.param(lines(CHUNKED) + b"zz\r\nhello\r\n0\r\n\r\n", id="chunk-of-no-size"),
    pytest.param(lines(LENGTH, first=b"POST /v1/messages HTTP/1.1 x\r\n") + BODY, id="four-words"),
    pytest.param(lines(LENGTH, first=b"POST /v1/messages HTTP/9.9\r\n") + BODY, id="another-version"),
    pytest.param(lines(LENGTH, first=b"POST /v1/messages HTTP/2.0\r\n") + BODY, id="http-2"),
    pytest.param(lines(LENGTH, first=b"POST /v1/messages\r\n") + BODY, id="http-0.9"),
    pytest.param(lines(b"connection: upgrade\r\nupgrade: websocket\r\n", LENGTH) + BODY, id="websocket"),
    pytest.param(lines(b"connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: x\r\n", LENGTH) + BODY, id="h2c"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="http-2-preface"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="tls"),
    pytest.param(b"SSH-2.0-x\r\n", id="ssh"),
]


@pytest.mark.parametrize("data", HOSTILE)
def test_what_two_readers_would_cut_differently(world: World, data: bytes) -> None:
    """Is refused with an answer of ours, once, and the connection ends."""
    said = conversation(world.gateway.url, data)

    assert [(400, "invalid_request")] == [ours(answer) for answer in said]
    assert world.untouched


def test_an_http_1_0_client_is_answered(world: World) -> None:
    """With `Host`, as nearly all send it: the answer ends with the connection."""
    (said,) = conversation(world.gateway.url, lines(LENGTH, first=b"POST /v1/messages HTTP/1.0\r\n") + BODY)

    assert "close" == said.header("connection")
    assert (200, 1) == (said.status, len(world.login_host.received))


def test_two_requests_at_once_are_two_exchanges(world: World, key: str) -> None:
    """Pipelined: answered in order, each with the credential that it brought itself."""
    first = request("/v1/messages", LOGIN, body=BODY)
    second = request("/v1/messages", ("x-api-key", key), body=BODY)
    third = request("/v1/messages", ("connection", "close"), body=BODY)
    said = conversation(world.gateway.url, first + second + third)

    assert [200, 200, 401] == [answer.status for answer in said]
    assert 2 == len({answer.header("x-clearway-exchange") for answer in said[:2]})
    assert (1, 1) == (len(world.login_host.received), len(world.api_host.received))
    assert b"sk-ant-oat01" not in world.api_host.bytes


def test_a_hidden_second_request_is_judged_by_itself(world: World) -> None:
    """What follows a body is a request of its own, and has no credential."""
    (first, second) = conversation(
        world.gateway.url,
        request("/v1/messages", LOGIN, body=BODY) + request("/v1/files", ("connection", "close"), method="GET"),
    )

    assert (200, 401) == (first.status, second.status)
    assert ["/v1/messages"] == [received.target for received in world.login_host.received]


def test_a_field_cannot_hold_another(world: World, key: str) -> None:
    """What an upstream sends comes back on one line, or not at all; names of models are quoted."""
    body = {**ASK, "model": "x\r\nx-injected: 1\r\n\r\n\x1b[31m"}
    said = exchange(world.gateway.url, request("/v1/messages", ("x-api-key", key), body=msgspec.json.encode(body)))

    assert (404, "not_found") == ours(said)
    assert said is not None
    assert said.header("x-injected") is None
    assert "\x1b" not in said.message
    assert world.untouched
