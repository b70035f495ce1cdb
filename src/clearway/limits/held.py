"""What is held for one exchange and for one attempt, until the truth is known.

Owns that each is given back exactly once, and that whatever was used is counted in every
tally that is there by then. Used by limits/keeper.
"""

from collections.abc import Sequence
from typing import ClassVar, Protocol

import msgspec

from clearway.core.usage import Billing, Cost, Usage
from clearway.keys.model import Key
from clearway.limits.protocol import OUTPUT_SLICE, Estimate
from clearway.limits.rates import Rates
from clearway.limits.tally import Share, Tally
from clearway.pricing.ceiling import Ceiling

MARGIN = 512
"""Before so much is left a stream asks for more."""
_NO_END = 1 << 60
"""More tokens than any answer has."""


class NoEntry:
    """An exchange that nobody counts."""

    def leave(self) -> None:
        """Nothing."""


class Nothing:
    """A reservation for what is free."""

    output_tokens = _NO_END
    margin = MARGIN

    def top_up(self, output_tokens: int) -> bool:  # noqa: ARG002  # nothing refuses
        """Always granted."""
        return True

    def settle(self, usage: Usage | None, cost: Cost | None) -> None:
        """Nothing is counted."""

    def release(self) -> None:
        """Nothing was held."""


NO_ENTRY = NoEntry()
NOTHING = Nothing()


def first_output(output_tokens: int) -> int:
    """What is taken from a limit per minute before any output is there."""
    return min(OUTPUT_SLICE, output_tokens)


class Desk(Protocol):
    """Where what is held is given back."""

    def shares(self, key: Key | None, billing: Billing, admitted_us: int) -> Sequence[Share]:
        """The budgets that have to pay, as they are now."""
        ...

    def count(
        self, key: Key | None, admitted_us: int, usage: Usage | None, cost: Cost | None, tallies: Sequence[Tally]
    ) -> None:
        """Add what was used to those of `tallies` that are still kept, and to those that have begun since."""
        ...

    def now(self) -> float:
        """By a clock that never steps."""
        ...


class Counted:
    """A reservation where nothing is limited: what was used is counted all the same, for limits to come."""

    __slots__ = ("_admitted_us", "_desk", "_key")

    output_tokens = _NO_END
    margin = MARGIN

    def __init__(self, desk: Desk, key: Key | None, admitted_us: int) -> None:
        self._desk = desk
        self._key = key
        self._admitted_us = admitted_us

    def top_up(self, output_tokens: int) -> bool:  # noqa: ARG002  # nothing refuses
        """Always granted."""
        return True

    def settle(self, usage: Usage | None, cost: Cost | None) -> None:
        """Book the truth."""
        if usage is not None or cost is not None:
            self._desk.count(self._key, self._admitted_us, usage, cost, ())

    def release(self) -> None:
        """Nothing was held."""


class Held(msgspec.Struct):
    """A reservation.

    Args:
        desk: Where it is given back.
        key: Whose it is.
        estimate: What is held.
        output: For how much output, at first.
        nano: The most that it costs, with the prompt; 0 where no budget is in USD.
        admitted_us: Decides the periods.
        tallies: Where it is held.
        rates: Of the key, from which the tokens were taken; None: it has no limits per minute.
        ceiling: The dearest rates; None where no budget is in USD.
    """

    desk: Desk
    key: Key | None
    estimate: Estimate
    output: int
    nano: int
    admitted_us: int
    tallies: Sequence[Tally]
    rates: Rates | None
    ceiling: Ceiling | None
    tokens: int = 0
    """Held in all."""
    first_output: int = 0
    """What was taken of it from a limit per minute."""
    is_open: bool = True

    margin: ClassVar[int] = MARGIN

    def __post_init__(self) -> None:
        output, nano = self.output, self.nano
        self.tokens = tokens = self.estimate.input_tokens + output
        self.first_output = first_output(output)
        for tally in self.tallies:
            tally.held_nano += nano
            tally.held_tokens += tokens

    @property
    def output_tokens(self) -> int:
        """The output that is held for; beyond any answer where it cannot be more."""
        most = self.estimate.most_output
        return _NO_END if most is not None and self.output >= most else self.output

    def top_up(self, output_tokens: int) -> bool:
        """Hold for `output_tokens` in all, or for as much of that as there is; False: no more at all.

        By the key's budgets as they are now: one that was lowered since counts.
        """
        estimate = self.estimate
        if estimate.most_output is not None:
            output_tokens = min(output_tokens, estimate.most_output)
        more = output_tokens - self.output
        if more <= 0:
            return True
        for share in self.desk.shares(self.key, estimate.billing, self.admitted_us):
            more = min(more, share.output_within(share.room(), 0, self.ceiling))
        if more <= 0:
            return False
        self._hold(self.output + more)
        return True

    def settle(self, usage: Usage | None, cost: Cost | None) -> None:
        """Book the truth and give back the rest; the second call is an error of the caller."""
        prompt = output = 0
        if usage is not None or cost is not None:
            self.desk.count(self.key, self.admitted_us, usage, cost, self.tallies)
        if usage is not None:
            prompt, output = usage.prompt_tokens - usage.cache_read_tokens, usage.output_tokens
        self._give_back(prompt, output)

    def release(self) -> None:
        """Give everything back; the second call is an error of the caller."""
        self._give_back(0, 0)

    def _give_back(self, prompt: int, output: int) -> None:
        """All that is held, but for what was used of a limit per minute."""
        if not self.is_open:
            msg = "a reservation was ended twice"
            raise RuntimeError(msg)
        self.is_open = False
        nano, tokens, rates = self.nano, self.tokens, self.rates
        for tally in self.tallies:
            tally.held_nano -= nano
            tally.held_tokens -= tokens
        if rates is not None and rates.counts_tokens:
            lacks, over = prompt - self.estimate.input_tokens, output - self.first_output
            rates.take_tokens(lacks, over, self.desk.now())

    def _hold(self, output_tokens: int) -> None:
        """Hold for so much output in all, instead of what was held."""
        prompt = self.estimate.input_tokens
        nano = 0 if self.ceiling is None else self.ceiling.nano(prompt, output_tokens)
        tokens = prompt + output_tokens
        more_nano, more_tokens = nano - self.nano, tokens - self.tokens
        for tally in self.tallies:
            tally.held_nano += more_nano
            tally.held_tokens += more_tokens
        self.nano, self.tokens, self.output = nano, tokens, output_tokens
