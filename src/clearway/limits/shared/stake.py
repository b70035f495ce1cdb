"""What this gateway has in the shared counters: in each tally, and running for each key.

Owns the numbers that only this gateway knows; the sums over all gateways are the
server's, and what was heard of them last stands in the tally of the keeper. A stake is
told whole, so that telling it twice changes nothing. Used by limits/shared/keeper.
"""

from collections.abc import Callable, Sequence
from typing import cast

from clearway.core.budget import Period
from clearway.core.usage import Cost, Usage
from clearway.limits.period import FOR_GOOD, Span
from clearway.limits.rates import Rates
from clearway.limits.shared.keys import Places
from clearway.limits.tally import Tally, amounts

_DAY_US = 86_400 * 1_000_000
_MORE_THAN_A_DAY, _MORE_THAN_A_WEEK = 2, 14
_KEPT_MS = 3 * 86_400 * 1000
"""How long counters outlast their period: what is admitted before its end may run on, and clocks differ."""


def _period_of(span: Span) -> Period:
    if span == FOR_GOOD:
        return "total"
    days = (span.end_us - span.start_us) / _DAY_US
    # A day on which clocks are set has 23 hours, or 25.
    return "day" if days < _MORE_THAN_A_DAY else "week" if days < _MORE_THAN_A_WEEK else "month"


class Stake:
    """In one tally. A letter that stands.

    Args:
        name: Of the tally.
        key_id: Whose it is; None: the gateway's.
        tally: Holds the sums over all gateways, as they were heard last.
        on_heard: Told when there are new ones.
    """

    __slots__ = ("_on_heard", "is_known", "key_id", "name", "own", "period", "tally", "until_ms")

    def __init__(self, name: str, key_id: str | None, tally: Tally, on_heard: "Callable[[Stake], None]") -> None:
        self.name = name
        self.key_id = key_id
        self.tally = tally
        self._on_heard = on_heard
        self.period = _period_of(tally.span)
        self.until_ms = 0 if tally.span == FOR_GOOD else tally.span.end_us // 1000 + _KEPT_MS
        self.own = Tally(tally.span)
        """What this gateway has spent, and holds."""
        self.is_known = True
        """What it had spent before the tally began is in it."""

    def begin(self, tally: Tally) -> None:
        """A budget is new, or there again: what was spent before is yet to be found out; what is held is held."""
        self.tally = tally
        self.is_known = False
        own = self.own
        own.billed = own.estimates = own.tokens = 0

    @property
    def is_empty(self) -> bool:
        """There is nothing that others would have to know."""
        own = self.own
        return not (own.billed or own.estimates or own.tokens or own.held_nano or own.held_tokens)

    def spend(self, usage: Usage | None, cost: Cost | None) -> None:
        """Count what was used."""
        self.own.add(*amounts(usage, cost))

    def hold(self, nano: int, tokens: int) -> None:
        """More is held, or less: the sums follow when they are heard."""
        self.own.held_nano += nano
        self.own.held_tokens += tokens

    def take_in(self, told: Sequence[str]) -> None:
        """The sums over all gateways."""
        tally = self.tally
        tally.billed, tally.estimates, tally.tokens, tally.held_nano, tally.held_tokens = map(int, told)
        self._on_heard(self)

    def write(self, places: Places) -> Sequence[object]:
        """All of it."""
        own = self.own
        numbers = (own.billed, own.estimates, own.tokens, own.held_nano, own.held_tokens)
        return ("own", places.of(self.name), self.until_ms, *map(str, numbers))

    def heard(self, answer: object) -> None:
        """The sums."""
        self.take_in(cast("Sequence[str]", answer))

    def lost(self) -> None:
        """It will be told when there is somebody."""


class Look:
    """Asks for the sums of a tally in which nothing has changed."""

    def __init__(self, stake: Stake) -> None:
        self._stake = stake

    def write(self, places: Places) -> Sequence[object]:
        """The question."""
        return ("look", places.of(self._stake.name))

    def heard(self, answer: object) -> None:
        """The sums."""
        self._stake.take_in(cast("Sequence[str]", answer))

    def lost(self) -> None:
        """Another time."""


class Gone(Look):
    """A tally that is over for good: the server need not remember that we were in it."""

    def write(self, places: Places) -> Sequence[object]:
        """The end."""
        return ("gone", places.of(self._stake.name))

    def heard(self, answer: object) -> None:
        """Nothing is said."""


class Run:
    """What runs for one key in this gateway, and the limits as they were heard last. A letter that stands."""

    __slots__ = ("count", "is_shared", "name", "rates")

    def __init__(self, name: str, rates: Rates) -> None:
        self.name = name
        self.rates = rates
        self.count = 0
        self.is_shared = False
        """Others have to know: the key may make so many requests at one moment, or in a minute."""

    def write(self, places: Places) -> Sequence[object]:
        """All of it."""
        return ("running", places.of(self.name), str(self.count))

    def heard(self, answer: object) -> None:
        """Nothing is said."""

    def lost(self) -> None:
        """It will be told when there is somebody."""

    def limits(self) -> tuple[int, int, int]:
        """Requests, input and output tokens per minute; 0: there is no such limit."""
        requests, prompt, output = (0 if bucket is None else bucket.per_minute for bucket in self.rates.shown)
        return requests, prompt, output

    def take_in(self, levels: Sequence[float], now: float) -> None:
        """What the server's buckets hold."""
        for bucket, level in zip(self.rates.shown, levels, strict=True):
            if bucket is not None:
                bucket.set_level(level, now)


class Used:
    """What was really used of a key's tokens per minute, beside what was taken for it."""

    def __init__(self, run: Run, prompt: int, output: int) -> None:
        self._run = run
        self._prompt = prompt
        self._output = output

    def write(self, places: Places) -> Sequence[object]:
        """The difference."""
        _, prompt, output = self._run.limits()
        return ("take", places.of(self._run.name), self._prompt, self._output, prompt, output)

    def heard(self, answer: object) -> None:
        """Nothing is said."""

    def lost(self) -> None:
        """A bucket without it is right again within a minute."""
