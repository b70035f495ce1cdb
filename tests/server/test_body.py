"""Bodies are read within bounds of time and room."""

import asyncio

import pytest

from clearway.core.errors import TooLarge, TooSlow
from clearway.server import body as reading
from clearway.server.body import BodyRoom, HeldBody


class Tap:
    """A connection that may be told to wait."""

    paused = False

    def pause_reading(self) -> None:
        """Wait."""
        self.paused = True

    def resume_reading(self) -> None:
        """Go on."""
        self.paused = False


def _room(max_body: int = 100) -> BodyRoom:
    return BodyRoom(max_body=max_body, max_buffered=10 * max_body, max_reading=1)


@pytest.mark.parametrize("pieces", [0, 1])
async def test_a_body_that_does_not_come(pieces: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A promised body has its time from the head on, also where not one byte of it comes; its room is given back."""
    monkeypatch.setattr(reading, "_BASE_S", 0.05)
    room = _room()
    held = HeldBody(room, Tap())
    for _ in range(pieces):
        held.feed(b"x")

    with pytest.raises(TooSlow):
        async with asyncio.timeout(5):
            await held.read(10)
    held.release()

    assert (0, 0) == (room.buffered, room.reading)


@pytest.mark.parametrize("declared", [6, None])
@pytest.mark.parametrize("before", [0, 1, 2, 3])
async def test_pieces_before_and_while_it_is_read(declared: int | None, before: int) -> None:
    """Whatever had come when somebody began to read: the body is whole and in order."""
    room, pieces = _room(), [b"ab", b"cd", b"ef"]
    held = HeldBody(room, Tap())
    for piece in pieces[:before]:
        held.feed(piece)
    if before == len(pieces):
        held.end()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        read = group.create_task(held.read(declared))
        await asyncio.sleep(0)
        for piece in pieces[before:]:
            held.feed(piece)
        if before < len(pieces):
            held.end()

    assert b"abcdef" == read.result()
    assert (6, 0) == (room.buffered, room.reading)


async def test_an_undeclared_body_that_becomes_too_large() -> None:
    """It is refused as soon as it is over the limit, and no more of it is taken in."""
    room, tap = _room(), Tap()
    held = HeldBody(room, tap)
    held.feed(b"x" * 60)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        read = group.create_task(_refused(held))
        await asyncio.sleep(0)
        held.feed(b"x" * 60)

    assert read.result()
    assert tap.paused
    assert 100 >= room.buffered


async def test_nobody_reads_yet() -> None:
    """What comes ahead of its reader is held up to a bound, then the connection waits."""
    tap = Tap()
    held = HeldBody(_room(1_000_000), tap)
    for _ in range(4):
        held.feed(b"x" * 16 * 1024)
    assert not tap.paused

    held.feed(b"x")

    assert tap.paused


async def _refused(held: HeldBody) -> bool:
    with pytest.raises(TooLarge):
        await held.read(None)
    return True
