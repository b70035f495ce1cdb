"""What is held for batches: for all of it or for none, and until the truth is known, also over a new start."""

from asyncio import Future
from collections.abc import Callable
from datetime import UTC

import msgspec
import pytest

from clearway.core.budget import parse_budget, show_budget
from clearway.core.errors import GatewayError, LimitExceeded
from clearway.core.usage import Cost, Usage
from clearway.gateway.objects.holds import Holds
from clearway.keys.model import Key
from clearway.ledger.ownership import Owned, Share
from clearway.limits.held import MARGIN
from clearway.limits.keeper import Keeper, Settings
from clearway.limits.protocol import Estimate, Reservation
from clearway.pricing.ceiling import Ceiling
from tests.ledger.stories import TestClock

KEY = Key(id="k", name="k", prefix="cw-", created_us=0)
SHARES = (Share("claude-haiku-4-5", 10, 20), Share("claude-opus-4-5", 1, 2))
DAY_US = 86_400 * 1_000_000
USED = Usage(input_tokens=5)
COST = Cost(nano=7, price_version="1", billing="billed")


class Counting(Keeper):
    """Grants what is below a bound of output tokens, and remembers what was asked and told."""

    def __init__(self, most: int = 1 << 60) -> None:
        settings = Settings(count_tokens_per_minute=1, zone=UTC)
        super().__init__(settings, clock=TestClock(), ceilings=lambda _, __: None)
        self.most = most
        self.asked: list[tuple[str | None, int, int, int]] = []
        self.booked: list[tuple[Usage | None, Cost | None]] = []
        self.held = self.settled = self.released = 0

    def reserve(self, key: Key | None, estimate: Callable[[], Estimate], *, admitted_us: int) -> Reservation:
        """Grant, or not."""
        wanted = estimate()
        if wanted.output_tokens > self.most:
            raise LimitExceeded("too much")
        self.asked.append((wanted.model, wanted.input_tokens, wanted.output_tokens, admitted_us))
        self.held += 1
        return _Told(self, super().reserve(key, estimate, admitted_us=admitted_us))

    def resume(self, key: Key, estimate: Estimate, *, admitted_us: int) -> Reservation:
        """Always granted."""
        self.held += 1
        return _Told(self, super().resume(key, estimate, admitted_us=admitted_us))


class _Told:
    """A reservation whose end is remembered."""

    output_tokens = 1 << 60
    margin = MARGIN

    def __init__(self, limiter: Counting, real: Reservation) -> None:
        self._limiter = limiter
        self._real = real

    def top_up(self, output_tokens: int) -> bool | Future[bool | GatewayError]:
        """As the real one."""
        return self._real.top_up(output_tokens)

    def settle(self, usage: Usage | None, cost: Cost | None) -> None:
        """Remember."""
        self._limiter.booked.append((usage, cost))
        self._limiter.held -= 1
        self._limiter.settled += 1
        self._real.settle(usage, cost)

    def release(self) -> None:
        """Remember."""
        self._limiter.held -= 1
        self._limiter.released += 1
        self._real.release()


@pytest.fixture
def clock() -> TestClock:
    """Stands still."""
    return TestClock()


def batch(clock: TestClock, name: str = "a", *, age_us: int = 0) -> Owned:
    """One that runs."""
    return Owned(
        kind="batch",
        id=f"msgbatch_{name}",
        upstream="api",
        key_id="k",
        exchange_id="e",
        created_us=clock.now_us() - age_us,
        held=SHARES,
    )


async def test_held_until_the_truth(clock: TestClock) -> None:
    """Each model is reserved for, at the time of admission; the sum is booked once, the rest given back."""
    limiter = Counting()
    holds = Holds(limiter, clock)
    owned = batch(clock)
    holds.keep(owned, await holds.reserve(KEY, SHARES, owned.created_us))

    assert [
        ("claude-haiku-4-5", 10, 20, owned.created_us),
        ("claude-opus-4-5", 1, 2, owned.created_us),
    ] == limiter.asked
    assert (2, 1) == (limiter.held, len(holds))

    holds.settle(owned, USED, COST)
    holds.settle(owned, USED, COST)

    assert [(USED, COST)] == limiter.booked
    assert (0, 1, 1, 0) == (limiter.held, limiter.settled, limiter.released, len(holds))


async def test_nothing_used(clock: TestClock) -> None:
    """All is given back."""
    limiter = Counting()
    holds = Holds(limiter, clock)
    owned = batch(clock)
    holds.keep(owned, await holds.reserve(KEY, SHARES, owned.created_us))
    holds.settle(owned, None, None)

    assert (0, 0, 2) == (limiter.held, limiter.settled, limiter.released)


async def test_all_or_none(clock: TestClock) -> None:
    """Where one model's share is refused, nothing stays held."""
    limiter = Counting(most=10)
    with pytest.raises(LimitExceeded):
        await Holds(limiter, clock).reserve(KEY, SHARES[::-1], 0)

    assert (0, 1) == (limiter.held, limiter.released)


def test_a_new_start(clock: TestClock) -> None:
    """What ran is held for again, once, also what would be refused today; what is long over is let be."""
    limiter = Counting(most=20)
    holds = Holds(limiter, clock)
    old = batch(clock, "old", age_us=31 * DAY_US)
    dear = Owned(**{**_fields(batch(clock, "dear")), "held": (Share("m", 1, 1000),)})  # type: ignore[arg-type]  # fields
    holds.resume([(batch(clock), KEY), (old, KEY), (dear, KEY), (batch(clock), KEY)])

    assert (3, 2) == (limiter.held, len(holds))
    holds.settle(old, USED, COST)
    holds.settle(dear, USED, COST)
    holds.settle(batch(clock), USED, COST)
    assert [(USED, COST)] * 2 == limiter.booked


def _fields(owned: Owned) -> dict[str, object]:
    return {name: getattr(owned, name) for name in owned.__struct_fields__}


async def test_let_go_at_last(clock: TestClock) -> None:
    """Results that nobody read can be had no more after 30 days: the limiter hears that it was never told."""
    limiter = Counting()
    holds = Holds(limiter, clock)
    old, new = batch(clock, "old", age_us=31 * DAY_US), batch(clock)
    holds.keep(old, await holds.reserve(KEY, SHARES, old.created_us))
    holds.keep(new, await holds.reserve(KEY, SHARES, new.created_us))

    assert [(None, None), (None, None)] == limiter.booked
    assert (2, 1) == (limiter.held, len(holds))


CEILING = Ceiling(1_000 * 10**9, 5_000 * 10**9)
"""A thousand nano-dollars for a token of the prompt, five thousand for one of output."""


def keeper_of(
    clock: TestClock, *budgets: str, price: Ceiling | None = CEILING, per_minute: int | None = None
) -> tuple[Keeper, Key]:
    """The real one, as after a start, and a key with budgets and a limit of input tokens."""
    key = msgspec.structs.replace(KEY, budgets=tuple(map(parse_budget, budgets)), input_tokens_per_minute=per_minute)
    settings = Settings(budgets=(parse_budget("9Mtokens/total"),), count_tokens_per_minute=1, zone=UTC)
    keeper = Keeper(settings, clock=clock, ceilings=lambda _, __: price)
    keeper.set_keys([key])
    return keeper, key


def held_by(keeper: Keeper, key: Key) -> dict[str, int]:
    """What is held of each budget."""
    return {show_budget(state.budget): state.held for state in [*keeper.budgets_of(key), *keeper.budgets_of(None)]}


BUDGETS = ("1usd/day", "1Mtokens/day", "1usd/total")
MANY = (Share("claude-haiku-4-5", 600, 400), Share("claude-opus-4-5", 500, 100))


async def test_as_much_as_before(clock: TestClock) -> None:
    """After a start every budget holds what it held, though limits per minute would not let it in again."""
    keeper, key = keeper_of(clock, *BUDGETS, per_minute=1000)
    holds = Holds(keeper, clock)
    made = []
    for name in ("a", "b"):
        owned = msgspec.structs.replace(batch(clock, name), held=MANY[:1])
        holds.keep(owned, await holds.reserve(key, owned.held, owned.created_us))
        made.append((owned, key))
        clock.forward(60)
    before = held_by(keeper, key)
    again, key = keeper_of(clock, *BUDGETS, per_minute=1000)
    Holds(again, clock).resume(made)

    assert {"1usd/day": 5_200_000, "1000000tokens/day": 2000, "1usd/total": 5_200_000, "9000000tokens/total": 2000} == (
        before
    )
    assert before == held_by(again, key)
    assert again.told(key).values == keeper.told(key).values


def test_not_in_a_period_that_began_since(clock: TestClock) -> None:
    """What was made yesterday is held, and counted, where the ledger will count it: not today."""
    keeper, key = keeper_of(clock, *BUDGETS)
    holds = Holds(keeper, clock)
    owned = msgspec.structs.replace(batch(clock, age_us=DAY_US), held=MANY)
    holds.resume([(owned, key)])

    expected = {"1usd/day": 0, "1000000tokens/day": 0, "1usd/total": 3_600_000, "9000000tokens/total": 1600}
    assert expected == held_by(keeper, key)
    holds.settle(owned, USED, COST)
    assert [0, 0, 7] == [state.spent for state in keeper.budgets_of(key)]
    assert {0} == set(held_by(keeper, key).values())


@pytest.mark.parametrize("price", [CEILING, None], ids=["lowered", "without-a-price"])
def test_what_would_not_be_let_in(clock: TestClock, price: Ceiling | None) -> None:
    """A budget that was lowered, or a price that is gone, stops neither the start nor the hold in tokens."""
    keeper, key = keeper_of(clock, "0.000001usd/day", "9tokens/day", price=price)
    Holds(keeper, clock).resume([(msgspec.structs.replace(batch(clock), held=MANY), key)])

    assert {"0.000001usd/day": 3_600_000 if price else 0, "9tokens/day": 1600, "9000000tokens/total": 1600} == (
        held_by(keeper, key)
    )
