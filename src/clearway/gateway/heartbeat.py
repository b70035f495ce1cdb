"""Fills the silence of a stream, so that nobody on the way takes it for dead.

Owns one timer, armed anew only when it rings. Used by gateway/relay, while an answer comes,
and gateway/send, while what goes on with it is waited for.
"""

import asyncio
from collections.abc import Callable

from clearway.gateway.call import Sink
from clearway.wire.messages.watch import PING


class Heartbeat:
    """Writes a `ping` to a client that has heard nothing for a while.

    Args:
        sink: The client's.
        wait_s: How long.
        is_between: Whether a `ping` may stand here: between events, of an answer that is not over.
    """

    __slots__ = ("_is_between", "_last", "_loop", "_sink", "_timer", "_wait_s", "is_held")

    def __init__(self, sink: Sink, wait_s: float, is_between: Callable[[], bool]) -> None:
        self._sink = sink
        self._wait_s = wait_s
        self._is_between = is_between
        self.is_held = False
        """The watch is ahead of the client: what it has seen is still being written."""
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._timer = self._loop.call_later(wait_s, self._ring)

    def wrote(self) -> None:
        """Something went to the client."""
        self.is_held = False
        self._last = self._loop.time()

    def _ring(self) -> None:
        due = self._last + self._wait_s
        if self._loop.time() >= due:
            # A client that reads slowly is not silent. Nor is one whose piece is held back
            # until its exchange is durable.
            if not (self.is_held or self._sink.is_slow or self._sink.gone) and self._is_between():
                self._sink.write(PING)
            self._last = self._loop.time()
            due = self._last + self._wait_s
        self._timer = self._loop.call_at(due, self._ring)

    def stop(self) -> None:
        """The stream is over."""
        self._timer.cancel()
