"""How a simulated answer is handed out: event by event, in time, to its end.

Source: the seam, `upstreams/protocol.py`, class `Reply`.
"""

import asyncio
from collections.abc import Iterator
from typing import Literal

from clearway.core.errors import UpstreamProtocolError, UpstreamTimeout
from clearway.core.fields import Headers

# Pieces after which a reader who never waits gives the others a turn.
_TURN = 32

End = Literal["whole", "cut", "stall"]
"""How an answer ends: as it should, by a lost connection, by silence."""


class SimReply:
    """An answer of the simulated model; handed out event by event.

    Args:
        status: The status.
        headers: The head.
        pieces: The body, piece by piece; made while it is read.
        end: What comes after the last piece.
        pace_s: The time between two pieces.
        idle_s: How long silence lasts before it is an error.
    """

    def __init__(
        self,
        status: int,
        headers: Headers,
        pieces: Iterator[bytes],
        *,
        end: End = "whole",
        pace_s: float = 0.0,
        idle_s: float,
    ) -> None:
        self._status = status
        self._headers = headers
        self._pieces = pieces
        self._end = end
        self._pace_s = pace_s
        self._idle_s = idle_s
        self._next = next(pieces, None)
        self._count = 0
        self._rested = -1
        self._waiting_for = -1
        self._due = 0.0

    @property
    def status(self) -> int:
        """The status."""
        return self._status

    @property
    def headers(self) -> Headers:
        """The head."""
        return self._headers

    @property
    def ended(self) -> bool:
        """True once the last piece was read and nothing is to follow."""
        return self._next is None and self._end == "whole"

    async def read(self) -> bytes:
        """The next piece: one event of a stream, or the whole body.

        Raises:
            UpstreamProtocolError: The request asked for a cut, and here it is.
            UpstreamTimeout: The request asked for silence, and it lasted `idle_s`.
        """
        if self._next is None:
            return await self._finish()
        await self._take_turn()
        self._count += 1
        piece, self._next = self._next, next(self._pieces, None)
        return piece

    async def _take_turn(self) -> None:
        if self._pace_s and self._count:
            await self._until(self._pace_s)
        elif self._count % _TURN == _TURN - 1 and self._rested != self._count:
            self._rested = self._count
            await asyncio.sleep(0)

    async def _until(self, wait_s: float) -> None:
        # A heartbeat may interrupt a read and come back: the wait goes on, it does not begin anew.
        clock = asyncio.get_running_loop()
        if self._waiting_for != self._count:
            self._waiting_for, self._due = self._count, clock.time() + wait_s
        if (left_s := self._due - clock.time()) > 0:
            await asyncio.sleep(left_s)

    async def _finish(self) -> bytes:
        if self._end == "cut":
            raise UpstreamProtocolError("the simulated connection was cut")
        if self._end == "stall":
            await self._until(self._idle_s)
            raise UpstreamTimeout(f"the simulated model said nothing for {self._idle_s:g} seconds")
        return b""
