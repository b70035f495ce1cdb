"""How many wrong keys a source may show, and who passes all the same."""

import statistics
import time
import tracemalloc

import pytest

from clearway.core.errors import LimitExceeded, NotAuthenticated
from clearway.gateway.authenticate import authenticate
from clearway.gateway.wrong_keys import WrongKeys
from clearway.keys.secret import generate
from tests.gateway.test_authenticate import Ring

HERE, THERE = "192.0.2.1", "192.0.2.2"
MOST = 10


class Frozen:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def now_us(self) -> int:
        """Not asked for here."""
        return 0

    def monotonic(self) -> float:
        """When it is."""
        return self.now


class Door:
    """Shows keys at it."""

    def __init__(self, most: int = MOST) -> None:
        self.clock = Frozen()
        self.ring = Ring()
        self.wrong = WrongKeys(self.clock, most)

    def show(self, key: bytes, source: str = HERE) -> str:
        """`in`, `wrong` or `wait`."""
        fields = ((b"x-api-key", key),)
        try:
            authenticate(fields, self.ring, now_us=5, key_required=True, wrong=self.wrong, source=source)
        except NotAuthenticated:
            return "wrong"
        except LimitExceeded as error:
            return "wait" if error.retry_after_s in range(1, 61) else "wait without an end"
        return "in"


def unknown() -> bytes:
    """A key of the right form that nobody made."""
    return generate().encode()


def test_guesses_are_few() -> None:
    """Ten different wrong keys, then nothing is learned any more: a right one looks like a wrong one."""
    door = Door()
    right = door.ring.add("ada")

    assert ["wrong"] * MOST == [door.show(unknown()) for _ in range(MOST)]
    assert ["wait", "wait"] == [door.show(unknown()), door.show(right)]


def test_keys_in_use_go_on() -> None:
    """Who shares an address with somebody who guesses is let in as before."""
    door = Door()
    right = door.ring.add("ada")
    assert "in" == door.show(right)
    for _ in range(3 * MOST):
        door.show(unknown())

    assert "in" == door.show(right)


def test_a_client_that_is_set_up_wrongly_harms_nobody() -> None:
    """The same wrong key again and again is answered 429 at last, and is no guessing:
    a right key that nobody has seen yet is let in.
    """
    door = Door()
    stale = unknown()

    assert ["wrong"] * MOST + ["wait"] * 100 == [door.show(stale) for _ in range(MOST + 100)]
    assert "in" == door.show(door.ring.add("newcomer"))
    assert "wait" == door.show(unknown())


def test_other_sources_are_not_touched() -> None:
    """Each source has a count of its own."""
    door = Door()
    for _ in range(2 * MOST):
        door.show(unknown())

    assert "wrong" == door.show(unknown(), THERE)
    assert "in" == door.show(door.ring.add("ada"), THERE)


def test_a_key_known_elsewhere_is_a_guess_here() -> None:
    """That a key is in use at another address does not tell a guesser that it is right."""
    door = Door()
    right = door.ring.add("ada")
    door.show(right, THERE)
    for _ in range(MOST):
        door.show(unknown())

    assert ("wait", "in") == (door.show(right), door.show(right, THERE))


def test_a_minute_later() -> None:
    """The count begins anew a minute after the first; what is refused meanwhile does not prolong it."""
    door = Door()
    for _ in range(2 * MOST):
        door.show(unknown())
    door.clock.now += 59.9
    assert "wait" == door.show(unknown())
    door.clock.now += 0.1

    assert "wrong" == door.show(unknown())


@pytest.mark.parametrize(
    "changes",
    [{"revoked_us": 1}, {"expires_us": 5}, {"secret_expires_us": 5}],
    ids=["revoked", "expired", "rotated"],
)
def test_what_counts_as_wrong(changes: dict[str, int]) -> None:
    """Keys that were good once count like others, though they are known."""
    door = Door(1)
    once = door.ring.add("once", **changes)

    assert ["wrong", "wait"] == [door.show(once), door.show(once)]


def test_mistyped_keys_count() -> None:
    """A wrong checksum is a guess too, however long the value."""
    door = Door(2)

    assert ["wrong", "wrong", "wait"] == [door.show(b"cw-" + b"x" * size) for size in (3, 49, 60_000)]


def test_right_keys_slow_nobody() -> None:
    """Any number of right keys from one source."""
    door = Door(1)
    keys = [door.ring.add(f"k{number}") for number in range(50)]

    assert {"in"} == {door.show(key) for key in keys * 20}


def test_revoked_while_the_source_is_slowed() -> None:
    """A key that passed because it was known here is wrong from the moment that it is."""
    door = Door(1)
    right = door.ring.add("ada")
    door.show(right)
    door.show(unknown())
    assert "in" == door.show(right)
    door.ring.secrets.clear()

    assert ["wait", "wait"] == [door.show(right), door.show(right)]


def test_none_is_counted() -> None:
    """0: no limit."""
    door = Door(0)

    assert {"wrong"} == {door.show(unknown()) for _ in range(100)}


def test_memory_is_bounded() -> None:
    """Tens of thousands of sources and very many different keys cost a few megabytes, and what is newest is known."""
    wrong = WrongKeys(Frozen(), 1000)
    tracemalloc.start()
    try:
        for number in range(20_000):
            wrong.was_wrong(f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::/64", number.to_bytes(32))
        for number in range(30_000):
            wrong.was_right(HERE, number.to_bytes(32))
        for source in range(80):
            for number in range(900):
                wrong.was_wrong(f"192.0.2.{source}", (number + 1000 * source).to_bytes(8) * 4)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 16_000_000
    for number in range(101):
        if number == 100:
            with pytest.raises(LimitExceeded):
                wrong.was_wrong("192.0.2.79", number.to_bytes(32, "little"))
        else:
            wrong.was_wrong("192.0.2.79", number.to_bytes(32, "little"))


def test_a_near_miss_takes_as_long_as_any() -> None:
    """A key that differs from a real one in its last character, and one at random: the time tells nothing."""
    door = Door(0)
    right = door.ring.add("ada")
    for place in range(64):
        door.ring.add(f"other{place}")
    near = right[:-1] + (b"0" if right[-1:] != b"0" else b"1")
    far = unknown()
    far = far[:-1] + (b"0" if far[-1:] != b"0" else b"1")

    def difference() -> float:
        taken: dict[bytes, list[int]] = {near: [], far: []}
        for turn in range(4000):
            key = (near, far)[turn % 2]
            began = time.perf_counter_ns()
            door.show(key)
            taken[key].append(time.perf_counter_ns() - began)
        first, second = (statistics.median(times) for times in taken.values())
        return abs(first - second) / second

    # On a machine with other things to do a round may be off; a real difference is there in each.
    assert min(difference() for _ in range(5)) < 0.05
