"""What goes from the event loop to the writer's thread, and how the two end together.

The loop hands over whole batches, one at a time, so that neither side ever waits
for a lock. Used by ledger/writer (the loop's side) and ledger/committer (the thread's).
"""

import queue
import threading
import time

import msgspec

from clearway.ledger.fold import Changes


class Batch(msgspec.Struct):
    """What is written as one transaction."""

    changes: Changes
    place: int
    """Of the last record in it, or of the last one ever where it is empty."""
    is_last: bool = False
    """Nothing comes after this."""


class Backlog:
    """Batches on their way to the thread. Growth: two at most."""

    def __init__(self) -> None:
        self._batches: queue.SimpleQueue[Batch] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._give_up_at = 0.0

    def put(self, batch: Batch) -> None:
        """Hand over; from the loop."""
        self._batches.put(batch)

    def close(self, timeout_s: float) -> None:
        """`pause` says from now on when the time for trying is over; from the loop."""
        self._give_up_at = time.monotonic() + timeout_s
        self._closing.set()

    def take(self, idle_s: float) -> Batch | None:
        """The next batch; None after `idle_s` without one. On the thread."""
        try:
            return self._batches.get(timeout=idle_s)
        except queue.Empty:
            return None

    def pause(self, pause_s: float) -> bool:
        """Wait before another try; False where the backlog was closed and its time is over. On the thread."""
        if not self._closing.wait(pause_s):
            return True
        left_s = self._give_up_at - time.monotonic()
        if left_s <= 0:
            return False
        time.sleep(min(pause_s, left_s))
        return True
