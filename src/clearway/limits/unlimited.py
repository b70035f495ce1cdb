"""No limits: every reservation is granted, and counted until it is given back.

The counts show (in `/status` and in tests) that each reservation ends exactly once.
Growth: three integers.
"""

from clearway.core.exchange import Endpoint
from clearway.core.fields import Headers
from clearway.core.usage import Cost, Usage
from clearway.keys.model import Key
from clearway.limits.protocol import BudgetState, Estimate


class Held:
    """A reservation that always tops up."""

    __slots__ = ("_limiter", "_open")

    def __init__(self, limiter: "Unlimited") -> None:
        self._limiter = limiter
        self._open = True
        limiter.held += 1

    @property
    def output_tokens(self) -> int:
        """More than any answer has."""
        return 1 << 60

    def top_up(self, output_tokens: int) -> bool:  # noqa: ARG002  # nothing refuses here
        """Always granted."""
        return True

    def settle(self, usage: Usage | None, cost: Cost | None) -> None:  # noqa: ARG002  # nothing is counted up here
        """Give back; the second call is an error of the caller."""
        self._close()
        self._limiter.settled += 1

    def release(self) -> None:
        """Give back; the second call is an error of the caller."""
        self._close()
        self._limiter.released += 1

    def _close(self) -> None:
        if not self._open:
            msg = "a reservation was ended twice"
            raise RuntimeError(msg)
        self._open = False
        self._limiter.held -= 1


class Entered:
    """An exchange that nobody counts."""

    def leave(self) -> None:
        """Nothing."""


_ENTERED = Entered()


class Unlimited:
    """Grants everything."""

    def __init__(self) -> None:
        self.held = 0
        """Reservations that are open now."""
        self.settled = 0
        self.released = 0

    def enter(self, key: Key | None, endpoint: Endpoint) -> Entered:  # noqa: ARG002  # no limit looks at them
        """Grant."""
        return _ENTERED

    def reserve(self, key: Key | None, estimate: Estimate, *, admitted_us: int) -> Held:  # noqa: ARG002  # likewise
        """Grant."""
        return Held(self)

    def told(self, key: Key | None) -> Headers:  # noqa: ARG002  # there is nothing to tell
        """Nothing."""
        return ()

    def budgets(self) -> list[BudgetState]:
        """None."""
        return []
