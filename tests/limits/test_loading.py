"""What was spent before a budget was made: told whole, or told to be loading."""

import asyncio
import threading
from datetime import UTC

import msgspec
import pytest

from clearway.core.budget import parse_budget
from clearway.core.clock import SystemClock
from clearway.core.errors import LimitExceeded
from clearway.keys.model import Key
from clearway.ledger.spending import Spent
from clearway.limits.keeper import Keeper, Settings
from clearway.limits.loading import Loader

KEY = Key(id="k", name="k", prefix="cw-", created_us=0)
BUDGETS = (parse_budget("9usd/day"), parse_budget("9Mtokens/total"))


class Slow:
    """A ledger that tells when it is let."""

    def __init__(self) -> None:
        self.may_tell = threading.Event()

    def spent_by_key(self, *, since_us: int, before_us: int) -> dict[str | None, Spent]:
        """The same for every period."""
        assert since_us < before_us
        self.may_tell.wait(10)
        return {"k": Spent(70, 0, 5)}


async def test_loading_until_it_is_counted() -> None:
    """A budget that is new is told as loading, by its period, until its past is counted; who waits is woken then."""
    keys, past = [KEY], Slow()
    keeper = Keeper(Settings(count_tokens_per_minute=1, zone=UTC), clock=SystemClock(), ceilings=lambda _, __: None)
    told = []

    async def written() -> None:
        """At once."""

    loader = Loader(keeper, lambda: keys, past, written=written, changed=list, loaded=lambda: told.append(spent()))

    def spent() -> list[int]:
        return [state.spent for state in keeper.budgets_of(keys[0])]

    loader.on_change()
    await loader.start()
    keys[0] = msgspec.structs.replace(KEY, budgets=BUDGETS)
    loader.on_change()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await loader.settled(0.01)
    while_loading = loader.loading, spent()
    past.may_tell.set()
    await loader.settled(10)

    assert {("k", state.since_us) for state in keeper.budgets_of(keys[0])} == while_loading[0]
    assert [0, 0] == while_loading[1]
    assert (frozenset(), [70, 5]) == (loader.loading, spent())
    assert [[], [70, 5]] == told


async def test_a_key_that_is_quicker_than_the_news_of_it() -> None:
    """It was read in a thread, and asks before the keeper has heard: its limits hold, and its past is counted once."""
    keys, past = [KEY], Slow()
    past.may_tell.set()
    keeper = Keeper(Settings(count_tokens_per_minute=1, zone=UTC), clock=SystemClock(), ceilings=lambda _, __: None)

    async def written() -> None:
        """At once."""

    loader = Loader(keeper, lambda: keys, past, written=written, changed=list, loaded=list)
    await loader.start()
    keys[0] = quick = msgspec.structs.replace(KEY, budgets=BUDGETS[1:], parallel=1)
    loader.on_change()
    entry = keeper.enter(quick, "messages")
    with pytest.raises(LimitExceeded):
        keeper.enter(quick, "messages")
    entry.leave()
    assert loader.loading
    await loader.settled(10)

    assert [5] == [state.spent for state in keeper.budgets_of(quick)]
