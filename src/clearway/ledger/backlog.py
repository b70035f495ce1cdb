"""What was told and is not yet written: the queue between the loop and the writer's thread.

Holds the fold of the records (ledger/batch), so it grows with exchanges, not
with records. It has no bound of its own: ledger/writer refuses new exchanges by
its `size`. Thread-safe. Used by ledger/writer and ledger/committer.
"""

import threading
import time

import msgspec

from clearway.core.exchange import Record
from clearway.ledger.batch import Changes, fold

_COLLECT_S = 0.005


class Batch(msgspec.Struct):
    """What is written as one transaction."""

    changes: Changes
    place: int
    """Of the last record in it, or of the last one ever where it is empty."""
    is_last: bool
    """Whether the backlog was closed: nothing comes after this."""


class Backlog:
    """Records by exchange, in the order of their places."""

    def __init__(self) -> None:
        self._wake = threading.Condition(threading.Lock())
        self._changes: Changes = {}
        self._in_hand = 0
        self._place = 0
        self._is_hurried = False
        self._give_up_at: float | None = None

    @property
    def size(self) -> int:
        """Exchanges with unwritten records, the batch in hand included."""
        return len(self._changes) + self._in_hand

    @property
    def place(self) -> int:
        """Of the newest record."""
        return self._place

    def put(self, record: Record) -> int:
        """Add a record; returns its place."""
        with self._wake:
            is_first = not self._changes
            fold(self._changes, record)
            self._place += 1
            if is_first:
                self._wake.notify()
            return self._place

    def hurry(self) -> None:
        """Have the next batch taken at once: somebody waits for it."""
        with self._wake:
            self._is_hurried = True
            self._wake.notify()

    def close(self, timeout_s: float) -> None:
        """Have the last batch taken; `pause` says when its time is over."""
        with self._wake:
            self._give_up_at = time.monotonic() + timeout_s
            self._wake.notify()

    def take(self, idle_s: float) -> Batch:
        """Wait for something to write, collect for 5 ms, and take it; empty after `idle_s`."""
        with self._wake:
            if not (self._changes or self._is_pressed()):
                self._wake.wait(idle_s)
            if self._changes and not self._is_pressed():
                self._wake.wait_for(self._is_pressed, _COLLECT_S)
            batch = Batch(self._changes, self._place, self._give_up_at is not None)
            self._changes = {}
            self._in_hand = len(batch.changes)
            self._is_hurried = False
            return batch

    def done(self) -> None:
        """The batch that was taken is written."""
        with self._wake:
            self._in_hand = 0

    def pause(self, pause_s: float) -> bool:
        """Wait before another try; False where the backlog was closed and its time is over."""
        with self._wake:
            if self._give_up_at is None:
                self._wake.wait_for(lambda: self._give_up_at is not None, pause_s)
                return True
            left_s = self._give_up_at - time.monotonic()
            if left_s <= 0:
                return False
            self._wake.wait(min(pause_s, left_s))
            return True

    def _is_pressed(self) -> bool:
        return self._is_hurried or self._give_up_at is not None
