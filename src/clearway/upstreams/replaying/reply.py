"""A recorded answer, handed out piece by piece.

Source: the seam, `upstreams/protocol.py`, class `Reply`.
"""

import asyncio

from clearway.core.clock import Clock
from clearway.core.fields import Headers
from clearway.upstreams.replaying.recording import Played

# Pieces after which a reader who never waits gives the others a turn.
_TURN = 32


class ReplayReply:
    """Hands out the pieces, at once or when they had come.

    Args:
        played: What is handed out.
        clock: Measures the time since the head, which is now; None: no delays.
            A reader who is slower than the recording is not held up further.
    """

    def __init__(self, played: Played, clock: Clock | None) -> None:
        self._played = played
        self._clock = clock
        self._began = clock.monotonic() if clock else 0.0
        self._place = 0
        self._rested = -1

    @property
    def status(self) -> int:
        """The recorded status."""
        return self._played.status

    @property
    def headers(self) -> Headers:
        """Those of the recorded headers that are safe to answer."""
        return self._played.headers

    @property
    def ended(self) -> bool:
        """True once every piece was read."""
        return self._place == len(self._played.pieces)

    async def read(self) -> bytes:
        """The next piece; nothing at the end."""
        if self.ended:
            return b""
        place = self._place
        if self._clock is not None and place < len(self._played.times_s):
            due = self._began + self._played.times_s[place]
            if (left_s := due - self._clock.monotonic()) > 0:
                await asyncio.sleep(left_s)
        elif place % _TURN == _TURN - 1 and self._rested != place:
            # Told first: a heartbeat may interrupt the pause, and it must not begin anew.
            self._rested = place
            await asyncio.sleep(0)
        self._place += 1
        return self._played.pieces[place]
