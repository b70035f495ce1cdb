"""A client that takes nothing has its time, and whoever takes a little has more."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from clearway.server.stall import STALL_S, Stall


@pytest.fixture
async def pair() -> AsyncIterator[tuple[asyncio.Transport, socket.socket]]:
    """A transport with a megabyte to send, and a peer that has not read any of it."""
    ours, peer = socket.socketpair()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
    transport.write(b"x" * 1_000_000)

    assert transport.get_write_buffer_size()
    yield transport, peer
    transport.abort()
    peer.close()


Pair = tuple[asyncio.Transport, socket.socket]


async def test_nothing_is_taken(pair: Pair) -> None:
    """It counts from the first look at which something waited."""
    transport, _ = pair
    stall = Stall()

    assert not stall.is_over(transport, 1000.0, is_paused=True)
    assert not stall.is_over(transport, 1000.0 + STALL_S - 1, is_paused=True)
    assert stall.is_over(transport, 1000.0 + STALL_S, is_paused=True)


async def test_a_little_is_taken(pair: Pair) -> None:
    """Every byte that leaves gives all the time again."""
    transport, peer = pair
    stall = Stall()
    stall.is_over(transport, 1000.0, is_paused=True)
    before = transport.get_write_buffer_size()
    while transport.get_write_buffer_size() == before:
        peer.recv(65_536)
        await asyncio.sleep(0)

    assert not stall.is_over(transport, 1000.0 + STALL_S, is_paused=True)
    assert not stall.is_over(transport, 1000.0 + 2 * STALL_S - 1, is_paused=True)
    assert stall.is_over(transport, 1000.0 + 2 * STALL_S, is_paused=True)


async def test_while_more_may_be_written(pair: Pair) -> None:
    """A size that does not shrink proves nothing where something may have been added."""
    transport, _ = pair
    stall = Stall()
    stall.is_over(transport, 1000.0, is_paused=False)

    assert not stall.is_over(transport, 1000.0 + STALL_S, is_paused=False)


async def test_while_closing(pair: Pair) -> None:
    """What waits for its last bytes to leave waits no longer than that."""
    transport, _ = pair
    stall = Stall()
    transport.close()
    stall.is_over(transport, 1000.0, is_paused=False)

    assert stall.is_over(transport, 1000.0 + STALL_S, is_paused=False)
