"""What one key, or the whole gateway, has spent and holds, by period.

Owns the counting: money in integer nano-dollars, so that sums agree with the ledger's.
What was spent before this process began to count comes from the ledger, once for each
period (`add`); everything later is added here. A period is that of admission: what
ends after midnight counts for the day before. No I/O. Used by limits/keeper.

Growth: for each account and period of its budgets one tally, and those before that
something still runs in.
"""

from collections.abc import Iterable
from datetime import tzinfo

from clearway.core.budget import Budget, Period
from clearway.core.fields import Fields
from clearway.core.usage import Billing, Cost, Usage
from clearway.keys.model import Key
from clearway.limits.period import Span, span_of
from clearway.pricing.ceiling import Ceiling

_NO_END = 1 << 60


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

    def add(self, billed: int, estimates: int, tokens: int) -> None:
        """Count what was spent: `amounts` of it, or, once, what the ledger knows of the time before the tally began."""
        self.billed += billed
        self.estimates += estimates
        self.tokens += tokens


def amounts(usage: Usage | None, cost: Cost | None) -> tuple[int, int, int]:
    """What an attempt adds to a tally: billed and estimated nano-dollars, and tokens."""
    tokens = 0 if usage is None else usage.prompt_tokens + usage.output_tokens
    nano = 0 if cost is None else cost.nano or 0
    return (nano, 0, tokens) if cost is not None and cost.billing == "billed" else (0, nano, tokens)


class Share:
    """One budget and the tally that counts for it now."""

    __slots__ = (
        "amount",
        "budget",
        "counts_estimates",
        "is_money",
        "key",
        "shown",
        "shown_below",
        "tally",
        "told_at",
    )

    def __init__(self, budget: Budget, tally: Tally, key: Key | None) -> None:
        self.budget = budget
        self.amount = budget.amount
        self.tally = tally
        self.key = key
        """Whose it is; None: the gateway's."""
        self.is_money = budget.unit == "usd"
        self.counts_estimates = key is not None and key.counts_estimates
        self.told_at: float = 0
        """Whoever is told of spending hears of it again from here on, in the budget's unit."""
        self.shown: Fields | None = None
        """What answers tell of it, while not so much is spent as `shown_below`."""
        self.shown_below: float = 0

    @property
    def spent(self) -> int:
        """In the budget's unit."""
        tally = self.tally
        if not self.is_money:
            return tally.tokens
        return tally.billed + tally.estimates if self.counts_estimates else tally.billed

    def room(self) -> int:
        """What is neither spent nor held, in the budget's unit."""
        tally = self.tally
        if not self.is_money:
            return self.amount - tally.tokens - tally.held_tokens
        room = self.amount - tally.billed - tally.held_nano
        return room - tally.estimates if self.counts_estimates else room

    @property
    def key_id(self) -> str | None:
        """None: the gateway's."""
        return None if self.key is None else self.key.id

    @property
    def key_name(self) -> str | None:
        """None: the gateway's."""
        return None if self.key is None else self.key.name

    @property
    def since_us(self) -> int:
        """Where the period began."""
        return self.tally.span.start_us

    @property
    def resets_us(self) -> int | None:
        """Where it ends; None: never."""
        return self.tally.span.resets_us

    @property
    def held(self) -> int:
        """By what runs, in the budget's unit."""
        return self.tally.held_nano if self.is_money else self.tally.held_tokens

    def output_within(self, room: int, input_tokens: int, ceiling: Ceiling | None) -> int:
        """How much output fits into `room` beside the prompt; below 0 where the prompt alone does not."""
        if not self.is_money:
            return room - input_tokens
        # Without prices none was in USD when the attempt began, and none holds for it.
        return _NO_END if ceiling is None else ceiling.output_within(room, input_tokens)


class Account:
    """The tallies of one key, or of the gateway, and the budgets that they are kept for."""

    __slots__ = ("_by_period", "_ends_us", "_key", "_tokens_only", "_zone", "money", "shares", "tallies")

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._key: Key | None = None
        self._by_period: dict[Period, Tally] = {}
        self._ends_us = 0
        """Where the first of the current periods ends."""
        self.tallies: tuple[Tally, ...] = ()
        """The current ones."""
        self.shares: tuple[Share, ...] = ()
        self._tokens_only: tuple[Share, ...] = ()
        self.money: tuple[Share, ...] = ()
        """Those in USD."""

    def set(self, budgets: Iterable[Budget], key: Key | None, at_us: int) -> list[Tally]:
        """Take the budgets as they are now; the tallies that they need and that were not there are returned."""
        self._key = key
        wanted = list(budgets)
        self.roll(at_us)
        begun = {
            period: Tally(span_of(period, at_us, self._zone))
            for period in sorted({budget.period for budget in wanted} - self._by_period.keys())
        }
        self._by_period |= begun
        self._arrange(wanted)
        return list(begun.values())

    def roll(self, at_us: int) -> None:
        """Begin the periods that a moment is in.

        A moment before a current period (a clock that stepped back over midnight, or what
        was admitted before it) counts in the current one: no period begins twice.
        """
        if at_us < self._ends_us:
            return
        for period, tally in self._by_period.items():
            if at_us >= tally.span.end_us:
                self._by_period[period] = Tally(span_of(period, at_us, self._zone))
        self._arrange([share.budget for share in self.shares])

    def paying(self, billing: Billing) -> tuple[Share, ...]:
        """The budgets that have to pay: those in USD only for what is billed, or where estimates count."""
        if billing == "billed" or (self._key is not None and self._key.counts_estimates):
            return self.shares
        return self._tokens_only

    def _arrange(self, budgets: Iterable[Budget]) -> None:
        self.shares = tuple(Share(budget, self._by_period[budget.period], self._key) for budget in budgets)
        self._tokens_only = tuple(share for share in self.shares if not share.is_money)
        self.money = tuple(share for share in self.shares if share.is_money)
        self.tallies = tuple(self._by_period.values())
        self._ends_us = min((tally.span.end_us for tally in self.tallies), default=_NO_END << 2)
