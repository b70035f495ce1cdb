"""Bodies are read within bounds of time and room."""

import asyncio
from typing import Any

import pytest

from clearway.core.errors import TooSlow
from clearway.server import body as reading
from clearway.server.body import BodyRoom

Piece = dict[str, Any]


def _room() -> BodyRoom:
    return BodyRoom(max_body=100, max_buffered=1000, max_reading=1)


@pytest.mark.parametrize("pieces", [0, 1])
async def test_a_body_that_does_not_come(pieces: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A promised body has its time from the head on, also where not one byte of it comes; its room is given back."""
    monkeypatch.setattr(reading, "_BASE_S", 0.05)
    come: list[Piece] = [{"type": "http.request", "body": b"x", "more_body": True}] * pieces

    async def receive() -> Piece:
        if come:
            return come.pop()
        await asyncio.Event().wait()
        raise AssertionError

    room = _room()
    held = room.hold()
    with pytest.raises(TooSlow):
        async with asyncio.timeout(5):
            await held.read(receive, 10)
    held.release()

    assert (0, 0) == (room.buffered, room.reading)
