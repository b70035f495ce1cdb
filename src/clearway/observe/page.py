"""The page of metrics: takes the states on the event loop, writes the text in a thread.

One at a time, so that many who ask at once do not hold up what is relayed.
Used by server/metrics, made by compose.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from clearway.observe.reading import Reading
from clearway.observe.tally import Tally

if TYPE_CHECKING:
    from clearway.observe.exposition import Exposition


class Page:
    """The newest metrics.

    Args:
        tally: Has counted.
        read: Looks the states up.
    """

    def __init__(self, tally: Tally, read: Callable[[], Reading]) -> None:
        self._tally = tally
        self._read = read
        self._exposition: Exposition | None = None
        self._writing = asyncio.Lock()

    async def text(self, accept: str) -> tuple[str, bytes]:
        """The type of the content, and the content, for a client that accepts `accept`."""
        async with self._writing:
            self._tally.count()
            return await asyncio.to_thread(self._write, self._read(), accept)

    def _write(self, reading: Reading, accept: str) -> tuple[str, bytes]:
        if self._exposition is None:
            from clearway.observe.exposition import Exposition  # noqa: PLC0415  # takes long, and a start need not wait

            self._exposition = Exposition(self._tally)
        return self._exposition.text(reading, accept)
