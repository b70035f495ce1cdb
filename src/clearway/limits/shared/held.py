"""What is held in the shared counters for one exchange and for one attempt.

Owns that each is given back exactly once, also where the answer that grants it comes
too late, and that a stream asks ahead for more. Used by limits/shared/keeper.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol, cast

from clearway.core.errors import GatewayError
from clearway.core.usage import Billing, Cost, Usage
from clearway.keys.model import Key
from clearway.limits.held import first_output
from clearway.limits.protocol import OUTPUT_SLICE, Estimate
from clearway.limits.shared.keys import Places
from clearway.limits.shared.stake import Run, Stake, Used
from clearway.limits.tally import Share
from clearway.pricing.ceiling import Ceiling

NO_END = 1 << 60
"""More tokens than any answer has."""
PATIENCE_S = 1.0
"""How long a request, or a stream, waits for an answer."""
AGAIN_S = 0.04
"""Between two questions for what is being loaded."""


class Wanted:
    """What one attempt might use, in whole nano-dollars a token: the same here and on the server.

    Args:
        estimate: Of the attempt.
        ceiling: The dearest rates; None where no budget is in USD.
    """

    __slots__ = ("estimate", "is_priced", "output_nano", "prompt_nano")

    def __init__(self, estimate: Estimate, ceiling: Ceiling | None) -> None:
        self.estimate = estimate
        self.is_priced = ceiling is not None
        self.prompt_nano = 0 if ceiling is None else ceiling.nano(estimate.input_tokens, 0)
        self.output_nano = 0 if ceiling is None else ceiling.nano(0, 1)

    def first(self) -> dict[str, object]:
        """For the script: what is to be held at first."""
        most = self.estimate.output_tokens
        # With less than half a slice a stream would most probably be ended half-way.
        least = (most + 1) // 2 if self.estimate.is_stream else most
        return {**self._rates(), "prompt": self.estimate.input_tokens, "most": most, "least": least}

    def more(self, output_tokens: int) -> dict[str, object]:
        """For the script: so much output more."""
        return {**self._rates(), "prompt": 0, "most": output_tokens}

    def nano(self, output_tokens: int) -> int:
        """What so much output costs beside the prompt."""
        return self.prompt_nano + output_tokens * self.output_nano if self.is_priced else 0

    def _rates(self) -> dict[str, object]:
        return {"priced": self.is_priced, "prompt_nano": self.prompt_nano, "output_nano": self.output_nano}


class Desk(Protocol):
    """Where what is held is asked for and given back."""

    def shares(self, key: Key | None, billing: Billing, admitted_us: int) -> Sequence[Share]:
        """The budgets that have to pay, as they are now."""
        ...

    def count_in(
        self, key_id: str | None, admitted_us: int, usage: Usage | None, cost: Cost | None, stakes: Sequence[Stake]
    ) -> None:
        """Add what was used to `stakes`, and to those that have begun since."""
        ...

    def tell(self, letter: "Stake | Run | Used") -> None:
        """Something has changed."""
        ...

    def ask(self, letter: "Asking") -> None:
        """Send a question."""
        ...

    def not_ready(self, answer: Sequence[object], stakes: Sequence[Stake]) -> None:
        """A tally is not there yet, or not known of us: see to it, so that the question may be asked again."""
        ...

    def unavailable(self) -> GatewayError:
        """Nobody answers."""
        ...


class SharedEntry:
    """One exchange of a key."""

    __slots__ = ("_desk", "_run")

    def __init__(self, desk: Desk, run: Run) -> None:
        self._desk = desk
        self._run = run

    def leave(self) -> None:
        """It is over."""
        self._run.count -= 1
        if self._run.is_shared:
            self._desk.tell(self._run)


class SharedHeld:
    """A reservation.

    Args:
        desk: Where it is given back.
        key: Whose it is.
        wanted: What is held for.
        output_tokens: How much output at first.
        admitted_us: Decides the periods.
        stakes: Where it is held.
        run: Of the key, from whose limits tokens were taken; None: it has none.
    """

    __slots__ = (
        "_admitted_us",
        "_asking",
        "_desk",
        "_first_output",
        "_is_open",
        "_key",
        "_output",
        "_run",
        "_stakes",
        "_wanted",
    )

    margin = OUTPUT_SLICE // 2
    """Asked for ahead: an answer takes a moment."""

    def __init__(  # noqa: PLR0913, PLR0917  # what a reservation is made of
        self,
        desk: Desk,
        key: Key | None,
        wanted: Wanted,
        output_tokens: int,
        admitted_us: int,
        stakes: Sequence[Stake],
        run: Run | None,
    ) -> None:
        self._desk = desk
        self._key = key
        self._wanted = wanted
        self._output = output_tokens
        self._first_output = first_output(output_tokens)
        self._admitted_us = admitted_us
        self._stakes = stakes
        self._run = run
        self._is_open = True
        self._asking: Asking | None = None
        for stake in stakes:
            stake.hold(wanted.nano(output_tokens), wanted.estimate.input_tokens + output_tokens)

    @property
    def output_tokens(self) -> int:
        """The output that is held for; beyond any answer where it cannot be more."""
        most = self._wanted.estimate.most_output
        return NO_END if most is not None and self._output >= most else self._output

    def top_up(self, output_tokens: int) -> "bool | asyncio.Future[GatewayError | bool]":
        """Ask for `output_tokens` in all; True: they are held already. Otherwise what comes of it: False
        where the budget refuses, or why it cannot be told.
        """
        most = self._wanted.estimate.most_output
        if most is not None:
            output_tokens = min(output_tokens, most)
        more = output_tokens - self._output
        if more <= 0:
            return True
        if self._asking is None or self._asking.answer.done():
            shares = self._desk.shares(self._key, self._wanted.estimate.billing, self._admitted_us)
            self._asking = Asking(self, self._desk, self._wanted.more(more), shares, self._stakes)
            self._desk.ask(self._asking)
        return self._asking.answer

    def granted(self, more: int) -> None:
        """So much more output is held for."""
        self._output += more
        nano = more * self._wanted.output_nano if self._wanted.is_priced else 0
        for stake in self._stakes:
            stake.hold(nano, more)
        if not self._is_open:
            self._let_go(nano, more)

    def settle(self, usage: Usage | None, cost: Cost | None) -> None:
        """Book the truth and give back the rest; the second call is an error of the caller."""
        prompt = output = 0
        if usage is not None or cost is not None:
            key_id = None if self._key is None else self._key.id
            self._desk.count_in(key_id, self._admitted_us, usage, cost, self._stakes)
        if usage is not None:
            prompt, output = usage.prompt_tokens - usage.cache_read_tokens, usage.output_tokens
        self._give_back(prompt, output)

    def release(self) -> None:
        """Give everything back; the second call is an error of the caller."""
        self._give_back(0, 0)

    def hand_over(self) -> tuple[Sequence[Stake], int, int]:
        """End it here: somebody else holds so much from now on, nano-dollars and tokens, in the same tallies."""
        self._is_open = False
        nano, tokens = self._wanted.nano(self._output), self._wanted.estimate.input_tokens + self._output
        self._let_go(nano, tokens)
        return self._stakes, nano, tokens

    def _give_back(self, prompt: int, output: int) -> None:
        if not self._is_open:
            msg = "a reservation was ended twice"
            raise RuntimeError(msg)
        self._is_open = False
        input_tokens = self._wanted.estimate.input_tokens
        self._let_go(self._wanted.nano(self._output), input_tokens + self._output)
        if self._run is not None and any(self._run.limits()[1:]):
            self._desk.tell(Used(self._run, prompt - input_tokens, output - self._first_output))

    def _let_go(self, nano: int, tokens: int) -> None:
        for stake in self._stakes:
            stake.hold(-nano, -tokens)
            self._desk.tell(stake)


def written_shares(shares: Sequence[Share], stakes: Sequence[Stake], places: Places) -> tuple[object, object]:
    """For the script: the budgets that pay, and the tallies that are held in."""
    # By period, and not by tally: what was admitted before midnight goes on in the day before.
    places_of = {(stake.key_id, stake.period): place for place, stake in enumerate(stakes, 1)}
    paying = [
        (place, int(share.is_money), int(share.counts_estimates), str(share.budget.amount))
        for share in shares
        if (place := places_of.get((share.key_id, share.budget.period))) is not None
    ]
    return paying, [(places.of(stake.name), stake.until_ms) for stake in stakes]


def take_in(stakes: Sequence[Stake], told: object) -> None:
    """The sums of some tallies."""
    for stake, sums in zip(stakes, cast("Sequence[Sequence[str]]", told), strict=True):
        stake.take_in(sums)


class Asking:
    """A question for more, of a reservation that is open. Asked again while a tally is being loaded."""

    def __init__(
        self,
        held: SharedHeld,
        desk: Desk,
        wanted: dict[str, object],
        shares: Sequence[Share],
        stakes: Sequence[Stake],
    ) -> None:
        self._held = held
        self._desk = desk
        self._wanted = wanted
        self._shares = shares
        self._stakes = stakes
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + PATIENCE_S
        self.answer: asyncio.Future[GatewayError | bool] = self._loop.create_future()
        self._timer = self._loop.call_later(PATIENCE_S, self.lost)

    def write(self, places: Places) -> Sequence[object]:
        """The question."""
        return ("top_up", *written_shares(self._shares, self._stakes, places), self._wanted)

    def heard(self, answer: object) -> None:
        """The answer; what comes too late is held all the same, until the end."""
        said = cast("Sequence[object]", answer)
        match said[0]:
            case "ok":
                self._held.granted(cast("int", said[1]))
                take_in(self._stakes, said[2])
                self._end(outcome=True)
            case "spent":
                take_in(self._stakes, said[2])
                self._end(outcome=False)
            case _:
                self._desk.not_ready(said, self._stakes)
                if self._loop.time() + AGAIN_S < self._until and not self.answer.done():
                    self._loop.call_later(AGAIN_S, self._desk.ask, self)

    def lost(self) -> None:
        """Nobody answers."""
        self._end(outcome=self._desk.unavailable())

    def _end(self, *, outcome: GatewayError | bool) -> None:
        self._timer.cancel()
        if not self.answer.done():
            self.answer.set_result(outcome)
