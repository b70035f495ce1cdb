"""The limits of waiting, watched by one timer for each connection.

Most requests never come near a limit, so none of them makes, moves or cancels a
timer: times are noted, and the timer looks now and then what they mean.
Used by `connection`.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Literal

from clearway.config.model import Timeouts
from clearway.core.errors import UpstreamTimeout
from clearway.upstreams.http.answer import Answer

# uvloop counts time in milliseconds.
_GRAIN_S = 0.002

_Limit = Literal["keep", "send", "first_byte", "idle", "total"]


def _nobody(_: UpstreamTimeout | None) -> None:
    """Nobody is told any more."""


class Watch:
    """When an exchange, or the idleness after it, has lasted too long.

    Args:
        where: Host and port, for messages.
        timeouts: Limits in seconds.
        keep_s: How long a connection may be idle, in seconds.
        on_limit: Called when a limit has passed; with None after `keep_s`.
    """

    __slots__ = (
        "_keep_s",
        "_loop",
        "_on_limit",
        "_tick_s",
        "_timeouts",
        "_timer",
        "_total_at",
        "_where",
        "answer",
        "heard_at",
        "is_paused",
        "sent_at",
    )

    def __init__(
        self, where: str, timeouts: Timeouts, keep_s: float, on_limit: Callable[[UpstreamTimeout | None], None]
    ) -> None:
        self._where = where
        self._timeouts = timeouts
        self._keep_s = keep_s
        self._on_limit = on_limit
        self._loop = asyncio.get_running_loop()
        self._tick_s = min(timeouts.first_byte_s, timeouts.idle_s, timeouts.total_s, keep_s)
        self._timer: asyncio.TimerHandle | None = None
        self._total_at = math.inf
        self.answer: Answer | None = None
        """Of the exchange that runs; None while idle."""
        self.heard_at = self._loop.time()
        """The last sign of progress, on the loop's clock."""
        self.sent_at: float | None = None
        """When the request was sent whole."""
        self.is_paused = False
        """Nobody takes what comes, so that silence is not the upstream's."""

    def begin(self, answer: Answer, total_at: float) -> None:
        """An exchange begins, and must be over at `total_at`."""
        self.answer = answer
        self._total_at = total_at
        self.sent_at = None
        self.heard_at = self._loop.time()
        if self._timer is None:
            self._plan(self.heard_at)

    def rest(self) -> None:
        """The exchange is over; the connection is idle."""
        self.answer = None
        self.heard_at = self._loop.time()

    def stop(self) -> None:
        """The connection is gone."""
        self.answer = None
        # It holds the connection, which holds this: without it, only the collector frees both.
        self._on_limit = _nobody
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _plan(self, now: float) -> None:
        # While this timer runs, limits only move away: looking at least once per
        # tick is never late.
        wait_s = max(min(self._due()[0] - now, self._tick_s), _GRAIN_S)
        self._timer = self._loop.call_later(wait_s, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        due, limit = self._due()
        if due > now + _GRAIN_S:
            self._plan(now)
        elif limit == "keep":
            self._on_limit(None)
        else:
            self._on_limit(UpstreamTimeout(self._complaint(limit)))

    def _due(self) -> tuple[float, _Limit]:
        """When the next limit passes, and which."""
        answer, limits = self.answer, self._timeouts
        if answer is None:
            return self.heard_at + self._keep_s, "keep"
        if answer.complete:
            return math.inf, "idle"
        due: tuple[float, _Limit]
        if answer.has_head:
            due = (math.inf if self.is_paused else self.heard_at + limits.idle_s), "idle"
        elif self.sent_at is None:
            due = self.heard_at + limits.idle_s, "send"
        else:
            due = self.sent_at + limits.first_byte_s, "first_byte"
        return min(due, (self._total_at, "total"))

    def _complaint(self, limit: _Limit) -> str:
        where, limits = self._where, self._timeouts
        if limit == "first_byte":
            return f"no answer from {where} within first_byte_s = {limits.first_byte_s:g} s"
        if limit == "total":
            return f"the exchange with {where} was not over within total_s = {limits.total_s:g} s"
        if limit == "send":
            return f"{where} took nothing of the request for idle_s = {limits.idle_s:g} s"
        return f"{where} sent nothing for idle_s = {limits.idle_s:g} s"
