"""What one key, or the whole gateway, has spent and holds, by period.

Owns the counting: money in integer nano-dollars, so that sums agree with the ledger's.
What was spent before this process began to count comes from the ledger, once for each
period (`load`); everything later is added here. A period is that of admission: what
ends after midnight counts for the day before. No I/O. Used by limits/keeper.

Growth: for each account and period of its budgets one tally, and those before that
something still runs in.
"""

from collections.abc import Iterable
from datetime import tzinfo

from clearway.core.budget import Budget, Period
from clearway.core.usage import Cost, Usage
from clearway.limits.period import Span, span_of


class Tally:
    """One account in one period."""

    __slots__ = ("billed", "estimates", "held_nano", "held_tokens", "span", "tokens")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.billed = 0
        """Nano-dollars really charged."""
        self.estimates = 0
        """List price, in nano-dollars, of what a plan pays, or nobody."""
        self.tokens = 0
        self.held_nano = 0
        self.held_tokens = 0

    def load(self, billed: int, estimates: int, tokens: int) -> None:
        """Count what the ledger knows of the time before the tally began; once."""
        self.billed += billed
        self.estimates += estimates
        self.tokens += tokens

    def add(self, usage: Usage | None, cost: Cost | None) -> None:
        """Count what was used."""
        if usage is not None:
            self.tokens += usage.prompt_tokens + usage.output_tokens
        if cost is not None:
            self.billed += cost.cost_nano or 0
            self.estimates += cost.estimate_nano or 0

    def spent(self, budget: Budget, *, with_estimates: bool) -> int:
        """In the budget's unit."""
        if budget.unit == "tokens":
            return self.tokens
        return self.billed + self.estimates if with_estimates else self.billed

    def held(self, budget: Budget) -> int:
        """By what runs, in the budget's unit."""
        return self.held_tokens if budget.unit == "tokens" else self.held_nano


class Account:
    """The tallies of one key, or of the gateway."""

    __slots__ = ("_zone", "tallies")

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self.tallies: dict[Period, Tally] = {}
        """The current ones."""

    def begin(self, budgets: Iterable[Budget], at_us: int) -> list[Tally]:
        """The tallies that these budgets need and that were not there."""
        new = {budget.period for budget in budgets} - self.tallies.keys()
        return [self.tally(period, at_us) for period in sorted(new)]

    def tally(self, period: Period, at_us: int) -> Tally:
        """The tally that a moment counts in, begun where there is none.

        A moment before the current period (a clock that stepped back over midnight, or what
        was admitted before it) counts in the current one: no period begins twice.
        """
        current = self.tallies.get(period)
        if current is None or at_us >= current.span.end_us:
            current = self.tallies[period] = Tally(span_of(period, at_us, self._zone))
        return current
