"""Which alerts have been told, on both databases."""

from collections.abc import Callable

from clearway.ledger.instances import LEASE_S, Instance, register
from clearway.ledger.store import Store
from clearway.ledger.told import Told, Undelivered
from tests.ledger.stories import TestClock


def test_once(store: Store, clock: TestClock) -> None:
    """Each threshold once for each subject and period; a higher one is news again, a lower one never after it."""
    told = Told(store.database, clock, "me")

    assert told.claim("budget:*:5usd/day", 1, [750], ())
    assert not told.claim("budget:*:5usd/day", 1, [750], ())
    assert told.claim("budget:*:5usd/day", 1, [750, 950], ())
    assert told.claim("budget:*:5usd/day", 2, [750, 950], ())
    assert not told.claim("budget:*:5usd/day", 2, [750], ())
    assert told.claim("budget:*:6usd/day", 1, [750], ())


def test_after_a_restart(open_store: Callable[[], Store], clock: TestClock) -> None:
    """What was told stays told, also for another gateway on the same database."""
    first = open_store()
    assert Told(first.database, clock, "me").claim("x", 0, [950], ())
    first.close()

    assert not Told(open_store().database, clock, "you").claim("x", 0, [950], ())


def test_forgotten(store: Store, clock: TestClock) -> None:
    """Periods that are long over are let go; what never ends is not."""
    told = Told(store.database, clock, "me")
    told.claim("x", 0, [950], ())
    told.claim("x", 7, [950], ())
    clock.us += 401 * 86_400 * 1_000_000
    told.forget()

    assert (False, True) == (told.claim("x", 0, [950], ()), told.claim("x", 7, [950], ()))


def letter(number: int, receiver: str = "r") -> Undelivered:
    """A message."""
    return Undelivered(message_id=f"m{number}", receiver=receiver, body=b'{"text": "\xe2\x82\xac"}')


def test_kept_with_the_claim(store: Store, clock: TestClock) -> None:
    """Messages are kept where it is to be told, and only there, until they are delivered; for receivers that are asked
    for, the oldest first, and by one gateway only.
    """
    told = Told(store.database, clock, "dead")
    told.claim("x", 1, [750], [letter(2), letter(2, "s")])
    told.claim("x", 1, [750], [letter(3)])
    told.keep([letter(1), letter(4)])
    told.delivered("r", ["m4", "never"])

    assert [] == told.take_over(["r", "s"])
    assert [letter(1), letter(2)] == Told(store.database, clock, "me").take_over(["r"])
    assert [letter(2, "s")] == Told(store.database, clock, "you").take_over(["s", "t"])
    assert [letter(1), letter(2)] == Told(store.database, clock, "later").take_over(["r"])


def test_the_living_deliver_their_own(store: Store, clock: TestClock) -> None:
    """Where several gateways share a database, only what dead ones left is taken; of a directory there is one owner."""
    with store.database.writing() as connection:
        register(connection, Instance(id="alive", version="1", pid=1), clock.now_us())
    Told(store.database, clock, "alive").keep([letter(1)])
    me = Told(store.database, clock, "me")

    if store.database.is_shared:
        assert [] == me.take_over(["r"])
        clock.forward(LEASE_S + 1)
    assert [letter(1)] == me.take_over(["r"])


def test_nobody_took_it(store: Store, clock: TestClock) -> None:
    """For a week: then it is no news any more."""
    Told(store.database, clock, "dead").keep([letter(1)])
    me = Told(store.database, clock, "me")
    clock.forward(6 * 86_400)
    me.forget()
    assert 1 == len(me.take_over(["r"]))
    clock.forward(2 * 86_400)
    me.forget()

    assert [] == Told(store.database, clock, "later").take_over(["r"])
