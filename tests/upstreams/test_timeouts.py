"""Limits of waiting; each says its name, its value and the host."""

import asyncio
import socket

import pytest

from clearway.config.model import Timeouts
from clearway.core.errors import UpstreamTimeout, UpstreamUnreachable
from tests.upstreams.hostile import Peer, answering, connected, fetch, get, hostile, plain, post, silent, until, whole


async def test_first_byte() -> None:
    """An upstream that takes the request and says nothing; the connection is closed."""
    limits = Timeouts(first_byte_s=0.1)
    async with hostile(silent) as journal, connected(journal.url, timeouts=limits) as client:
        with pytest.raises(UpstreamTimeout, match=r"no answer from 127.0.0.1:\d+ within first_byte_s = 0.1 s"):
            await fetch(client, post())
        await until(lambda: bool(journal.gone))

        assert len(journal.requests) == 1


async def test_interim_answers_and_half_heads_do_not_prolong_it() -> None:
    """Only the whole head counts."""

    async def script(peer: Peer) -> None:
        await peer.request()
        for byte in b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 200 OK\r\n" + b"a" * 1000:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0.01)

    limits = Timeouts(first_byte_s=0.15)
    async with hostile(script) as journal, connected(journal.url, timeouts=limits) as client:
        with pytest.raises(UpstreamTimeout, match="first_byte_s"):
            await fetch(client, post())


async def test_idle() -> None:
    """Silence in the middle of a body, after what came has been handed out."""
    limits = Timeouts(idle_s=0.1)
    async with hostile(answering(plain(b"abc")[:-1])) as journal, connected(journal.url, timeouts=limits) as client:
        async with client.open(get()) as reply:
            assert b"ab" == await reply.read()
            with pytest.raises(UpstreamTimeout, match=r"sent nothing for idle_s = 0.1 s"):
                await reply.read()
        await until(lambda: bool(journal.gone))


async def test_pieces_that_come_in_time_prolong_idle() -> None:
    """The limit is between two pieces, not for all of them."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n")
        for _ in range(8):
            await asyncio.sleep(0.1)
            await peer.send(b"a")
        await peer.left()

    limits = Timeouts(idle_s=0.6)
    async with hostile(script) as journal, connected(journal.url, timeouts=limits) as client:
        assert (200, b"a" * 8) == await fetch(client, get())


async def test_a_paused_upstream_is_not_blamed_for_silence() -> None:
    """While nobody reads, it cannot send."""
    size = 16 << 20
    limits = Timeouts(idle_s=0.5)
    async with (
        hostile(answering(plain(bytes(size)))) as journal,
        connected(journal.url, timeouts=limits) as client,
        client.open(get()) as reply,
    ):
        await asyncio.sleep(1)  # twice the limit
        got = 0
        while not reply.ended:
            got += len(await reply.read())

        assert size == got


async def test_total() -> None:
    """However busy it is: the whole exchange has an end, also on a connection used before."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(plain(b"a"))
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while True:
            await peer.send(b"a")
            await asyncio.sleep(0.01)

    limits = Timeouts(total_s=0.6)
    async with hostile(script) as journal, connected(journal.url, timeouts=limits) as client:
        await fetch(client, get())
        with pytest.raises(UpstreamTimeout, match=r"not over within total_s = 0.6 s"):
            await fetch(client, get())

        assert journal.connections == 1


async def test_total_holds_while_nobody_reads() -> None:
    """A client that stalls does not keep the upstream busy for ever."""
    limits = Timeouts(total_s=0.2)
    async with (
        hostile(answering(plain(bytes(64 << 20)))) as journal,
        connected(journal.url, timeouts=limits) as client,
        client.open(get()) as reply,
    ):
        await asyncio.sleep(0.4)  # twice the limit
        with pytest.raises(UpstreamTimeout, match="total_s"):
            await whole(reply)


async def test_an_upstream_that_never_reads() -> None:
    """A request that is not taken is a timeout, too."""

    async def script(peer: Peer) -> None:
        await over.wait()
        del peer

    over = asyncio.Event()
    limits = Timeouts(idle_s=0.15)
    async with hostile(script) as journal, connected(journal.url, timeouts=limits) as client:
        with pytest.raises(UpstreamTimeout, match=r"took nothing of the request for idle_s = 0.15 s"):
            await fetch(client, post(bytes(64 << 20)))
        over.set()


async def test_an_upload_that_makes_progress_is_not_cut() -> None:
    """Slow is not silent."""

    async def script(peer: Peer) -> None:
        loop = asyncio.get_running_loop()
        taken = 0
        while taken < 24 << 20:
            taken += len(await loop.sock_recv(peer.socket, 1 << 18))
            await asyncio.sleep(0.01)
        await peer.send(plain(b"ok"))

    limits = Timeouts(idle_s=0.6, first_byte_s=5)
    async with hostile(script) as journal, connected(journal.url, timeouts=limits) as client:
        assert (200, b"ok") == await fetch(client, post(bytes(24 << 20)))


async def test_connect() -> None:
    """No connection in time is told as unreachable: nothing was sent, so another upstream may be asked."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # the queue of connections is full; Linux then drops what comes
            filler.setblocking(False)  # noqa: FBT003 - by position only
            filler.connect_ex(address)
        limits = Timeouts(connect_s=0.2)
        async with connected(f"http://127.0.0.1:{address[1]}", timeouts=limits) as client:
            with pytest.raises(UpstreamUnreachable, match=r"no connection to 127.0.0.1:\d+ within connect_s = 0.2 s"):
                await fetch(client, get())
        for filler in fillers:
            filler.close()
