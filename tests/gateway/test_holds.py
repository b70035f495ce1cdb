"""What is held for batches: for all of it or for none, and until the truth is known, also over a new start."""

from asyncio import Future
from collections.abc import Callable
from datetime import UTC

import pytest

from clearway.core.errors import GatewayError, LimitExceeded
from clearway.core.usage import Cost, Usage
from clearway.gateway.objects.holds import Holds
from clearway.keys.model import Key
from clearway.ledger.ownership import Owned, Share
from clearway.limits.held import MARGIN
from clearway.limits.keeper import Keeper, Settings
from clearway.limits.protocol import Estimate, Reservation
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


async def test_a_new_start(clock: TestClock) -> None:
    """What ran is held for again; what is refused runs unheld; what is long over is let be."""
    limiter = Counting(most=20)
    holds = Holds(limiter, clock)
    old = batch(clock, "old", age_us=31 * DAY_US)
    dear = Owned(**{**_fields(batch(clock, "dear")), "held": (Share("m", 1, 1000),)})  # type: ignore[arg-type]  # fields
    await holds.resume([(batch(clock), KEY), (old, KEY), (dear, KEY), (batch(clock), KEY)])

    assert (2, 1) == (limiter.held, len(holds))
    holds.settle(dear, USED, COST)
    holds.settle(batch(clock), USED, COST)
    assert [(USED, COST)] == limiter.booked


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
