"""Reading request bodies, within bounds of size, time, number and sum.

Growth: each body is held once, in one buffer filled in place; all bodies together
hold at most `max_buffered`. What comes before anybody reads is at most `_AHEAD`.
"""

import asyncio
from typing import Protocol

from clearway.core.errors import GatewayError, Overloaded, TooLarge, TooSlow

_BASE_S = 60.0
_FLOOR_BYTES_PER_S = 1_000_000
_AHEAD = 64 * 1024


class Tap(Protocol):
    """Where a body comes from."""

    def pause_reading(self) -> None:
        """Nothing more, for now."""
        ...

    def resume_reading(self) -> None:
        """Go on."""
        ...


class BodyRoom:
    """The room for bodies in this process."""

    def __init__(self, *, max_body: int, max_buffered: int, max_reading: int) -> None:
        self.adjust(max_body=max_body, max_buffered=max_buffered, max_reading=max_reading)
        self.buffered = 0
        """Bytes that are held or promised now."""
        self.reading = 0
        """Bodies that are being read now."""

    def adjust(self, *, max_body: int, max_buffered: int, max_reading: int) -> None:
        """Other bounds from now on; what is held or being read is not touched."""
        self.max_body = max_body
        self._max_buffered = max_buffered
        self._max_reading = max_reading

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
    """One body and its share of the room, to be given back when its exchange is over.

    Args:
        room: Where it is held.
        tap: Paused while nobody reads.
    """

    __slots__ = ("_declared", "_done", "_max_body", "_pieces", "_room", "_size", "_taken", "_tap", "_whole", "is_whole")

    def __init__(self, room: BodyRoom, tap: Tap) -> None:
        self._room = room
        # A reload may change it while the body comes.
        self._max_body = room.max_body
        self._tap = tap
        self._taken = 0
        self._size = 0
        self._pieces: list[bytes] = []
        self._whole: bytearray | None = None
        self._declared: int | None = None
        self._done: asyncio.Future[None] | None = None
        self.is_whole = False
        """The last byte has come."""

    # What the connection calls.

    def feed(self, piece: bytes) -> None:
        """The next bytes; never more than were declared (the parser sees to that)."""
        size = self._size
        self._size = end = size + len(piece)
        whole = self._whole
        if whole is None:
            self._pieces.append(piece)
            if end > _AHEAD:
                self._tap.pause_reading()
        elif self._declared is not None:
            whole[size:end] = piece
        else:
            self._extend(whole, piece)

    def end(self) -> None:
        """That was the last of it."""
        self.is_whole = True
        self._wake(None)

    def _extend(self, whole: bytearray, piece: bytes) -> None:
        try:
            if len(whole) + len(piece) > self._max_body:
                raise self._too_large()
            self._take(len(piece))
        except GatewayError as error:
            self._tap.pause_reading()
            self._wake(error)
        else:
            whole += piece

    def _wake(self, error: GatewayError | None) -> None:
        done = self._done
        if done is not None and not done.done():
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    # What the walk calls.

    def may_come(self, declared: int | None) -> bool:
        """False where `read` would refuse the body for the length that is told of it."""
        return declared is None or declared <= self._max_body

    async def read(self, declared: int | None) -> bytes | bytearray:
        """Read the whole body; call it once.

        Args:
            declared: `content-length`; None where it is not told.

        Raises:
            TooLarge: Over `max_body`, declared or not.
            TooSlow: Slower than 60 s plus one second for each megabyte.
            Overloaded: No room.
        """
        room, pieces = self._room, self._pieces
        if (declared or self._size) > self._max_body:
            raise self._too_large()
        self._take(max(declared or 0, self._size))
        if self.is_whole:
            self._pieces = []
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        room.enter()
        try:
            return await self._collect(declared)
        finally:
            room.reading -= 1

    async def _collect(self, declared: int | None) -> bytearray:
        loop = asyncio.get_running_loop()
        # One buffer, filled in place: joining pieces would hold the body twice.
        self._whole = whole = bytearray(declared or 0)
        self._declared = declared
        start = 0
        for piece in self._pieces:
            whole[start : start + len(piece)] = piece
            start += len(piece)
        self._pieces.clear()
        self._done = loop.create_future()
        limit = declared if declared is not None else self._max_body
        slow = TooSlow("the request body did not arrive in its time")
        # From the head on: a client that promises a body and sends nothing holds room, too.
        timer = loop.call_later(_BASE_S + limit / _FLOOR_BYTES_PER_S, self._wake, slow)
        self._tap.resume_reading()
        try:
            await self._done
        finally:
            timer.cancel()
        return whole

    def _take(self, size: int) -> None:
        self._room.take(size)
        self._taken += size

    def _too_large(self) -> TooLarge:
        hint = "server.max_body sets the limit"
        return TooLarge(f"the request body is over {self._max_body} bytes", hint=hint)

    def release(self) -> None:
        """Give the room back."""
        self._room.buffered -= self._taken
        self._taken = 0
