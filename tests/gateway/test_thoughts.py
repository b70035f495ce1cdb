"""What models thought is kept within bounds, of room, of time and of each owner's share."""

import pytest

from clearway.gateway.thoughts import Thoughts
from clearway.wire.hub.kept import Kept
from tests.gateway.test_health import HandClock

ROOM = 80_000


def _kept(name: str, size: int = 100) -> Kept:
    return Kept("claude-x", (b"x" * size,), (-1, -2), (name,), b"t" * 16)


@pytest.fixture
def clock() -> HandClock:
    """Set by hand."""
    return HandClock()


@pytest.fixture
def thoughts(clock: HandClock) -> Thoughts:
    """With room for some."""
    made = Thoughts(clock)
    made.adjust(room=ROOM, lasts_s=60)
    return made


def test_found_again(thoughts: Thoughts) -> None:
    """As it was kept, by its owner alone."""
    thoughts.keep("a", _kept("toolu_1"))

    assert _kept("toolu_1") == thoughts.find("a", "toolu_1")
    assert [None, None] == [thoughts.find("b", "toolu_1"), thoughts.find("a", "toolu_2")]


def test_items_too(thoughts: Thoughts) -> None:
    """An item is found by its id, by its owner alone, and never taken for what was thought."""
    thoughts.keep("a", _kept("rs_1"))
    thoughts.keep_item("a", "rs_1", b"{}")

    assert b"{}" == thoughts.find_item("a", "rs_1")
    assert _kept("rs_1") == thoughts.find("a", "rs_1")
    assert [None, None] == [thoughts.find_item("b", "rs_1"), thoughts.find_item("a", "rs_2")]


def test_the_last_one_counts(thoughts: Thoughts) -> None:
    """Kept under one name twice, it takes the room of one."""
    thoughts.keep("a", _kept("toolu_1"))
    size = thoughts.size
    thoughts.keep("a", _kept("toolu_1"))

    assert size == thoughts.size


def test_it_does_not_last(thoughts: Thoughts, clock: HandClock) -> None:
    """After its time it is not found, and the next one takes its place."""
    thoughts.keep("a", _kept("toolu_1"))
    size = thoughts.size
    clock.seconds += 60
    found = thoughts.find("a", "toolu_1")
    thoughts.keep("a", _kept("toolu_2"))

    assert (None, size) == (found, thoughts.size)


def test_one_owner_has_an_eighth(thoughts: Thoughts) -> None:
    """Beyond its share an owner loses its own oldest; nobody else loses anything."""
    thoughts.keep("b", _kept("toolu_b"))
    for number in range(100):
        thoughts.keep("a", _kept(f"toolu_{number}", 1000))

    assert thoughts.size <= ROOM // 8 + 1000
    assert thoughts.find("b", "toolu_b")
    assert [True, False] == [thoughts.find("a", f"toolu_{number}") is not None for number in (99, 0)]


def test_all_together_have_the_room(thoughts: Thoughts) -> None:
    """Many owners never hold more than there is room for; who came last is found."""
    for number in range(500):
        thoughts.keep(f"key_{number}", _kept("toolu_1", 500))

    assert thoughts.size <= ROOM
    assert [True, False] == [thoughts.find(f"key_{number}", "toolu_1") is not None for number in (499, 0)]


def test_too_large_or_switched_off(thoughts: Thoughts) -> None:
    """What is larger than a share is not kept; with no room nothing is, and what was is gone."""
    thoughts.keep("a", _kept("toolu_1", ROOM))
    too_large = thoughts.find("a", "toolu_1")
    thoughts.keep("a", _kept("toolu_2"))
    thoughts.adjust(room=0, lasts_s=60)
    thoughts.keep("a", _kept("toolu_3"))

    assert [None, None, None, 0] == [
        too_large, thoughts.find("a", "toolu_2"), thoughts.find("a", "toolu_3"), thoughts.size
    ]  # fmt: skip
