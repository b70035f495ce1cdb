"""Ids: UUID version 7 as text, so that rows sort by the time they were made.

Source: RFC 9562, section 5.7 and 6.2 method 1 (a counter within the millisecond).
Python's `uuid` has `uuid7` only from 3.14 on.
"""

import os
import struct
import threading

from clearway.core.clock import Clock

_COUNTER_BITS = 12
_DRAWN_AT_ONCE = 256  # one system call for so many ids
_COUNTER_MAX = (1 << _COUNTER_BITS) - 1


class IdMaker:
    """Makes ids that grow strictly within one process, from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last_ms = 0
        self._counter = 0
        self._tails: list[int] = []

    def new(self) -> str:
        """A new id: 36 characters, lower case, hyphenated."""
        with self._lock:
            now_ms = self._clock.now_us() // 1_000
            if now_ms > self._last_ms:
                self._last_ms, self._counter = now_ms, 0
            elif self._counter < _COUNTER_MAX:
                self._counter += 1
            else:
                # The millisecond is full, or the clock went back: run ahead of it.
                self._last_ms, self._counter = self._last_ms + 1, 0
            stamp, counter = self._last_ms, self._counter
            if not self._tails:
                self._tails.extend(struct.unpack(f"{_DRAWN_AT_ONCE}Q", os.urandom(8 * _DRAWN_AT_ONCE)))
            tail = self._tails.pop() >> 2
        number = (stamp << 80) | (0x7 << 76) | (counter << 64) | (0b10 << 62) | tail
        text = f"{number:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
