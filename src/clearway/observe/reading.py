"""What is looked up when somebody asks for the metrics: states, which nobody counts on the way.

Owns the seams to what keeps budgets and windows, which this room does not know.
A reading is taken on the event loop and costs no more than the states are long.
Made by compose, told by observe/exposition; budgets also by observe/alerts.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from clearway.core.budget import Budget
from clearway.core.exchange import Admission
from clearway.observe.protocol import Cooling


class BudgetLevel(Protocol):
    """A budget at one moment (`limits.protocol.BudgetState`); amounts in its unit."""

    @property
    def key_id(self) -> str | None:
        """None: the whole gateway's."""
        ...

    @property
    def key_name(self) -> str | None:
        """Likewise."""
        ...

    @property
    def budget(self) -> Budget:
        """Amount, unit and period."""
        ...

    @property
    def spent(self) -> int:
        """In this period."""
        ...

    @property
    def held(self) -> int:
        """By what runs."""
        ...

    @property
    def since_us(self) -> int:
        """Where the period began; 0 for `total`."""
        ...

    @property
    def resets_us(self) -> int | None:
        """Where the period ends; None: never."""
        ...


class WindowLevel(Protocol):
    """A subscription's window as it was last seen."""

    @property
    def credential_label(self) -> str:
        """A label that tells credentials apart; never a part of one."""
        ...

    @property
    def upstream(self) -> str:
        """Where it was seen."""
        ...

    @property
    def window(self) -> str:
        """Which one: `5h`, `7d` and the like."""
        ...

    @property
    def utilization(self) -> float | None:
        """From 0 to 1, and beyond; None: not told."""
        ...

    @property
    def resets_us(self) -> int | None:
        """When it begins anew; None: not told."""
        ...


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The states at one moment."""

    is_ready: bool
    running: Sequence[Admission] = ()
    """Exchanges that run."""
    in_flight: int
    body_bytes: int
    bodies_reading: int
    ledger_waiting: int
    ledger_batches: int
    ledger_healthy: bool
    ledger_refused: int
    ledger_swept: int
    watchers: int
    dropped: int
    otel_dropped: int
    turned_away: Mapping[str, int]
    """By code."""
    cool_downs: Mapping[tuple[str, str], int]
    """By upstream and kind of failure."""
    cooling: Sequence[Cooling]
    limits_healthy: bool = True
    """False while counters that several gateways share do not answer."""
    limits_errors: int = 0
    """How often they went away."""
    budgets: Sequence[BudgetLevel] = ()
    windows: Sequence[WindowLevel] = ()
