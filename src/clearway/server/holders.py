"""Who holds this gateway: `clearway run` wants it to stay while its command runs.

Used by server/control, where they hold, and cli/serving, which ends a gateway that nobody needs.
"""

import asyncio
from collections.abc import AsyncIterator

BEAT_S = 5.0
"""How often a line without content tells both ends of a long answer that the other is there."""


class Holders:
    """Who needs this gateway to stay."""

    def __init__(self) -> None:
        self.count = 0
        self.had_any = False

    async def lines(self) -> AsyncIterator[bytes]:
        """Hold until the reader leaves."""
        self.count += 1
        self.had_any = True
        try:
            yield b"\n"
            while True:
                await asyncio.sleep(BEAT_S)
                yield b"\n"
        finally:
            self.count -= 1
