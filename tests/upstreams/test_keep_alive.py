"""Connections that serve several requests, and those that must not."""

import asyncio

import pytest

from clearway.core.errors import UpstreamProtocolError
from clearway.upstreams.protocol import Request
from tests.upstreams.hostile import Peer, Script, answering, chunked, connected, fetch, get, hostile, plain, post, until

REUSED = [
    pytest.param(get(), plain(b"a"), id="content-length"),
    pytest.param(post(), chunked(b"a"), id="chunked"),
    pytest.param(get(), b"HTTP/1.1 204 x\r\n\r\n", id="204"),
    pytest.param(get(), b"HTTP/1.1 304 x\r\ncontent-length: 5\r\n\r\n", id="304"),
    pytest.param(
        Request(method=b"HEAD", target=b"/", headers=()), b"HTTP/1.1 200 x\r\ncontent-length: 5\r\n\r\n", id="head"
    ),
    pytest.param(post(bytes(3 << 20)), plain(b"a"), id="large-request"),
    pytest.param(post(), plain(b"a", status=b"429 x"), id="refused"),
    pytest.param(get(), b"HTTP/1.0 200 x\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\na", id="http-1.0-asked"),
]


@pytest.mark.parametrize(("request_", "answer"), REUSED)
async def test_a_connection_is_used_again(request_: Request, answer: bytes) -> None:
    """After a whole answer that keeps it open."""
    async with hostile(answering(*[answer] * 3)) as journal, connected(journal.url) as client:
        for _ in range(3):
            await fetch(client, request_)

        assert journal.connections == 1
        assert len(journal.requests) == 3


CLOSED = [
    pytest.param(plain(b"a", b"connection: close"), id="connection-close"),
    pytest.param(b"HTTP/1.0 200 x\r\ncontent-length: 1\r\n\r\na", id="http-1.0"),
    pytest.param(plain(b"a") + b"HTTP", id="begins-another-answer"),
    pytest.param(plain(b"a") + plain(b"evil"), id="another-answer"),
    pytest.param(chunked(b"a") + plain(b"evil"), id="another-answer-after-chunks"),
    pytest.param(b"HTTP/1.1 204 x\r\ncontent-length: 4\r\n\r\nevil", id="204-with-body"),
    pytest.param(plain(b"a") + b"\0", id="noise"),
]


@pytest.mark.parametrize("answer", CLOSED)
async def test_a_connection_with_anything_left_over_is_closed(answer: bytes) -> None:
    """No byte of one answer reaches the next request."""
    async with hostile(answering(answer), answering(plain(b"good"))) as journal, connected(journal.url) as client:
        status, body = await fetch(client, get())

        assert (status, body) in {(200, b"a"), (204, b"")}
        assert (200, b"good") == await fetch(client, get())
        assert journal.connections == 2


async def test_a_refusal_of_a_large_request_closes_the_connection() -> None:
    """It may have come before the body was read, by an upstream that reads no more: the next request would be
    thrown away with what is left of this one, and waited for.
    """
    refused = plain(b"too large", status=b"413 x")
    script = answering(refused, plain(b"never"))
    async with hostile(script, answering(plain(b"good"))) as journal, connected(journal.url) as client:
        assert (413, b"too large") == await fetch(client, post(bytes(3 << 20)))
        assert (200, b"good") == await fetch(client, get())
        assert journal.connections == 2


async def test_bytes_that_come_while_idle_close_the_connection() -> None:
    """An answer that nobody asked for, a moment later."""
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(plain(b"a"))
        await go_on.wait()
        await peer.send(plain(b"evil"))
        await peer.left()

    async with hostile(script, answering(plain(b"good"))) as journal, connected(journal.url) as client:
        await fetch(client, get())
        go_on.set()
        await until(lambda: bool(journal.gone))

        assert (200, b"good") == await fetch(client, get())


async def test_bytes_that_the_kernel_already_has_close_the_connection() -> None:
    """They came before the next request was written: they cannot be its answer, though
    the event loop has not delivered them yet.
    """
    peers: list[Peer] = []

    async def script(peer: Peer) -> None:
        peers.append(peer)
        await peer.request()
        await peer.send(plain(b"a"))
        await peer.left()

    async with hostile(script, answering(plain(b"good"))) as journal, connected(journal.url) as client:
        await fetch(client, get())
        peers[0].socket.send(plain(b"evil"))  # and no await until the next request

        assert (200, b"good") == await fetch(client, get())
        assert len(journal.requests) == 2


async def test_a_connection_that_the_upstream_closes_is_dropped_at_once() -> None:
    """The next request opens a new one and is sent once."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(plain(b"a"))
        peer.finish()
        await peer.left()

    async with hostile(script) as journal, connected(journal.url) as client:
        await fetch(client, post())
        await until(lambda: bool(journal.gone))
        await fetch(client, post())

        assert len(journal.requests) == 2


def closing_on(peer_ends: str) -> Script:
    """Answers one request, takes the next one whole, and closes without a word."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(plain(b"a"))
        await peer.request()
        peer.finish() if peer_ends == "fin" else peer.reset()

    return script


@pytest.mark.parametrize("end", ["fin", "reset"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS"])
async def test_what_only_asks_is_sent_again_on_a_stale_connection(method: bytes, end: str) -> None:
    """The upstream closes just as the next request arrives: it goes out again, once, on a new connection."""
    request = Request(method=method, target=b"/v1/models", headers=())
    async with hostile(closing_on(end), answering(plain(b""))) as journal, connected(journal.url) as client:
        await fetch(client, post(b"1"))

        assert (200, b"") == await fetch(client, request)
        assert [b"POST", method, method] == [sent.split(b" ")[0] for sent in journal.requests]


@pytest.mark.parametrize("end", ["fin", "reset"])
@pytest.mark.parametrize("method", [b"POST", b"PUT", b"PATCH", b"DELETE"])
async def test_what_may_have_been_billed_is_never_sent_again(method: bytes, end: str) -> None:
    """The upstream took the request and closed at once: idle close or crash, nobody can tell."""
    request = Request(method=method, target=b"/v1/messages", headers=(), body=b"2")
    async with hostile(closing_on(end), answering(plain(b"b"))) as journal, connected(journal.url) as client:
        await fetch(client, post(b"1"))
        with pytest.raises(UpstreamProtocolError, match="ended before it"):
            await fetch(client, request)

        assert [b"1", b"2"] == [sent[-1:] for sent in journal.requests]
        assert journal.connections == 1
        assert (200, b"b") == await fetch(client, post(b"3"))


async def test_a_stale_connection_is_replaced_only_once() -> None:
    """Where the new connection ends in the same way, that is the answer."""

    async def second(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with hostile(closing_on("reset"), second) as journal, connected(journal.url) as client:
        await fetch(client, get())
        with pytest.raises(UpstreamProtocolError, match="ended before it"):
            await fetch(client, get())

        assert len(journal.requests) == 3


@pytest.mark.parametrize(
    "start", [b"H", b"HTTP/1.1 100 Go on\r\n\r\n", plain(b"abc")[:-1]], ids=["byte", "100", "body"]
)
async def test_nothing_is_sent_again_after_a_byte_of_an_answer(start: bytes) -> None:
    """The upstream had begun to work on it, though it was only asked."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(plain(b"a"))
        await peer.request()
        await peer.send(start)
        peer.finish()
        await peer.left()

    async with hostile(script) as journal, connected(journal.url) as client:
        await fetch(client, get())
        with pytest.raises(UpstreamProtocolError):
            await fetch(client, get())

        assert len(journal.requests) == 2


async def test_a_stale_connection_found_in_the_middle_of_a_large_body() -> None:
    """Part of a request is no request, so that nothing can have been billed: it goes out again."""
    body = bytes(32 << 20)

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(plain(b"a"))
        await asyncio.get_running_loop().sock_recv(peer.socket, 1000)
        peer.reset()

    async with hostile(script, answering(plain(b"b"))) as journal, connected(journal.url) as client:
        await fetch(client, post())

        assert (200, b"b") == await fetch(client, post(body))
        assert journal.connections == 2
        assert body == journal.requests[-1].partition(b"\r\n\r\n")[2]


async def test_idle_connections_are_bounded() -> None:
    """Beyond `max_idle` the oldest is closed."""
    ready = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await ready.wait()
        await peer.send(plain(b"a"))
        await peer.left()

    async with hostile(script) as journal, connected(journal.url, max_idle=2) as client:
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(fetch(client, get()))
            await until(lambda: len(journal.requests) == 5)
            ready.set()
        await until(lambda: len(journal.gone) == 3)

        assert journal.connections == 5


async def test_idle_connections_grow_old() -> None:
    """After `max_idle_s` they are closed, though the upstream would keep them."""
    async with hostile(answering(plain(b"a"))) as journal, connected(journal.url, max_idle_s=0.05) as client:
        await fetch(client, get())
        await until(lambda: bool(journal.gone))

        assert journal.connections == 1


async def test_the_connection_used_last_goes_first() -> None:
    """So that the others can grow old."""
    may_answer = [asyncio.Event(), asyncio.Event()]

    peers: list[Peer] = []

    async def script(peer: Peer) -> None:
        number = len(peers)
        peers.append(peer)
        while await peer.request():
            await may_answer[number].wait()
            await peer.send(plain(b"%d" % number))

    async with hostile(script) as journal, connected(journal.url) as client:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fetch(client, get())) for _ in range(2)]
            await until(lambda: len(journal.requests) == 2)
            may_answer[1].set()
            await until(lambda: any(task.done() for task in tasks))
            may_answer[0].set()
        for _ in range(3):
            assert (200, b"0") == await fetch(client, get())

        assert journal.connections == 2
