"""Time, as a value that is handed in.

Wall time is UTC in microseconds and only ever stored or shown; durations come
from the monotonic clock, so that a clock jump never makes one negative.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from; tests hand in a frozen one."""

    def now_us(self) -> int:
        """Wall time, UTC, in microseconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never goes back."""
        ...


class SystemClock:
    """The machine's clocks."""

    def __init__(self) -> None:
        # The function itself: it is asked a dozen times for each request.
        self.monotonic = time.monotonic

    def now_us(self) -> int:
        """Wall time, UTC, in microseconds since 1970."""
        return time.time_ns() // 1_000
