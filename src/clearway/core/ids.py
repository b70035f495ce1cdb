"""Ids: UUID version 7 as text, so that rows sort by the time they were made.

Source: RFC 9562, section 5.7 and 6.2 method 1 (a counter within the millisecond).
Python's `uuid` has `uuid7` only from 3.14 on.
"""

import os
import threading

from clearway.core.clock import Clock

_COUNTER_BITS = 12
_DRAWN_AT_ONCE = 256  # one system call for so many ids
_COUNTER_MAX = (1 << _COUNTER_BITS) - 1
# Two of the digit's four bits are fixed (RFC 9562, section 4.1).
_VARIANT = {f"{digit:x}": "89ab"[digit & 3] for digit in range(16)}


class IdMaker:
    """Makes ids that grow strictly within one process, from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last_ms = 0
        self._counter = 0
        self._beginning = ""
        """Of every id of this millisecond, up to the counter."""
        self._tails: list[str] = []

    def new(self) -> str:
        """A new id: 36 characters, lower case, hyphenated."""
        with self._lock:
            now_ms = self._clock.now_us() // 1_000
            if now_ms > self._last_ms:
                self._begin(now_ms)
            elif self._counter < _COUNTER_MAX:
                self._counter += 1
            else:
                # The millisecond is full, or the clock went back: run ahead of it.
                self._begin(self._last_ms + 1)
            if not self._tails:
                drawn = os.urandom(8 * _DRAWN_AT_ONCE).hex()
                self._tails = [drawn[start : start + 16] for start in range(0, len(drawn), 16)]
            beginning, counter, tail = self._beginning, self._counter, self._tails.pop()
        return f"{beginning}{counter:03x}-{_VARIANT[tail[0]]}{tail[1:4]}-{tail[4:]}"

    def _begin(self, ms: int) -> None:
        self._last_ms, self._counter = ms, 0
        stamp = f"{ms:012x}"
        self._beginning = f"{stamp[:8]}-{stamp[8:]}-7"
