"""The seam for limits and budgets: enter once, reserve before each attempt, top up, settle.

An exchange enters once, and leaves when it is over. Every attempt that may cost
something holds one reservation, and ends it exactly once, by `settle` or `release`,
whatever happens to the exchange.
"""

from asyncio import Future
from collections.abc import Callable, Iterable
from types import CoroutineType
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from clearway.core.budget import Budget
from clearway.core.errors import GatewayError, LimitExceeded
from clearway.core.exchange import Endpoint
from clearway.core.fields import Fields
from clearway.core.usage import Billing, Cost, Usage
from clearway.keys.model import Key

OUTPUT_SLICE = 4096
"""By so many tokens of output a stream holds at first, and asks for more."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt might use, estimated high."""

    model: str | None
    input_tokens: int
    output_tokens: int
    """A slice of output for a stream; all of `max_tokens` otherwise."""
    most_output: int | None = None
    """What the output cannot exceed (`max_tokens`); None: not known."""
    billing: Billing = "billed"
    """Who would be charged."""
    writes_cache: Literal["no", "5m", "1h"] = "1h"
    """The dearest way in which the prompt may be cached."""
    is_plain: bool = True
    """False: it may ask for a speed or a geography that costs more."""
    is_stream: bool = False
    """It can be ended when a top-up is refused: a smaller slice will do at the end of a budget."""


class Entry(Protocol):
    """One exchange of a key, from admission to its end."""

    def leave(self) -> None:
        """It is over; called exactly once."""
        ...


class Reservation(Protocol):
    """What is held for one attempt."""

    @property
    def margin(self) -> int:
        """Before so much of what is held for is left, a stream asks for more."""
        ...

    @property
    def output_tokens(self) -> int:
        """The output that is held for; a stream that comes near it asks for more by `top_up`.
        Beyond any answer where nothing more can come.
        """
        ...

    def top_up(self, output_tokens: int) -> bool | Future[bool | GatewayError]:
        """Hold for `output_tokens` in all; False: the budget refuses, end the stream. Where that
        cannot be told at once: what will come of it; an error ends the stream likewise.
        """
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


class BatchHolds(Protocol):
    """Where what is held for batches outlives this process, and others may end it."""

    def keep(self, name: str, reservations: Iterable[Reservation]) -> None:
        """What is held for a batch is its own from now on."""
        ...

    def settle(self, name: str, key_id: str, since_us: int, usage: Usage | None, cost: Cost | None) -> None:
        """Book what it used, and give back what was held; None: nothing was used, or it was never told."""
        ...


class BudgetState(msgspec.Struct, frozen=True, kw_only=True):
    """A budget at one moment; amounts in the budget's unit."""

    key_id: str | None
    """None: the whole gateway's."""
    key_name: str | None
    budget: Budget
    spent: int
    held: int
    """By what runs."""
    since_us: int
    """Where the period began; 0 for `total`."""
    resets_us: int | None
    """Where it ends; None: never."""

    @property
    def left(self) -> int:
        """What may still be held; never below 0."""
        return max(0, self.budget.amount - self.spent - self.held)


T = TypeVar("T")
Later: TypeAlias = "T | CoroutineType[Any, Any, T]"
"""At once, or, where others share the counters, when it is awaited."""


class Limiter(Protocol):
    """Decides whether a key may go on."""

    def enter(self, key: Key | None, endpoint: Endpoint) -> "Later[Entry]":
        """Count an exchange in.

        Raises:
            LimitExceeded: A limit or budget refuses; says which, and until when.
            LimitsUnavailable: Nobody can tell, now or within a second.
        """
        ...

    def reserve(self, key: Key | None, estimate: Callable[[], Estimate], *, admitted_us: int) -> "Later[Reservation]":
        """Hold what an attempt might use. A period is that of admission.

        Args:
            key: Whose attempt it is.
            estimate: Asked only where something is limited.
            admitted_us: When the exchange was admitted.

        Raises:
            LimitExceeded: A limit or budget refuses; says which, and until when.
            LimitsUnavailable: Nobody can tell, now or within a second.
        """
        ...

    def resume(self, key: Key, estimate: Estimate, *, admitted_us: int) -> Reservation:
        """Hold again what a process before this one held: it was granted then, so that nothing
        is refused now, and limits per minute are not touched.

        Args:
            key: Whose attempt it is.
            estimate: As it was then.
            admitted_us: When the exchange was admitted; nothing is held in periods that have begun since.
        """
        ...

    def told(self, key: Key | None) -> Fields:
        """What an answer tells the client of its limits: fields in the format of Messages."""
        ...

    def budgets(self) -> list[BudgetState]:
        """Every budget that is in force, the gateway's first."""
        ...

    def budgets_of(self, key: Key | None) -> list[BudgetState]:
        """The key's own budgets; the gateway's for None."""
        ...

    def overdrawn(self, key: Key) -> LimitExceeded | None:
        """Why what runs for a key must end though it was let in: what is spent and held
        is more than a budget that was lowered since.
        """
        ...
