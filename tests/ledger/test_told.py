"""Which alerts have been told, on both databases."""

from collections.abc import Callable

from clearway.ledger.store import Store
from clearway.ledger.told import Told
from tests.ledger.stories import TestClock


def test_once(store: Store, clock: TestClock) -> None:
    """Each threshold once for each subject and period; a higher one is news again, a lower one never after it."""
    told = Told(store.database, clock)

    assert told.claim("budget:*:5usd/day", 1, [750])
    assert not told.claim("budget:*:5usd/day", 1, [750])
    assert told.claim("budget:*:5usd/day", 1, [750, 950])
    assert told.claim("budget:*:5usd/day", 2, [750, 950])
    assert not told.claim("budget:*:5usd/day", 2, [750])
    assert told.claim("budget:*:6usd/day", 1, [750])


def test_after_a_restart(open_store: Callable[[], Store], clock: TestClock) -> None:
    """What was told stays told, also for another gateway on the same database."""
    first = open_store()
    assert Told(first.database, clock).claim("x", 0, [950])
    first.close()

    assert not Told(open_store().database, clock).claim("x", 0, [950])


def test_forgotten(store: Store, clock: TestClock) -> None:
    """Periods that are long over are let go; what never ends is not."""
    told = Told(store.database, clock)
    told.claim("x", 0, [950])
    told.claim("x", 7, [950])
    clock.us += 401 * 86_400 * 1_000_000
    told.forget()

    assert (False, True) == (told.claim("x", 0, [950]), told.claim("x", 7, [950]))
