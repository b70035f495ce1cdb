"""The client against upstreams that misbehave: one exchange."""

import asyncio
import contextlib
import gc
import socket
import tracemalloc
import weakref
from collections.abc import Callable

import pytest

from clearway.core.errors import UpstreamProtocolError, UpstreamUnreachable
from clearway.upstreams.http import Address, HttpClient
from clearway.upstreams.http.connection import MAX_UNREAD, Body
from clearway.upstreams.http.dial import connect_first
from tests.upstreams.hostile import (
    AT_ONCE_S,
    Peer,
    answering,
    chunked,
    connected,
    fetch,
    get,
    hostile,
    plain,
    post,
    silent,
    until,
    whole,
)


async def test_a_request_arrives_as_it_was_given() -> None:
    """Headers in order, the path behind the prefix, the body untouched."""
    request = post(b"\x00\xffbody", target=b"/v1/messages?beta=true")
    async with hostile(answering(plain(b"ok"))) as journal, connected(journal.url + "/base/") as client:
        assert (200, b"ok") == await fetch(client, request)

        host = journal.url.removeprefix("http://").encode()
        assert [
            b"POST /base/v1/messages?beta=true HTTP/1.1\r\nhost: " + host + b"\r\n"
            b"content-type: application/json\r\ncontent-length: 6\r\n\r\n\x00\xffbody"
        ] == journal.requests


@pytest.mark.parametrize(
    "make",
    [bytes, bytearray, memoryview, lambda raw: memoryview(raw).cast("I")],
    ids=["bytes", "bytearray", "memoryview", "memoryview-of-integers"],
)
@pytest.mark.parametrize("size", [0, 4, 65536, 65540, 1 << 20, (1 << 20) + 4, 5 << 20])
async def test_bodies_of_every_size_and_type(make: Callable[[bytes], Body], size: int) -> None:
    """Around each limit of the client; nothing is lost or doubled."""
    raw = bytes(range(256)) * (size // 256) + bytes(size % 256)
    async with hostile(answering(plain(b"ok"))) as journal, connected(journal.url) as client:
        assert (200, b"ok") == await fetch(client, post(make(raw)))

        assert raw == journal.requests[0].partition(b"\r\n\r\n")[2]


async def test_a_refused_request_opens_no_connection() -> None:
    """What cannot be written is told before anything is sent."""
    async with hostile(silent) as journal, connected(journal.url) as client:
        with pytest.raises(ValueError, match="header"):
            await fetch(client, get(headers=[(b"a", b"b\r\nx: y")]))

        assert journal.connections == 0


async def test_pieces_are_handed_out_as_they_come() -> None:
    """`read` does not wait for more than there is; `ended` names the last piece."""
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n")
        for piece in (b"ab", b"cd", b"ef"):
            await go_on.wait()
            go_on.clear()
            await peer.send(piece)
        await peer.left()

    async with hostile(script) as journal, connected(journal.url) as client, client.open(post()) as reply:
        for piece, ended in ((b"ab", False), (b"cd", False), (b"ef", True)):
            assert not reply.ended
            go_on.set()

            assert piece == await reply.read()
            assert ended == reply.ended
        assert b"" == await reply.read() == await reply.read()


@pytest.mark.parametrize(
    "answer",
    [plain(b""), b"HTTP/1.1 204 x\r\n\r\n", b"HTTP/1.1 304 x\r\ncontent-length: 5\r\n\r\n"],
    ids=["0", "204", "304"],
)
async def test_an_answer_without_a_body_has_ended_at_once(answer: bytes) -> None:
    """Nobody has to read to know it."""
    async with hostile(answering(answer)) as journal, connected(journal.url) as client, client.open(get()) as reply:
        assert reply.ended
        assert b"" == await reply.read()


async def test_what_came_together_is_handed_out_together() -> None:
    """All pieces that wait are one read, and it is the last one."""
    async with (
        hostile(answering(chunked(b"a", b"b", b"c"))) as journal,
        connected(journal.url) as client,
        client.open(get()) as reply,
    ):
        assert b"abc" == await reply.read()
        assert reply.ended


async def test_every_cut_reads_the_same_over_a_socket() -> None:
    """Status, headers and body do not depend on how the network cuts."""
    wire = b"HTTP/1.1 100 Go on\r\n\r\n" + chunked(b"x").replace(b"200 OK", b"201 Made\r\nA: 1\r\na: 2")

    async def script(peer: Peer) -> None:
        for cut in range(1, len(wire)):
            if not await peer.request():
                return
            await peer.send(wire[:cut], wire[cut:])
        await peer.left()

    async with hostile(script) as journal, connected(journal.url) as client:
        for _ in range(1, len(wire)):
            async with client.open(get()) as reply:
                assert reply.status == 201
                assert [(b"a", b"1"), (b"a", b"2"), (b"transfer-encoding", b"chunked")] == list(reply.headers)
                assert b"x" == await whole(reply)

        assert journal.connections == 1


BROKEN = [
    pytest.param(b"", "before it", id="nothing"),
    pytest.param(b"HTTP/1.1 200 OK\r\nconte", "in its head", id="half-a-head"),
    pytest.param(b"HTTP/1.1 100 Go on\r\n\r\n", "in its head", id="interim-only"),
    pytest.param(b"\x16\x03\x01", "not valid HTTP", id="not-http"),
    pytest.param(b"HTTP/1.1 101 x\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "another protocol", id="upgrade"),
    pytest.param(b"HTTP/1.1 200 OK\r\na: " + b"b" * 400_000, "without any of its body", id="endless-head"),
]


@pytest.mark.parametrize("end", ["fin", "reset"])
@pytest.mark.parametrize(("wire", "reason"), BROKEN)
async def test_a_broken_head_is_an_error_and_is_not_sent_twice(wire: bytes, reason: str, end: str) -> None:
    """On a new connection the request may have been received: never again."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(wire)
        if end == "fin":
            peer.finish()
            await peer.left()
        else:
            await asyncio.sleep(0.02)  # what was sent must be delivered before the reset discards it
            peer.reset()

    async with hostile(script) as journal, connected(journal.url) as client:
        with pytest.raises(UpstreamProtocolError, match=reason) as caught:
            await fetch(client, post())

        assert journal.url.removeprefix("http://") in str(caught.value)
        assert len(journal.requests) == 1
        assert journal.connections == 1


@pytest.mark.parametrize("end", ["fin", "reset"])
@pytest.mark.parametrize("wire", [plain(b"abcdef")[:-3], chunked(b"abc")[:-5]], ids=["content-length", "chunked"])
async def test_a_truncated_body_is_an_error_after_what_came(wire: bytes, end: str) -> None:
    """Never a quiet end, and never without the bytes that did come."""
    seen = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(wire)
        await seen.wait()
        peer.finish() if end == "fin" else peer.reset()

    async with hostile(script) as journal, connected(journal.url) as client, client.open(post()) as reply:
        assert b"abc" == await reply.read()
        seen.set()
        for _ in range(2):
            with pytest.raises(UpstreamProtocolError, match="broke off"):
                await reply.read()
        assert not reply.ended


async def test_a_failed_exchange_is_let_go_at_once() -> None:
    """What it held is free without the garbage collector, which calls seldom."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(plain(b"abcdef")[:-3])
        peer.finish()

    failed: weakref.ref[UpstreamProtocolError] | None = None
    async with hostile(script) as journal, connected(journal.url) as client:
        gc.disable()
        try:
            try:
                await fetch(client, post())
            except UpstreamProtocolError as error:
                failed = weakref.ref(error)

            assert failed is not None
            assert failed() is None
        finally:
            gc.enable()


async def test_a_truncated_body_that_nobody_read_yet_is_handed_out_first() -> None:
    """Bytes and end may come in one turn of the loop: the bytes go first."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(plain(b"abcdef")[:-3])
        peer.finish()
        await peer.left()

    async with hostile(script) as journal, connected(journal.url) as client, client.open(post()) as reply:
        await until(lambda: bool(journal.gone))

        assert b"abc" == await reply.read()
        with pytest.raises(UpstreamProtocolError):
            await reply.read()


async def test_a_body_until_the_close_ends_with_a_clean_close() -> None:
    """An answer without a length."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n", b"abc", b"def")
        peer.finish()
        await peer.left()

    async with hostile(script) as journal, connected(journal.url) as client:
        assert (200, b"abcdef") == await fetch(client, get())


async def test_a_redirect_is_not_followed() -> None:
    """It is the client's to follow, who knows where its credential may go."""
    async with (
        hostile(answering(plain(b"", b"location: /b", status=b"307 x"))) as journal,
        connected(journal.url) as client,
    ):
        assert (307, b"") == await fetch(client, post())
        assert len(journal.requests) == 1


async def test_leaving_early_closes_the_connection_at_once() -> None:
    """The upstream sees it in milliseconds, and stops working."""
    async with hostile(answering(plain(b"abc")[:-1])) as journal, connected(journal.url) as client:
        async with client.open(post()) as reply:
            await reply.read()
            left_at = asyncio.get_running_loop().time()
        await until(lambda: bool(journal.gone))

        assert journal.gone[0] - left_at < AT_ONCE_S


async def test_cancelling_before_the_head_closes_the_connection_at_once() -> None:
    """A client that goes away during a long thought costs nothing more."""
    async with hostile(silent) as journal, connected(journal.url) as client:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(fetch(client, post()))
            await until(lambda: bool(journal.requests))
            left_at = asyncio.get_running_loop().time()
            task.cancel()
        await until(lambda: bool(journal.gone))

        assert task.cancelled()
        assert journal.gone[0] - left_at < AT_ONCE_S
        assert len(journal.requests) == 1


async def test_cancelling_while_a_large_body_is_sent_closes_the_connection() -> None:
    """Also when the upstream never reads."""

    async def script(peer: Peer) -> None:
        await started.wait()
        await peer.left()

    started = asyncio.Event()
    async with hostile(script) as journal, connected(journal.url) as client:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(fetch(client, post(bytes(64 << 20))))
            await until(lambda: journal.connections == 1)
            await asyncio.sleep(0.05)  # let the buffers of the kernel fill
            task.cancel()
        started.set()
        await until(lambda: bool(journal.gone))

        assert task.cancelled()


async def test_a_cancelled_read_loses_nothing() -> None:
    """A heartbeat may interrupt the waiting."""
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n")
        await go_on.wait()
        await peer.send(b"abc")
        await peer.left()

    async with hostile(script) as journal, connected(journal.url) as client, client.open(get()) as reply:
        for _ in range(3):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await reply.read()
        go_on.set()

        assert b"abc" == await reply.read()


async def test_an_early_answer_stops_the_upload() -> None:
    """A 413 is handed out though most of the body was never taken."""
    body = bytes(64 << 20)

    async def script(peer: Peer) -> None:
        await asyncio.get_running_loop().sock_recv(peer.socket, 1000)
        await peer.send(plain(b"too large", status=b"413 x"))
        await released.wait()
        await peer.left()

    released = asyncio.Event()
    async with hostile(script, answering(plain(b"next"))) as journal, connected(journal.url) as client:
        assert (413, b"too large") == await fetch(client, post(body))
        released.set()
        assert (200, b"next") == await fetch(client, post())

        # Half a request is on the first connection: it can never serve another.
        assert journal.connections == 2


async def test_memory_stays_bounded_while_nobody_reads() -> None:
    """The transport is paused; the upstream's own buffers fill instead."""
    piece = bytes(1 << 20)
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (64 * len(piece)))
        for _ in range(64):
            await peer.send(piece)
            sent += 1
        await peer.left()

    async with hostile(script) as journal, connected(journal.url) as client, client.open(get()) as reply:
        tracemalloc.start()
        while True:
            before = sent
            await asyncio.sleep(0.05)  # until the sender makes no more progress
            if before == sent:
                break
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert sent < 64
        assert held < MAX_UNREAD + (1 << 20)
        size = 0
        while not reply.ended:
            size += len(await reply.read())
        assert 64 * len(piece) == size


async def test_many_at_once_each_get_their_own() -> None:
    """There is no bound on connections, and no answer goes astray."""

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            await peer.send(plain(request.partition(b"\r\n\r\n")[2]))

    async with hostile(script) as journal, connected(journal.url, max_idle=8) as client:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetch(client, post(b"%d" % number))) for number in range(150)]

        assert [(200, b"%d" % number) for number in range(150)] == [task.result() for task in tasks]
        assert len(journal.requests) == 150


async def test_a_refused_connection_names_the_host() -> None:
    """Nothing listens there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with connected(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(UpstreamUnreachable, match=f"127.0.0.1:{port}.*refused"):
            await fetch(client, get())


async def test_a_name_that_does_not_exist_is_told() -> None:
    """`.invalid` is never resolved (RFC 6761, section 6.4)."""
    async with connected("http://no-such-host.invalid") as client:
        with pytest.raises(UpstreamUnreachable, match=r"no-such-host\.invalid cannot be found"):
            await fetch(client, get())


async def dead_end() -> tuple[socket.AddressFamily, tuple[str, int]]:
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return socket.AF_INET, ("127.0.0.1", taken.getsockname()[1])


async def test_the_next_address_is_tried_where_the_first_one_is_dead() -> None:
    """A host may have several."""
    async with hostile(silent) as journal:
        good = (socket.AF_INET, ("127.0.0.1", Address.parse(journal.url).port))
        with await connect_first([await dead_end(), await dead_end(), good]) as opened:
            assert opened.getpeername() == good[1]


async def test_the_next_address_is_tried_where_the_first_one_is_silent() -> None:
    """A route that swallows everything costs a quarter of a second, not the whole limit."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # the queue of connections is full; Linux then drops what comes
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)  # noqa: FBT003 - by position only
            filler.connect_ex(listener.getsockname())
        async with hostile(silent) as journal:
            good = (socket.AF_INET, ("127.0.0.1", Address.parse(journal.url).port))
            with await connect_first([(socket.AF_INET, listener.getsockname()), good]) as opened:
                assert opened.getpeername() == good[1]


async def test_where_all_addresses_are_dead_the_first_error_is_told() -> None:
    """It is the preferred address."""
    with pytest.raises(ConnectionRefusedError):
        await connect_first([await dead_end(), await dead_end()])


async def test_after_the_end_nothing_can_be_read() -> None:
    """A reply that was left cannot see another exchange's bytes."""
    async with hostile(answering(plain(b"one"), plain(b"two"))) as journal, connected(journal.url) as client:
        async with client.open(get()) as first:
            await whole(first)
        async with client.open(get()) as second:
            with pytest.raises(RuntimeError, match="not open"):
                await first.read()
            assert b"two" == await whole(second)


async def test_closing_ends_what_runs_and_what_comes() -> None:
    """After `aclose` no socket is left, and no request is sent."""

    async def cut_off(client: HttpClient) -> None:
        with pytest.raises(UpstreamProtocolError, match="ended before it"):
            await fetch(client, post())

    async with hostile(silent) as journal, connected(journal.url) as client:
        async with asyncio.TaskGroup() as group:
            group.create_task(cut_off(client))
            await until(lambda: bool(journal.requests))
            await client.aclose()
        await until(lambda: bool(journal.gone))

        with pytest.raises(RuntimeError, match="closed"):
            await fetch(client, get())
        await client.aclose()
