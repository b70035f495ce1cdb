"""The tries of one request: who is asked, and how often still.

Owns the bounds of `[retries]`; whether an answer may be passed over is for gateway/send,
which uses it. `docs/decisions/0008-retries-and-cool-down.md`.
"""

from collections.abc import Sequence

from clearway.config.model import Retries
from clearway.gateway.decode import Asked
from clearway.gateway.route import Target


class Course:
    """The tries of one exchange: who is asked, and how often still.

    Args:
        order: Whom to ask, one after the other; the last may be asked again.
        retries: The bounds.
    """

    __slots__ = ("_retries", "_since", "asked", "order", "pause_s", "target", "tried")

    def __init__(self, order: Sequence[Target], retries: Retries) -> None:
        self.order = order
        self.target = order[0]
        """Who is to be asked now."""
        self.tried = 0
        """Tries that are over."""
        self.pause_s = 0.0
        """How long to wait before the next."""
        self.asked: Asked | None = None
        """What is to be sent then, where the tries are over but the answer is not: a follow-up call."""
        self._retries = retries
        self._since = 0.0

    def may_go_on(self, began: float, now: float, wait_s: float | None) -> bool:
        """There may be a further try; `go_on` begins it.

        Args:
            began: When the try that has failed began.
            now: By the same clock.
            wait_s: How long to wait before the last upstream is asked again; None: it
                is not to be asked again.
        """
        if not self.tried:
            self._since = began
        self.pause_s = 0.0
        if self.tried + 1 >= len(self.order):
            if wait_s is None:
                return False
            self.pause_s = wait_s
        return self.tried < self._retries.max and now + self.pause_s - self._since <= self._retries.total_s

    def go_on(self) -> None:
        """The try is over, and the next is due."""
        self.tried += 1
        self.target = self.order[min(self.tried, len(self.order) - 1)]
