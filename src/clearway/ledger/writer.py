"""The journal: what the walk tells, written by one thread in batches.

Owns the loop's side: calls return at once, and whoever must know that something
is durable waits here. The thread (ledger/committer) collects for 5 ms, or writes
at once when somebody waits, and commits everything since the last time as one
transaction. Used by gateway/bookkeeping, made by compose.
"""

import asyncio
import heapq
import itertools
import threading
from typing import Self

import structlog

from clearway.core.clock import Clock
from clearway.core.errors import LedgerUnavailable, Overloaded
from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Progress, Settlement
from clearway.ledger.backlog import Backlog
from clearway.ledger.committer import Committer
from clearway.ledger.duties import Duties
from clearway.ledger.instances import Instance
from clearway.ledger.keyring import KeyCache
from clearway.ledger.store import Store

log = structlog.get_logger()

_PATIENCE_S = 2.0
"""How long `committed` waits at most: a client waits with it."""


class Writer:
    """Implements `ledger.protocol.Journal`. Its calls come from the event loop's thread.

    Over `capacity` new exchanges are refused; records of exchanges that were
    admitted are always taken, so the queue stays within capacity and what runs.

    Args:
        store: Open; stays open until the writer is closed.
        instance: This process.
        clock: The time.
        keys: A cache to keep fresh where other processes change keys.
        capacity: Exchanges with unwritten records at one moment.
    """

    def __init__(
        self, store: Store, instance: Instance, *, clock: Clock, keys: KeyCache | None = None, capacity: int = 10_000
    ) -> None:
        self._backlog = Backlog()
        self._duties = Duties(store.database, instance, clock, keys)
        self._committer = Committer(store.database, self._backlog, self._duties, self._wake_loop)
        self._capacity = capacity
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
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
        self._backlog.close(timeout_s)
        # The rest is for a try that is under way when the time is over.
        await asyncio.to_thread(thread.join, timeout_s + 2.0)
        if left := self._backlog.size:
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
        return self._backlog.size

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
        if self._backlog.size >= self._capacity:
            raise Overloaded("too many exchanges wait to be recorded", retry_after_s=1)
        return self._backlog.put(admission)

    def begin(self, start: AttemptStart) -> None:
        """Note that a try begins."""
        self._backlog.put(start)

    def progress(self, progress: Progress) -> None:
        """Note what was seen so far of a running try."""
        self._backlog.put(progress)

    def end(self, end: AttemptEnd) -> None:
        """Note that a try is over."""
        self._backlog.put(end)

    def settle(self, settlement: Settlement) -> None:
        """Note that an exchange is over; called once for each admission."""
        self._backlog.put(settlement)

    async def committed(self, place: int) -> bool:
        """Wait until everything up to `place` is durable; False: not within 2 s."""
        return await self._wait(place, _PATIENCE_S)

    async def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything noted so far is durable; False: not in time."""
        return await self._wait(self._backlog.place, timeout_s)

    async def _wait(self, place: int, timeout_s: float) -> bool:
        if place <= self._committer.committed:
            return True
        loop = self._loop or asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        heapq.heappush(self._waiters, (place, next(self._serial), waiter))
        # A plain timer: once for every exchange, `asyncio.timeout` costs four times as much.
        timer = loop.call_later(timeout_s, _give_up, waiter)
        self._backlog.hurry()
        try:
            return await waiter
        finally:
            timer.cancel()

    def _wake_loop(self) -> None:
        """On the thread, once per batch. A waiter that comes right after this look has hurried the next one."""
        loop = self._loop
        if self._waiters and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        """On the loop: tell everybody whose place is durable."""
        while self._waiters and self._waiters[0][0] <= self._committer.committed:
            waiter = heapq.heappop(self._waiters)[2]
            if not waiter.done():
                waiter.set_result(True)


def _give_up(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(False)
