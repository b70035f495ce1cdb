"""Keeps a keeper up to date: with the keys as they change, and with what was spent before.

A change of keys is read on whichever thread made it; the keeper is touched on the event
loop alone. The past of new budgets is read in a thread, after what has ended is written:
until that is done, a moment later, a new budget counts from 0, and is `loading`.
Made by compose.
"""

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

import structlog

from clearway.keys.model import Key
from clearway.ledger.protocol import LedgerError
from clearway.ledger.spending import Spent, total
from clearway.limits.keeper import Begun, Keeper

log = structlog.get_logger()

_AGAIN_S = 5.0


class Past(Protocol):
    """Where what was spent before is known."""

    def spent_by_key(self, *, since_us: int, before_us: int) -> dict[str | None, Spent]:
        """Raises LedgerError."""
        ...


class Loading(Protocol):
    """Tells a keeper what it has to know: `Loader`, or `limits.shared.past.SharedLoader`."""

    async def start(self) -> None:
        """Load what is known at the beginning. Raises LedgerError."""
        ...

    @property
    def loading(self) -> frozenset[tuple[str | None, int]]:
        """Keys (None: the gateway) and beginnings of periods of which not all is counted yet."""
        ...

    async def settled(self, within_s: float) -> None:
        """Wait until nothing is `loading`, for a while."""
        ...

    def on_change(self) -> None:
        """The keys or settings are others, told on any thread. Does not wait."""
        ...


class Loader:
    """Tells a keeper what it has to know.

    Args:
        keeper: Decides.
        keys: Reads the keys as they are.
        past: Reads what was spent.
        written: Waits until the ledger holds all that has happened.
        changed: Called on the loop after each change.
        loaded: Called on the loop when the past is counted, too.
    """

    def __init__(
        self,
        keeper: Keeper,
        keys: Callable[[], Iterable[Key]],
        past: Past,
        *,
        written: Callable[[], Awaitable[object]],
        changed: Callable[[], object],
        loaded: Callable[[], object],
    ) -> None:
        self._keeper = keeper
        self._keys = keys
        self._past = past
        self._written = written
        self._changed = changed
        self._loaded = loaded
        self._loop = asyncio.get_running_loop()
        self._has_started = False
        self._begun: list[Begun] = []
        """What is being loaded."""
        self._late: list[Begun] = []
        """What was taken before its time had come, and is not being loaded yet."""
        self._idle = asyncio.Event()
        self._idle.set()
        keeper.take_keys = self._take_now

    async def start(self) -> None:
        """Load what is known at the beginning. Raises LedgerError."""
        begun = self._keeper.set_keys(self._keys())
        _load(begun, await asyncio.to_thread(self._read, begun))
        self._has_started = True
        self._loaded()

    @property
    def loading(self) -> frozenset[tuple[str | None, int]]:
        """Keys (None: the gateway) and beginnings of periods of which not all is counted yet."""
        return frozenset((one.key_id, one.tally.span.start_us) for one in self._begun)

    async def settled(self, within_s: float) -> None:
        """Wait until nothing is `loading`, for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()

    def on_change(self) -> None:
        """The keys or settings are others, told on any thread. Does not wait: the ledger's own may be the one.
        Nothing where `start` is still to come.
        """
        if not self._has_started:
            return
        taking = self._take()
        try:
            asyncio.run_coroutine_threadsafe(taking, self._loop).add_done_callback(_report)
        except RuntimeError:
            taking.close()  # the loop is over, and nobody asks any more

    def _take_now(self) -> None:
        """A key has come before the news of it: `_take` is on its way, and has the past counted."""
        begun = self._keeper.set_keys(self._keys())
        if begun:
            self._late += begun
            self._begun += begun
            self._idle.clear()

    async def _take(self) -> None:
        fresh = self._keeper.set_keys(self._keys())
        self._changed()
        self._begun += fresh
        begun, self._late = [*self._late, *fresh], []
        if begun:
            self._idle.clear()
            await self._count_past_of(begun)
            self._begun = [one for one in self._begun if one not in begun]
            if not self._begun:
                self._idle.set()
        self._loaded()

    async def _count_past_of(self, begun: Sequence[Begun]) -> None:
        """It may take as long as the ledger cannot be read: what was before `at_us` stays the same."""
        while True:
            await self._written()
            try:
                _load(begun, await asyncio.to_thread(self._read, begun))
            except LedgerError as error:
                log.warning("budgets_without_past", error=str(error), again_in_s=_AGAIN_S)
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    def _read(self, begun: Sequence[Begun]) -> list[Spent]:
        known: dict[tuple[int, int], dict[str | None, Spent]] = {}
        spent = []
        for one in begun:
            place = (one.tally.span.start_us, one.at_us)
            if place not in known:
                known[place] = self._past.spent_by_key(since_us=place[0], before_us=place[1])
            sums = known[place]
            spent.append(total(sums.values()) if one.key_id is None else sums.get(one.key_id, Spent(0, 0, 0)))
        return spent


def _report(done: "concurrent.futures.Future[None]") -> None:
    error = None if done.cancelled() else done.exception()
    if error is not None:
        log.error("limits_not_reloaded", exc_info=error)


def _load(begun: Sequence[Begun], spent: Sequence[Spent]) -> None:
    for one, before in zip(begun, spent, strict=True):
        one.tally.add(before.billed_nano, before.estimate_nano, before.tokens)
