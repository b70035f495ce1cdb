"""Keeps a keeper up to date: with the keys as they change, and with what was spent before.

A change of keys is read on whichever thread made it; the keeper is touched on the event
loop alone. The past of new budgets is read in a thread, after what has ended is written:
until that is done, a moment later, a new budget counts from 0.
Made by compose.
"""

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

import structlog

from clearway.keys.model import Key
from clearway.ledger.protocol import LedgerError
from clearway.ledger.spending import Spent, total
from clearway.limits.keeper import Begun, Keeper

log = structlog.get_logger()


class Past(Protocol):
    """Where what was spent before is known."""

    def spent_by_key(self, *, since_us: int, before_us: int) -> dict[str | None, Spent]:
        """Raises LedgerError."""
        ...


class Loader:
    """Tells a keeper what it has to know.

    Args:
        keeper: Decides.
        keys: Reads the keys as they are.
        past: Reads what was spent.
        written: Waits until the ledger holds all that has happened.
        changed: Called on the loop after each change.
    """

    def __init__(
        self,
        keeper: Keeper,
        keys: Callable[[], Iterable[Key]],
        past: Past,
        *,
        written: Callable[[], Awaitable[object]],
        changed: Callable[[], object],
    ) -> None:
        self._keeper = keeper
        self._keys = keys
        self._past = past
        self._written = written
        self._changed = changed
        self._loop = asyncio.get_running_loop()

    async def start(self) -> None:
        """Load what is known at the beginning. Raises LedgerError."""
        begun = self._keeper.set_keys(self._keys())
        _load(begun, await asyncio.to_thread(self._read, begun))

    def on_change(self) -> None:
        """The keys were read anew, on any thread. Does not wait: the ledger's own may be the one."""
        taking = self._take()
        try:
            asyncio.run_coroutine_threadsafe(taking, self._loop).add_done_callback(_report)
        except RuntimeError:
            taking.close()  # the loop is over, and nobody asks any more

    async def _take(self) -> None:
        begun = self._keeper.set_keys(self._keys())
        self._changed()
        if begun:
            await self._written()
            try:
                _load(begun, await asyncio.to_thread(self._read, begun))
            except LedgerError as error:
                log.warning("budgets_without_past", error=str(error))

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
        one.tally.load(before.billed_nano, before.estimate_nano, before.tokens)
