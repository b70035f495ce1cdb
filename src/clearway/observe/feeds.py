"""Several feeds as one. Used by compose."""

from typing import Protocol

from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Settlement


class Told(Protocol):
    """One that is told (`gateway.bookkeeping.Feed`)."""

    def admitted(self, admission: Admission) -> None:
        """An exchange was admitted."""
        ...

    def first_token(self, exchange_id: str) -> None:
        """Its first output came."""
        ...

    def tried(self, start: AttemptStart, end: AttemptEnd) -> None:
        """One try is over."""
        ...

    def settled(self, settlement: Settlement) -> None:
        """It is over."""
        ...


class Feeds:
    """Tells each of them, in order."""

    def __init__(self, *feeds: Told) -> None:
        self._feeds = feeds

    def admitted(self, admission: Admission) -> None:
        """An exchange was admitted."""
        for feed in self._feeds:
            feed.admitted(admission)

    def first_token(self, exchange_id: str) -> None:
        """Its first output came."""
        for feed in self._feeds:
            feed.first_token(exchange_id)

    def tried(self, start: AttemptStart, end: AttemptEnd) -> None:
        """One try is over."""
        for feed in self._feeds:
            feed.tried(start, end)

    def settled(self, settlement: Settlement) -> None:
        """It is over."""
        for feed in self._feeds:
            feed.settled(settlement)
