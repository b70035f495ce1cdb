"""The journal: what the walk tells, written by one thread in batches.

Owns the loop's side: calls return at once, and whoever must know that something
is durable waits here. What is told is folded here and handed to the thread
(ledger/committer), one batch at a time: 5 ms after the first record at the latest.
Where little happens, an admission goes at once, and so does what somebody waits for.
Under load both wait for the whole 5 ms, so that a batch serves many: waking the
thread and committing cost as much as writing dozens of rows.
Used by gateway/bookkeeping, made by compose.
"""

import asyncio
import heapq
import itertools
import threading
from collections.abc import Sequence
from typing import Self

import structlog

from clearway.core.clock import Clock
from clearway.core.errors import LedgerUnavailable, Overloaded
from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Progress, Settlement
from clearway.ledger.backlog import Backlog, Batch
from clearway.ledger.committer import Committer
from clearway.ledger.duties import Duties, Duty
from clearway.ledger.fold import Fold
from clearway.ledger.instances import Instance
from clearway.ledger.keyring import KeyCache
from clearway.ledger.store import Store

log = structlog.get_logger()

_PATIENCE_S = 2.0
"""How long `committed` waits at most: a client waits with it."""
_COLLECT_S = 0.005
"""A record waits at most so long to be handed over."""
_FEW = 2
"""Exchanges in the batch before: more are load."""


class Writer:
    """Implements `ledger.protocol.Journal`. Its calls come from the event loop's thread.

    Over `capacity` new exchanges are refused; records of exchanges that were
    admitted are always taken, so the queue stays within capacity and what runs.
    Growth: what was told and is not yet written, and the beginnings of what runs.

    Args:
        store: Open; stays open until the writer is closed.
        instance: This process.
        clock: The time.
        keys: A cache to keep fresh where other processes change keys.
        duties: What else the thread does now and then.
        capacity: Exchanges with unwritten records at one moment.
    """

    def __init__(
        self,
        store: Store,
        instance: Instance,
        *,
        clock: Clock,
        keys: KeyCache | None = None,
        duties: Sequence[Duty] = (),
        capacity: int = 10_000,
    ) -> None:
        self._backlog = Backlog()
        self._duties = Duties(store.database, instance, clock, keys, duties)
        self._committer = Committer(store.database, self._backlog, self._duties, self._written_on_thread)
        self._capacity = capacity
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._fold = Fold()
        self._place = 0
        self._committed = 0
        self._in_hand: list[Batch] = []
        self._in_hand_size = 0
        self._last_size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_hurried = False
        self._waiters: list[tuple[int, int, asyncio.Future[bool]]] = []
        self._serial = itertools.count()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Register the instance, sweep what dead ones left, and begin writing.

        Raises:
            LedgerError: The database cannot be written.
        """
        self._duties.start()
        self._loop = loop
        self._thread = threading.Thread(target=self._committer.run, name="ledger-writer", daemon=True)
        self._thread.start()

    async def close(self, timeout_s: float = 10.0) -> bool:
        """Write what is left and stop; False where it could not be written in time."""
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        self._hand_over(is_last=True)
        self._backlog.close(timeout_s)
        # The rest is for a try that is under way when the time is over.
        await asyncio.to_thread(thread.join, timeout_s + 2.0)
        if left := self.waiting:
            log.error("exchanges_not_recorded", exchanges=left)
        return not left

    async def __aenter__(self) -> Self:
        self.start(asyncio.get_running_loop())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def healthy(self) -> bool:
        """False while the last try to write has failed."""
        return self._thread is not None and self._committer.is_healthy

    @property
    def waiting(self) -> int:
        """Exchanges with records that are not yet written."""
        return len(self._fold) + self._in_hand_size

    @property
    def batches(self) -> int:
        """Batches that the thread has in hand."""
        return len(self._in_hand)

    @property
    def refused(self) -> int:
        """Exchanges that the database would never take; each was logged. 0, but for a defect."""
        return self._committer.refused

    @property
    def swept(self) -> int:
        """Exchanges of dead instances that were ended as `interrupted` so far."""
        return self._duties.swept

    def admit(self, admission: Admission) -> int:
        """Note an exchange; returns its place in the queue.

        Raises:
            Overloaded: The queue is full.
            LedgerUnavailable: The writer is not running.
        """
        if self._thread is None:
            raise LedgerUnavailable("the ledger is closed", retry_after_s=5)
        if self.waiting >= self._capacity:
            raise Overloaded("too many exchanges wait to be recorded", retry_after_s=1)
        self._fold.admit(admission)
        place = self._told()
        # So that it is durable before the upstream has answered.
        self._hurry()
        return place

    def begin(self, start: AttemptStart) -> None:
        """Note that a try begins."""
        self._fold.begin(start)
        self._told()

    def progress(self, progress: Progress) -> None:
        """Note what was seen so far of a running try."""
        self._fold.progress(progress)
        self._told()

    def end(self, end: AttemptEnd) -> None:
        """Note that a try is over."""
        self._fold.end(end)
        self._told()

    def settle(self, settlement: Settlement) -> None:
        """Note that an exchange is over; called once for each admission."""
        self._fold.settle(settlement)
        self._told()

    async def committed(self, place: int) -> bool:
        """Wait until everything up to `place` is durable; False: not within 2 s."""
        return place <= self._committed or await self._wait(place, _PATIENCE_S)

    async def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything noted so far is durable; False: not in time."""
        return self._place <= self._committed or await self._wait(self._place, timeout_s)

    def _told(self) -> int:
        """Something has news; returns its place."""
        self._place = place = self._place + 1
        if self._timer is None and not self._in_hand:
            self._hand_over_in(_COLLECT_S)
        return place

    async def _wait(self, place: int, timeout_s: float) -> bool:
        loop = self._loop or asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        heapq.heappush(self._waiters, (place, next(self._serial), waiter))
        if not self._is_hurried:
            self._is_hurried = True
            self._hurry()
        # A plain timer: once for every exchange, `asyncio.timeout` costs four times as much.
        timer = loop.call_later(timeout_s, _give_up, waiter)
        try:
            return await waiter
        finally:
            timer.cancel()

    def _hurry(self) -> None:
        """Where little happens, do not wait for more. Under load the time that runs already decides."""
        if self._last_size <= _FEW and not self._in_hand:
            self._hand_over_in(0.0)

    def _hand_over_in(self, wait_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._loop is not None and self._thread is not None:
            self._timer = self._loop.call_later(wait_s, self._hand_over)

    def _hand_over(self, *, is_last: bool = False) -> None:
        """Give the thread what has come together."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch = Batch(self._fold.take(), self._place, is_last)
        self._is_hurried = False
        self._last_size = len(batch.changes)
        self._in_hand_size += self._last_size
        self._in_hand.append(batch)
        self._backlog.put(batch)

    def _written_on_thread(self, batch: Batch) -> None:
        """On the thread, once per batch."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._written, batch)

    def _written(self, batch: Batch) -> None:
        """On the loop: tell everybody whose place is durable, and go on."""
        self._in_hand.remove(batch)
        self._in_hand_size -= len(batch.changes)
        self._committed = batch.place
        while self._waiters and self._waiters[0][0] <= self._committed:
            waiter = heapq.heappop(self._waiters)[2]
            if not waiter.done():
                waiter.set_result(True)
        if self._in_hand or not self._fold:
            return
        self._hand_over_in(_COLLECT_S)
        if self._is_hurried:
            self._hurry()


def _give_up(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(False)
