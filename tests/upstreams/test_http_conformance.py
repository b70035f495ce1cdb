"""What every implementation of `Upstream` that speaks HTTP promises, against a hostile upstream.

It knows the seam (`upstreams/protocol.py`) and raw sockets, nothing else; who is
put under it stands in `speakers.py`.
"""

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from clearway.config.model import Timeouts
from clearway.core.errors import UpstreamError, UpstreamProtocolError, UpstreamTimeout, UpstreamUnreachable
from clearway.upstreams.protocol import Request, Upstream
from tests.upstreams.hostile import (
    Journal,
    Peer,
    Script,
    answering,
    chunked,
    get,
    hostile,
    plain,
    post,
    silent,
    until,
    whole,
)
from tests.upstreams.speakers import SPEAKERS, Speaker

AT_ONCE_S = 0.25
PATIENT = Timeouts(connect_s=5, first_byte_s=5, idle_s=5, total_s=10)
LARGE = bytes(48 << 20)
"""More than all buffers on the way."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every promise over every speaker; the known exceptions are marked in `conftest.py`."""
    metafunc.parametrize("speaker", [pytest.param(speaker, id=speaker.name) for speaker in SPEAKERS])


@contextlib.asynccontextmanager
async def facing(
    speaker: Speaker, *scripts: Script, limits: Timeouts = PATIENT
) -> AsyncIterator[tuple[Upstream, Journal]]:
    """A speaker and the hostile upstream that it speaks to."""
    async with hostile(*scripts) as journal, speaker.make(journal.url, limits) as upstream:
        yield upstream, journal


async def ask(upstream: Upstream, request: Request) -> tuple[int, bytes]:
    """Status and body."""
    async with upstream.open(request) as reply:
        return reply.status, await whole(reply)


def bodies(journal: Journal) -> list[bytes]:
    """Of the requests so far."""
    return [request.partition(b"\r\n\r\n")[2] for request in journal.requests]


# What is sent.


async def test_a_request_goes_out_as_it_was_given(speaker: Speaker) -> None:
    """Target, case, order and duplicates are kept; nothing but `host` and `content-length` is added."""
    headers = ((b"X-Odd", b"1"), (b"b", b""), (b"x-odd", b"2"), (b"ACCEPT", b"a, b"), (b"x-odd", b"\xe4 3"))
    request = Request(method=b"POST", target=b"/v1/a%2Fb?c=%20&d", headers=headers, body=b"\0\xff")
    async with facing(speaker, answering(plain(b"ok"))) as (upstream, journal):
        assert (200, b"ok") == await ask(upstream, request)

        head, _, body = journal.requests[0].partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        host = journal.url.removeprefix("http://").encode()
        assert b"POST /v1/a%2Fb?c=%20&d HTTP/1.1" == first
        assert b"\0\xff" == body
        assert [b"content-length: 2", b"host: " + host] == sorted(
            line.lower() for line in lines if line.lower().startswith((b"host:", b"content-length:"))
        )
        assert [*(name + b": " + value for name, value in headers), *speaker.adds] == [
            line for line in lines if not line.lower().startswith((b"host:", b"content-length:"))
        ]


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview], ids=["bytes", "bytearray", "memoryview"])
async def test_a_body_is_whole(speaker: Speaker, make: type[bytes | bytearray | memoryview]) -> None:
    """Empty, in one packet, and larger than every buffer."""
    async with facing(speaker, answering(*[plain(b"ok")] * 4)) as (upstream, journal):
        sent = [bytes(range(256)) * (size // 256) for size in (0, 256, 65536, 3 << 20)]
        for body in sent:
            assert (200, b"ok") == await ask(upstream, post(make(body)))

        assert sent == bodies(journal)


INJECTIONS = [
    pytest.param(Request(method=b"GET", target=b"/", headers=((b"a", b"b\r\nx: y"),)), id="value"),
    pytest.param(Request(method=b"GET", target=b"/", headers=((b"a\r\nx", b"y"),)), id="name"),
    pytest.param(Request(method=b"GET", target=b"/", headers=((b"a", b"\0"),)), id="nul"),
    pytest.param(Request(method=b"GET", target=b"/ HTTP/1.1\r\nx: y\r\n\r\n", headers=()), id="target"),
    pytest.param(Request(method=b"GET / HTTP/1.1\r\nx:", target=b"/", headers=()), id="method"),
]


@pytest.mark.parametrize("request_", INJECTIONS)
async def test_what_could_end_a_line_early_is_not_sent(speaker: Speaker, request_: Request) -> None:
    """Refused as a wrong value, or made harmless; never a line that nobody wrote."""
    async with facing(speaker, answering(plain(b"ok"))) as (upstream, journal):
        with contextlib.suppress(ValueError):
            await ask(upstream, request_)

        assert not [request for request in journal.requests if b"\r\nx: y" in request or b"\0" in request]


@pytest.mark.parametrize(
    ("said", "status"),
    [(b"", 200), (b"HTTP/1.1 100 Continue\r\n\r\n", 200), (plain(b"", status=b"417 x"), 417)],
    ids=["nothing", "100", "417"],
)
async def test_expect_is_not_waited_for(speaker: Speaker, said: bytes, status: int) -> None:
    """A client's `expect: 100-continue` was answered by the gateway: the body follows at once, whatever is said."""
    answer = said if status == 417 else said + plain(b"ok")
    request = Request(method=b"POST", target=b"/", headers=((b"expect", b"100-continue"),), body=b"body")
    async with facing(speaker, answering(answer)) as (upstream, journal):
        assert status == (await ask(upstream, request))[0]
        assert [b"body"] == bodies(journal)


# Answers that are passed on.

ASKED = post()


@dataclass(frozen=True)
class Good:
    """An answer, and what is to be read from it."""

    wire: bytes
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] | None = None
    body: bytes = b""
    closes: bool = False
    request: Request = ASKED


ZIPPED = gzip.compress(b"text" * 100)
HEAD = Request(method=b"HEAD", target=b"/", headers=())
GOOD = [
    pytest.param(Good(plain(b"abc"), body=b"abc"), id="length"),
    pytest.param(Good(chunked(b"a", b"bc"), body=b"abc"), id="chunks"),
    pytest.param(
        Good(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1;x=y\r\na\r\n0\r\nt: u\r\n\r\n", body=b"a"),
        id="extension-and-trailer",
    ),
    pytest.param(Good(b"HTTP/1.1 200 OK\r\n\r\nabc", body=b"abc", closes=True), id="until-close"),
    pytest.param(Good(b"HTTP/1.0 200 OK\r\n\r\nabc", body=b"abc", closes=True), id="1.0"),
    pytest.param(Good(plain(b""), body=b""), id="empty"),
    pytest.param(Good(b"HTTP/1.1 204 x\r\n\r\n", 204), id="204"),
    pytest.param(Good(b"HTTP/1.1 304 x\r\ncontent-length: 5\r\n\r\n", 304), id="304"),
    pytest.param(Good(b"HTTP/1.1 200 x\r\ncontent-length: 5\r\n\r\n", request=HEAD), id="head"),
    pytest.param(Good(b"HTTP/1.1 100 x\r\n\r\n" + plain(b"abc"), body=b"abc"), id="100"),
    pytest.param(
        Good(b"HTTP/1.1 103 x\r\nlink: a\r\n\r\nHTTP/1.1 102 x\r\n\r\n" + plain(b"", b"a: b"), headers=((b"a", b"b"),)),
        id="103-and-102",
    ),
    *(
        pytest.param(Good(plain(b"", b"location: /b", status=b"%d x" % status), status), id=f"redirect-{status}")
        for status in (301, 302, 303, 307, 308)
    ),
    pytest.param(Good(plain(ZIPPED, b"content-encoding: gzip"), body=ZIPPED), id="gzip"),
    pytest.param(Good(plain(b"no gzip", b"content-encoding: gzip"), body=b"no gzip"), id="no-gzip"),
    pytest.param(Good(plain(b"\x8b\x01\x80", b"content-encoding: br"), body=b"\x8b\x01\x80"), id="br"),
    pytest.param(
        Good(
            plain(b"", b"Set-Cookie: a", b"X-B: 1", b"set-cookie: b", b"x-b: \xe4", b"X-Empty:"),
            headers=(
                (b"set-cookie", b"a"),
                (b"x-b", b"1"),
                (b"set-cookie", b"b"),
                (b"x-b", b"\xe4"),
                (b"x-empty", b""),
            ),
        ),
        id="headers",
    ),
    pytest.param(Good(plain(b"{}", status=b"529 Overloaded"), 529, body=b"{}"), id="529"),
    pytest.param(Good(plain(b"no", b"www-authenticate: Basic", status=b"401 x"), 401, body=b"no"), id="401"),
]


@pytest.mark.parametrize("case", GOOD)
async def test_an_answer_is_passed_on(speaker: Speaker, case: Good) -> None:
    """Status, headers in their order, the body's bytes; not unpacked, not followed, asked for once."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(case.wire)
        if case.closes:
            peer.finish()
        await peer.left()

    async with facing(speaker, script) as (upstream, journal):
        async with upstream.open(case.request) as reply:
            body = await whole(reply)

            assert (case.status, case.body) == (reply.status, body)
            if case.headers is not None:
                assert case.headers == tuple(pair for pair in reply.headers if pair[0] != b"content-length")
        assert len(journal.requests) == 1


async def test_a_stream_is_handed_out_as_it_comes(speaker: Speaker) -> None:
    """No piece waits for the next one; `ended` comes with the last."""
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        head, _, _ = chunked().partition(b"\r\n\r\n")
        await peer.send(head + b"\r\n\r\n")
        for piece in (b"2\r\nab\r\n", b"1\r\nc\r\n", b"1\r\nd\r\n0\r\n\r\n"):
            await go_on.wait()
            go_on.clear()
            await peer.send(piece)
        await peer.left()

    async with facing(speaker, script) as (upstream, _), upstream.open(post()) as reply:
        for piece, ended in ((b"ab", False), (b"c", False), (b"d", True)):
            go_on.set()

            assert piece == await reply.read()
            assert ended == reply.ended


# Answers that are refused.


@dataclass(frozen=True)
class Bad:
    """Bytes that are no answer, and whether the connection ends after them."""

    wire: bytes
    end: str = "stay"


BAD = [
    pytest.param(
        Bad(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        id="length-and-chunks",
    ),
    pytest.param(Bad(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"), id="two-lengths"),
    pytest.param(Bad(b"HTTP/1.1 200 OK\r\ncontent-length: -3\r\n\r\nabc"), id="negative-length"),
    pytest.param(Bad(b"HTTP/1.1 200 OK\r\ncontent-length: 0x3\r\n\r\nabc"), id="hexadecimal-length"),
    pytest.param(Bad(b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), id="coding"),
    pytest.param(
        Bad(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, identity\r\n\r\nabc", "fin"), id="chunked-not-last"
    ),
    pytest.param(Bad(b"HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"), id="101"),
    pytest.param(Bad(b"HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 0\r\n\r\n"), id="folded"),
    pytest.param(Bad(b"HTTP/1.1 200 OK\r\na : b\r\ncontent-length: 0\r\n\r\n"), id="blank-before-colon"),
    pytest.param(Bad(b"HTTP/1.1 200 OK\r\na: b\0c\r\ncontent-length: 0\r\n\r\n"), id="nul"),
    pytest.param(Bad(b"HTTP/1.1 200 OK\ncontent-length: 0\n\n"), id="bare-lines"),
    pytest.param(Bad(b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n"), id="2.0"),
    pytest.param(Bad(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), id="not-http"),
    pytest.param(Bad(b"<html>no</html>", "fin"), id="0.9"),
    pytest.param(Bad(plain(b"", b"a: " + b"b" * (2 << 20))), id="2-MB-header"),
    pytest.param(Bad(plain(b"", *[b"a: b"] * 50_000)), id="50000-headers"),
    pytest.param(Bad(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\na\r\n0\r\n\r\n"), id="chunk-size"),
    pytest.param(Bad(chunked(b"abc").replace(b"abc\r\n", b"abcd\r\n")), id="chunk-end"),
    pytest.param(Bad(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"f" * 20 + b"\r\na"), id="chunk-huge"),
    pytest.param(Bad(b"", "fin"), id="nothing-fin"),
    pytest.param(Bad(b"", "reset"), id="nothing-reset"),
    pytest.param(Bad(b"HTTP/1.1 200 OK\r\nconte", "fin"), id="half-head-fin"),
    pytest.param(Bad(b"HTTP/1.1 200 OK\r\nconte", "reset"), id="half-head-reset"),
    pytest.param(Bad(b"HTTP/1.1 100 x\r\n\r\n", "fin"), id="interim-only"),
    pytest.param(Bad(plain(b"abcdef")[:-3], "fin"), id="half-length-fin"),
    pytest.param(Bad(plain(b"abcdef")[:-3], "reset"), id="half-length-reset"),
    pytest.param(Bad(chunked(b"abc")[:-8], "fin"), id="half-chunk-fin"),
    pytest.param(Bad(chunked(b"abc")[:-5], "fin"), id="no-last-chunk-fin"),
    pytest.param(Bad(chunked(b"abc")[:-5], "reset"), id="no-last-chunk-reset"),
    pytest.param(Bad(chunked(b"abc")[:-2], "fin"), id="last-chunk-unfinished"),
]


@pytest.mark.parametrize("case", BAD)
async def test_what_is_no_answer_is_an_error(speaker: Speaker, case: Bad) -> None:
    """Never a quiet end; the request was sent once, and the connection serves nobody else."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(case.wire)
        if case.end == "reset":
            await asyncio.sleep(0.02)  # what was sent must be delivered before the reset discards it
            peer.reset()
            return
        if case.end == "fin":
            peer.finish()
        await peer.left()

    async with facing(speaker, script, answering(plain(b"good"))) as (upstream, journal):
        with pytest.raises(UpstreamProtocolError):
            await ask(upstream, post(b"1"))

        assert [b"1"] == bodies(journal)
        assert (200, b"good") == await ask(upstream, post(b"2"))
        assert journal.connections == 2


@pytest.mark.parametrize("what", [b"x: " + b"y" * 1000 + b"\r\n", b"y" * 1000], ids=["fields", "one-field"])
async def test_a_head_without_an_end_ends(speaker: Speaker, what: bytes) -> None:
    """After a bounded amount, long before the time is over."""
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\na: ")
        while True:
            await peer.send(what)
            sent += len(what)

    async with facing(speaker, script) as (upstream, _):
        with pytest.raises(UpstreamProtocolError):
            await ask(upstream, post())

        assert sent < 16 << 20


# Connections that are kept.

LEFTOVERS = [
    pytest.param(plain(b"a") + plain(b"evil"), id="after-length"),
    pytest.param(chunked(b"a") + plain(b"evil"), id="after-chunks"),
    pytest.param(b"HTTP/1.1 204 x\r\n\r\n" + plain(b"evil"), id="after-204"),
    pytest.param(plain(b"a") + b"HTTP/1.1 200 OK\r\ncontent-le", id="half-an-answer"),
]


@pytest.mark.parametrize("wire", LEFTOVERS)
async def test_leftover_bytes_never_answer_the_next_request(speaker: Speaker, wire: bytes) -> None:
    """Behind one pool stand several keys: one client's answer must not reach another."""
    async with facing(speaker, answering(wire), answering(plain(b"good"))) as (upstream, journal):
        await ask(upstream, post(b"1"))

        assert (200, b"good") == await ask(upstream, post(b"2"))
        assert journal.connections == 2


async def test_bytes_that_come_while_idle_never_answer_the_next_request(speaker: Speaker) -> None:
    """A moment later, unasked; the connection is closed at the latest when it would be used."""
    peers: list[Peer] = []

    async def script(peer: Peer) -> None:
        peers.append(peer)
        await peer.request()
        await peer.send(plain(b"a"))
        await peer.left()

    async with facing(speaker, script, answering(plain(b"good"))) as (upstream, _):
        await ask(upstream, post(b"1"))
        peers[0].socket.send(plain(b"evil"))

        assert (200, b"good") == await ask(upstream, post(b"2"))


async def test_a_connection_is_used_again(speaker: Speaker) -> None:
    """After a whole answer that was read to its end."""
    async with facing(speaker, answering(plain(b"1"), chunked(b"2"), plain(b"3"))) as (upstream, journal):
        for number in (b"1", b"2", b"3"):
            assert (200, number) == await ask(upstream, post())

        assert journal.connections == 1


async def test_a_connection_that_was_closed_while_idle_is_replaced(speaker: Speaker) -> None:
    """Each request arrives once."""
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(plain(b"ok"))
        peer.finish()
        closed.set()
        await peer.left()

    async with facing(speaker, script) as (upstream, journal):
        for number in (b"1", b"2", b"3"):
            assert (200, b"ok") == await ask(upstream, post(number))
            await closed.wait()
            closed.clear()
            await asyncio.sleep(0.01)  # what the kernel has must be there to be seen

        assert [b"1", b"2", b"3"] == bodies(journal)


@pytest.mark.parametrize("end", ["fin", "reset"])
async def test_a_request_that_may_have_been_billed_is_sent_once(speaker: Speaker, end: str) -> None:
    """On a kept connection that ends when the request has come: nobody can tell whether it was worked on."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(plain(b"a"))
        await peer.request()
        if end == "reset":
            peer.reset()
            return
        peer.finish()
        await peer.left()

    async with facing(speaker, script, answering(plain(b"good"))) as (upstream, journal):
        await ask(upstream, post(b"1"))
        with pytest.raises(UpstreamProtocolError):
            await ask(upstream, post(b"2"))

        assert [b"1", b"2"] == bodies(journal)
        assert (200, b"good") == await ask(upstream, post(b"3"))


# Clients that leave.


def pausing(*pieces: bytes) -> Script:
    """Says a part of an answer, and no more."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(*pieces)
        await peer.left()

    return script


PHASES = [
    pytest.param(silent, id="before-the-head"),
    pytest.param(pausing(b"HTTP/1.1 200 OK\r\na: b"), id="in-the-head"),
    pytest.param(pausing(b"HTTP/1.1 100 x\r\n\r\n"), id="after-an-interim-answer"),
    pytest.param(pausing(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"), id="before-the-body"),
    pytest.param(pausing(chunked(b"abc")[:-5]), id="in-the-body"),
]


@pytest.mark.parametrize("script", PHASES)
async def test_a_cancelled_request_is_dropped_at_once(speaker: Speaker, script: Script) -> None:
    """In every phase the upstream sees it in milliseconds, and stops working."""
    # The best of three: a busy machine may stall one.
    delays = []
    async with facing(speaker, script) as (upstream, journal), asyncio.TaskGroup() as group:
        for number in range(1, 4):
            task = group.create_task(ask(upstream, post()))
            await until(lambda: len(journal.requests) == number)  # noqa: B023 - called before the next turn
            await asyncio.sleep(0.02)  # until what was said has come
            left_at = asyncio.get_running_loop().time()
            task.cancel()
            await until(lambda: len(journal.gone) == number)  # noqa: B023 - called before the next turn
            delays.append(journal.gone[-1] - left_at)
            await asyncio.wait({task})

            assert task.cancelled()

    assert min(delays) < AT_ONCE_S
    assert len(journal.requests) == 3


async def test_leaving_the_context_drops_what_is_unread(speaker: Speaker) -> None:
    """After one piece of a stream without end."""
    async with facing(speaker, pausing(chunked(b"abc")[:-5])) as (upstream, journal):
        async with upstream.open(post()) as reply:
            assert b"abc" == await reply.read()
            left_at = asyncio.get_running_loop().time()
        await until(lambda: bool(journal.gone))

        assert journal.gone[0] - left_at < AT_ONCE_S


async def test_cancelling_an_upload_that_nobody_takes(speaker: Speaker) -> None:
    """The upstream never reads; the rest of the body is not sent."""
    taken = 0

    async def script(peer: Peer) -> None:
        nonlocal taken
        await cancelled.wait()
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError):
            while piece := await loop.sock_recv(peer.socket, 1 << 20):
                taken += len(piece)
        over.set()

    cancelled, over = asyncio.Event(), asyncio.Event()
    async with facing(speaker, script) as (upstream, journal), asyncio.TaskGroup() as group:
        task = group.create_task(ask(upstream, post(LARGE)))
        await until(lambda: journal.connections == 1)
        await asyncio.sleep(0.05)  # let the buffers of the kernel fill
        left_at = asyncio.get_running_loop().time()
        task.cancel()
        await asyncio.wait({task})

        assert asyncio.get_running_loop().time() - left_at < AT_ONCE_S
        cancelled.set()
        await over.wait()
        assert taken < len(LARGE)


async def test_cancelling_while_connecting(speaker: Speaker) -> None:
    """An address that swallows everything."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # the queue of connections is full; Linux then drops what comes
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)  # noqa: FBT003 - by position only
            filler.connect_ex(listener.getsockname())
        async with (
            speaker.make(f"http://127.0.0.1:{listener.getsockname()[1]}", PATIENT) as upstream,
            asyncio.TaskGroup() as group,
        ):
            task = group.create_task(ask(upstream, post()))
            await asyncio.sleep(0.05)  # until it waits for the network
            left_at = asyncio.get_running_loop().time()
            task.cancel()
            await asyncio.wait({task})

            assert asyncio.get_running_loop().time() - left_at < AT_ONCE_S


# Time and memory.


async def test_nothing_before_the_head_is_a_timeout(speaker: Speaker) -> None:
    """After `first_byte_s`; the upstream is left."""
    async with facing(speaker, silent, limits=Timeouts(first_byte_s=0.1)) as (upstream, journal):
        with pytest.raises(UpstreamTimeout):
            await ask(upstream, post())
        await until(lambda: bool(journal.gone))

        assert len(journal.requests) == 1


async def test_silence_in_the_body_is_a_timeout(speaker: Speaker) -> None:
    """After `idle_s`, when what came has been handed out."""
    async with facing(speaker, pausing(chunked(b"abc")[:-5]), limits=Timeouts(idle_s=0.1)) as (upstream, journal):
        async with upstream.open(post()) as reply:
            assert b"abc" == await reply.read()
            with pytest.raises(UpstreamTimeout):
                await reply.read()
        await until(lambda: bool(journal.gone))


@pytest.mark.parametrize("what", [b"HTTP/1.1 100 x\r\n\r\n", b"a"], ids=["interim", "head"])
async def test_trickling_before_the_head_is_no_progress(speaker: Speaker, what: bytes) -> None:
    """Only a whole head counts; interim answers without end are an error at the latest then."""

    async def script(peer: Peer) -> None:
        await peer.request()
        if what == b"a":
            await peer.send(b"HTTP/1.1 200 OK\r\na: ")
        while True:
            await peer.send(what)
            await asyncio.sleep(0.01)

    async with facing(speaker, script, limits=Timeouts(first_byte_s=0.2)) as (upstream, _):
        begun_at = asyncio.get_running_loop().time()
        with pytest.raises((UpstreamTimeout, UpstreamProtocolError)):
            await ask(upstream, post())

        assert asyncio.get_running_loop().time() - begun_at < 2


async def test_a_body_that_trickles_has_an_end(speaker: Speaker) -> None:
    """After `total_s`, though it never falls silent."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while True:
            await peer.send(b"a")
            await asyncio.sleep(0.01)

    async with facing(speaker, script, limits=Timeouts(total_s=0.2)) as (upstream, _):
        with pytest.raises(UpstreamTimeout):
            await ask(upstream, post())


async def test_an_upstream_that_never_reads_is_a_timeout(speaker: Speaker) -> None:
    """A request that is not taken for `idle_s` is not waited for any longer."""

    async def script(peer: Peer) -> None:
        await over.wait()
        del peer

    over = asyncio.Event()
    async with facing(speaker, script, limits=Timeouts(idle_s=0.15)) as (upstream, _):
        with pytest.raises(UpstreamTimeout):
            await ask(upstream, post(LARGE))
        over.set()


async def test_what_nobody_reads_is_not_taken(speaker: Speaker) -> None:
    """The upstream's own buffers fill instead of ours; later all of it is there."""
    piece, pieces, sent = bytes(1 << 20), len(LARGE) >> 20, 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (pieces * len(piece)))
        for _ in range(pieces):
            await peer.send(piece)
            sent += 1
        await peer.left()

    async with facing(speaker, script) as (upstream, _), upstream.open(post()) as reply:
        while True:
            before = sent
            await asyncio.sleep(0.05)  # until the sender makes no more progress
            if before == sent:
                break

        assert sent < pieces
        assert pieces * len(piece) == len(await whole(reply))


@pytest.mark.parametrize("end", ["stay", "fin", "reset"])
async def test_an_early_answer_to_a_large_body_is_heard(speaker: Speaker, end: str) -> None:
    """A refusal comes before the body was taken: it is handed out, and the connection serves nobody else."""

    async def script(peer: Peer) -> None:
        await asyncio.get_running_loop().sock_recv(peer.socket, 1000)
        await peer.send(plain(b"too large", status=b"413 x"))
        if end == "fin":
            peer.finish()
        if end == "reset":
            await asyncio.sleep(0.02)  # what was sent must be delivered before the reset discards it
            peer.reset()
            return
        await released.wait()
        await peer.left()

    released = asyncio.Event()
    async with facing(speaker, script, answering(plain(b"next"))) as (upstream, journal):
        async with asyncio.timeout(3):
            assert (413, b"too large") == await ask(upstream, post(LARGE))
        released.set()

        assert (200, b"next") == await ask(upstream, post())
        assert journal.connections == 2


async def test_many_at_once_each_get_their_own(speaker: Speaker) -> None:
    """No bound on connections, no answer that goes astray."""

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            await peer.send(plain(request.partition(b"\r\n\r\n")[2]))

    async with facing(speaker, script) as (upstream, journal):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(upstream, post(b"%d" % number))) for number in range(120)]

        assert [(200, b"%d" % number) for number in range(120)] == [task.result() for task in tasks]
        assert len(journal.requests) == 120


async def test_nobody_there_is_told_as_such(speaker: Speaker) -> None:
    """Nothing was sent, so another upstream may be asked."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    async with speaker.make(url, PATIENT) as upstream:
        with pytest.raises(UpstreamUnreachable):
            await ask(upstream, post())


async def test_a_failure_harms_nobody_else(speaker: Speaker) -> None:
    """An exchange that breaks leaves those beside it alone."""
    failed = asyncio.Event()

    async def healthy(peer: Peer) -> None:
        await peer.request()
        await peer.send(chunked(b"abc")[:-5])
        await failed.wait()
        await peer.send(b"0\r\n\r\n")
        await peer.left()

    async def broken(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with facing(speaker, healthy, broken) as (upstream, _), upstream.open(get()) as reply:
        assert b"abc" == await reply.read()
        with pytest.raises(UpstreamError):
            await ask(upstream, post())
        failed.set()

        assert b"" == await whole(reply)
