"""Who hears of exchanges: the live feed of all that happens, the others of what is over. Used by compose."""

from collections.abc import Sequence
from typing import Protocol

from clearway.core.exchange import Finished
from clearway.observe.feed import LiveFeed


class Listener(Protocol):
    """Hears of what is over."""

    def settled(self, finished: Finished) -> None:
        """An exchange is over. Never waits and never fails."""
        ...


class Feeds:
    """Implements `gateway.bookkeeping.Feed`: tells each of them, in order.

    Args:
        live: Hears of beginnings too.
        listeners: The others.
    """

    def __init__(self, live: LiveFeed, listeners: Sequence[Listener]) -> None:
        # No layer between: these come with every request.
        self.admitted = live.admitted
        self.first_token = live.first_token
        self._settled = [listener.settled for listener in (live, *listeners)]

    def settled(self, finished: Finished) -> None:
        """It is over."""
        for settled in self._settled:
            settled(finished)
