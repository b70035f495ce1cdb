"""Reading request bodies, within bounds of size, time, number and sum.

Growth: each body is held once; all bodies together hold at most `max_buffered`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from clearway.core.errors import Overloaded, TooLarge, TooSlow
from clearway.gateway.call import ClientGone

Receive = Callable[[], Awaitable[Any]]
_BASE_S = 60.0
_FLOOR_BYTES_PER_S = 1_000_000


class BodyRoom:
    """The room for bodies in this process."""

    def __init__(self, *, max_body: int, max_buffered: int, max_reading: int) -> None:
        self.max_body = max_body
        self._max_buffered = max_buffered
        self._max_reading = max_reading
        self.buffered = 0
        """Bytes that are held or promised now."""
        self.reading = 0
        """Bodies that are being read now."""

    def hold(self) -> "HeldBody":
        """Room for one request's body, to be given back when its exchange is over."""
        return HeldBody(self)

    def take(self, size: int) -> None:
        """Take room. Raises Overloaded where there is none."""
        if self.buffered + size > self._max_buffered:
            raise Overloaded("too many request bodies are held at this moment", retry_after_s=2)
        self.buffered += size

    def enter(self) -> None:
        """Begin to read. Raises Overloaded."""
        if self.reading >= self._max_reading:
            raise Overloaded("too many request bodies are being read at this moment", retry_after_s=2)
        self.reading += 1


class HeldBody:
    """One body and its share of the room."""

    __slots__ = ("_room", "_taken")

    def __init__(self, room: BodyRoom) -> None:
        self._room = room
        self._taken = 0

    async def read(self, receive: Receive, declared: int | None) -> bytes | bytearray:
        """Read the whole body.

        Args:
            receive: The ASGI callable.
            declared: `content-length`; None where it is not told.

        Raises:
            TooLarge: Over `max_body`, declared or not.
            TooSlow: Slower than 60 s plus one second for each megabyte.
            Overloaded: No room.
            ClientGone: The client left.
        """
        room = self._room
        if declared is not None and declared > room.max_body:
            raise self._too_large()
        self._take(declared or 0)
        limit = declared if declared is not None else room.max_body
        try:
            # From the head on: a client that promises a body and sends nothing holds room, too.
            async with asyncio.timeout(_BASE_S + limit / _FLOOR_BYTES_PER_S):
                return await self._receive(receive, declared)
        except TimeoutError:
            raise TooSlow("the request body did not arrive in its time") from None

    async def _receive(self, receive: Receive, declared: int | None) -> bytes | bytearray:
        room = self._room
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body: bytes = message["body"]
        if not message["more_body"]:
            if len(body) > room.max_body:
                raise self._too_large()
            self._take(len(body) - self._taken)
            return body
        room.enter()
        try:
            return await self._collect(receive, body, declared)
        finally:
            room.reading -= 1

    async def _collect(self, receive: Receive, first: bytes, declared: int | None) -> bytearray:
        # One buffer, filled in place: joining pieces would hold the body twice.
        whole = bytearray(declared or 0)
        size, piece, more = 0, first, True
        while True:
            end = size + len(piece)
            if declared is None:
                if end > self._room.max_body:
                    raise self._too_large()
                self._take(len(piece))
                whole += piece
            else:
                whole[size:end] = piece
            size = end
            if not more:
                break
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            piece, more = message["body"], message["more_body"]
        return whole

    def _take(self, size: int) -> None:
        self._room.take(size)
        self._taken += size

    def _too_large(self) -> TooLarge:
        hint = "server.max_body sets the limit"
        return TooLarge(f"the request body is over {self._room.max_body} bytes", hint=hint)

    def release(self) -> None:
        """Give the room back."""
        self._room.buffered -= self._taken
        self._taken = 0
