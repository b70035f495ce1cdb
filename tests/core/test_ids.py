"""Ids sort by the time they were made, whatever the clock does."""

import re
import threading
import uuid

from clearway.core.clock import SystemClock
from clearway.core.ids import IdMaker


class FrozenClock:
    """A clock that a test sets."""

    def __init__(self, now_us: int) -> None:
        self.now = now_us

    def now_us(self) -> int:
        """The set time."""
        return self.now

    def monotonic(self) -> float:
        """Not used here."""
        return 0.0


def test_form() -> None:
    """RFC 9562: version 7, its variant, and the millisecond in front."""
    clock = FrozenClock(1_763_700_000_123_456)
    made = uuid.UUID(IdMaker(clock).new())

    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == 1_763_700_000_123


def test_they_grow_also_when_the_clock_stands_or_goes_back() -> None:
    """A full millisecond runs into the next one; a jump back changes nothing."""
    clock = FrozenClock(1_763_700_000_000_000)
    maker = IdMaker(clock)
    made = [maker.new() for _ in range(5000)]
    clock.now -= 60_000_000
    made += [maker.new() for _ in range(5000)]

    assert sorted(made) == made
    assert len(set(made)) == 10_000


def test_threads_never_share_one() -> None:
    """Made side by side, all different."""
    maker, made = IdMaker(SystemClock()), list[str]()

    def make() -> None:
        made.extend([maker.new() for _ in range(2000)])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 8000
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", one) for one in made
    )
