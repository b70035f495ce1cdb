"""The live feed: what happens, as it happens, to whoever watches.

Never waits and never fails. Growth: one row for each open exchange; for each
watcher at most `_QUEUE` updates, past which the oldest are dropped and counted.
With nobody watching, an exchange costs two dictionary operations.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from clearway.core.exchange import Admission, Finished, Settlement
from clearway.ledger.protocol import ExchangeRow
from clearway.ledger.rows import ADMITTED, SETTLED, admission_row, named, settlement_row
from clearway.observe.protocol import Update, What

_QUEUE = 1000


class Watcher:
    """One who watches: a bounded queue."""

    def __init__(self) -> None:
        self._queue: deque[Update] = deque(maxlen=_QUEUE)
        self._arrived = asyncio.Event()
        self.dropped = 0

    def put(self, update: Update) -> None:
        """Queue an update; the oldest is dropped where there is no room."""
        if len(self._queue) == _QUEUE:
            self.dropped += 1
        self._queue.append(update)
        self._arrived.set()

    async def next(self, wait_s: float) -> list[Update]:
        """The updates since the last call; an empty list after `wait_s` without any."""
        if not self._queue:
            self._arrived.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._arrived.wait()
            except TimeoutError:
                return []
        batch = list(self._queue)
        self._queue.clear()
        return batch


class LiveFeed:
    """Hands updates to watchers. Used from the event loop's thread only."""

    def __init__(self) -> None:
        self._open: dict[str, Admission] = {}
        self._watchers: set[Watcher] = set()
        self._dropped = 0

    @property
    def open_exchanges(self) -> int:
        """Exchanges that are running now."""
        return len(self._open)

    @property
    def running(self) -> list[Admission]:
        """Those, as they were admitted."""
        return list(self._open.values())

    @property
    def watchers(self) -> int:
        """Who watches now."""
        return len(self._watchers)

    @property
    def dropped(self) -> int:
        """Updates that watchers were too slow for, those who have left included."""
        return self._dropped + sum(watcher.dropped for watcher in self._watchers)

    def admitted(self, admission: Admission) -> None:
        """An exchange was admitted."""
        self._open[admission.id] = admission
        if self._watchers:
            self._tell("admitted", _row(admission))

    def first_token(self, exchange_id: str) -> None:
        """Its first output came."""
        if self._watchers and (admission := self._open.get(exchange_id)):
            self._tell("first_token", _row(admission))

    def settled(self, finished: Finished) -> None:
        """It is over."""
        del self._open[finished.admission.id]
        if self._watchers:
            self._tell("settled", _row(finished.admission, finished.settlement))

    def _tell(self, what: What, row: ExchangeRow) -> None:
        update = Update(what=what, exchange=row)
        for watcher in self._watchers:
            watcher.put(update)

    @contextmanager
    def subscribe(self) -> Iterator[Watcher]:
        """Watch from now on."""
        watcher = Watcher()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            self._dropped += watcher.dropped


def _row(admission: Admission, settlement: Settlement | None = None) -> ExchangeRow:
    """The row as the ledger will keep it."""
    columns: dict[str, object] = {**named(ADMITTED, admission_row(admission)), "key_name": admission.key_name}
    if settlement is not None:
        columns |= named(SETTLED, settlement_row(settlement))
    columns.pop("swept", None)
    return msgspec.convert(columns, ExchangeRow)
