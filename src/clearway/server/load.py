"""How much this process takes on at once, and the refusal of more.

Owns the bounds on exchanges in flight and on memory, in front of the walk. Past one of
them a new exchange is refused before its body is read and before anybody asks who
calls: refusing must cost less than serving, and leaves no row. What runs goes on, and
local answers never come here. Made by compose; `/ready` asks it.

Growth: a few numbers.
"""

import time
from collections.abc import Callable

import structlog

from clearway.core.errors import Overloaded
from clearway.gateway.call import Call, Sink
from clearway.gateway.errors import render
from clearway.server import memory
from clearway.server.turn import Walker

log = structlog.get_logger()

SHARE = 0.8
"""Of the memory that the system gives, unless `server.max_memory` says how much."""
_LOOK_EVERY_S = 0.25
_GIVE_BACK_EVERY_S = 5.0
_TELL_EVERY_S = 10.0
_RETRY_AFTER_S = 2
_SENTENCES = {"exchanges": "too many exchanges are in flight", "memory": "too much memory is in use"}


class Load:
    """A walk within bounds.

    Args:
        walk: Where exchanges go that are let in.
        max_in_flight: Exchanges at one moment.
        max_memory: Bytes that the process may hold; 0: `SHARE` of what there is.
        held: Says how many it holds.
    """

    def __init__(
        self, walk: Walker, *, max_in_flight: int, max_memory: int, held: Callable[[], int] = memory.held_bytes
    ) -> None:
        self.adjust(walk, max_in_flight=max_in_flight, max_memory=max_memory)
        self._held = held
        self._looked_at = float("-inf")
        self._gave_back_at = float("-inf")
        self._is_full = False
        self._told_at = float("-inf")
        self._refused = 0
        self.in_flight = 0
        """Exchanges that were let in and are not over."""
        self.turned_away = 0
        """Those that were not."""

    def adjust(self, walk: Walker, *, max_in_flight: int, max_memory: int) -> None:
        """Another walk and other bounds, for what comes from now on."""
        self._walk = walk
        self._max_in_flight = max_in_flight
        self._max_memory = max_memory or int((memory.given_bytes() or 0) * SHARE)

    @property
    def is_over(self) -> bool:
        """Whether the next exchange would be refused."""
        return bool(self._what_is_over())

    async def serve(self, call: Call, sink: Sink) -> None:
        """Let the exchange in, or answer 529 at once."""
        over = self._what_is_over()
        if over:
            self._refuse(over, call, sink)
            return
        self.in_flight += 1
        try:
            await self._walk.serve(call, sink)
        finally:
            self.in_flight -= 1

    def _what_is_over(self) -> str:
        if self.in_flight >= self._max_in_flight:
            return "exchanges"
        # One alone is always let in: its refusal would free nothing, and nobody would be served again.
        return "memory" if self.in_flight and self._is_memory_full() else ""

    def _is_memory_full(self) -> bool:
        """As of the last look, a quarter of a second ago at most."""
        now = time.monotonic()
        if self._max_memory and now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            self._is_full = self._held() > self._max_memory
            if self._is_full and now - self._gave_back_at >= _GIVE_BACK_EVERY_S:
                # Perhaps much of it is free and only kept. Not often: everybody waits for it.
                self._gave_back_at = now
                memory.give_back()
                self._is_full = self._held() > self._max_memory
        return self._is_full

    def _refuse(self, over: str, call: Call, sink: Sink) -> None:
        self._tell(over)
        self.turned_away += 1
        error = Overloaded(_SENTENCES[over], retry_after_s=_RETRY_AFTER_S)
        status, headers, body = render(error, "none", call.wire)
        sink.start(status, headers)
        sink.finish(body)

    def _tell(self, over: str) -> None:
        """In the log, but not once for each refusal."""
        self._refused += 1
        now = time.monotonic()
        if now - self._told_at >= _TELL_EVERY_S:
            self._told_at = now
            log.warning("overloaded", by=over, in_flight=self.in_flight, refused=self._refused)
            self._refused = 0
