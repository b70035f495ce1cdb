"""The seam for limits and budgets: reserve before, top up during, settle after.

Every attempt that may cost something holds one reservation, and ends it exactly
once, by `settle` or `release`, whatever happens to the exchange.
"""

from typing import Protocol

import msgspec

from clearway.core.usage import Cost, Usage
from clearway.keys.model import Key


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt might use, estimated high."""

    model: str | None
    input_tokens: int
    output_tokens: int
    """A slice of output for a stream; all of `max_tokens` otherwise."""


class Reservation(Protocol):
    """What is held for one attempt."""

    def top_up(self, output_tokens: int) -> bool:
        """Hold for `output_tokens` in all; False: the budget refuses, end the stream."""
        ...

    def settle(self, usage: Usage | None, cost: Cost | None) -> None:
        """Book the truth and give back the rest.

        Args:
            usage: What was used; None where it was never told, though something may
                have been billed (a time-out, an answer cut before its numbers).
            cost: Its price; None likewise.
        """
        ...

    def release(self) -> None:
        """Give everything back: certainly nothing was used."""
        ...


class Limiter(Protocol):
    """Decides whether a key may go on."""

    def reserve(self, key: Key | None, estimate: Estimate) -> Reservation:
        """Hold what an attempt might use.

        Raises:
            LimitExceeded: A limit or budget refuses; says which, and until when.
        """
        ...
