"""The clock of the machine jumps under a running gateway. Scenarios for the table "Ourselves"."""

import functools
import time
from pathlib import Path

import pytest

from clearway.keys.model import KeySpec
from tests.faults.scene import Scene, Seen
from tests.relay.stage import wait_until

_DAY_US = 86_400_000_000
_LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/local/lib/faketime/libfaketimeMT.so.1")


def _library() -> Path:
    found = [path for pattern in _LIBRARIES for path in Path("/").glob(pattern.lstrip("/"))]
    if not found:
        pytest.skip("libfaketime is not installed; on Debian: apt-get install libfaketime")
    return found[0]


def jump(home: Path, *, days: int) -> Seen:
    """`days` later, or earlier where it is negative, from one moment to the next."""
    offset = home / "offset"
    offset.write_text("+0")
    environment = {
        # The wall clock alone: the other one never jumps (clock_gettime(2)).
        "LD_PRELOAD": str(_library()),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        # Looked at once a second; at every look at the clock it would cost too much.
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with Scene(home, environment=environment) as scene:
        soon_us = time.time_ns() // 1000 + _DAY_US // 2
        short = scene.books.new_key(KeySpec(name="half a day", expires_us=soon_us))
        assert 200 == scene.ask().head.status
        offset.write_text(f"{days:+}d")
        wait_until(lambda: _day(scene) == days, "the clock has jumped")
        expired = _status(scene, short)
        client, health = scene.ask_anew(), scene.health()
        runs = scene.run_to_the_end()
        row = scene.row()
        judged = f"a key for half a day is answered {expired}"
        offset.write_text("+0")
        wait_until(lambda: _day(scene) == 0, "the clock is right again")
        healed = _status(scene, short)
        afterwards = (
            judged,
            f"and {healed} when the clock is set right",
            "no duration is negative" if min(scene.durations()) >= 0 else "a duration is negative",
            "nothing is lost" if scene.nothing_lost() else "something is lost",
        )
        return Seen(runs=runs, client=client, health=health, ledger=row, afterwards=afterwards)


def _day(scene: Scene) -> int:
    """How many days off the gateway's clock is, by what it writes down."""
    told_us = scene.books.settled(scene.ask().head.exchange_id).admitted_us
    return round((told_us - time.time_ns() // 1000) / _DAY_US)


def _status(scene: Scene, key: str) -> int:
    """What a client with this key is answered."""
    lasting, scene.key = scene.key, key
    status = scene.ask().head.status
    scene.key = lasting
    return status


forward = functools.partial(jump, days=1)
back = functools.partial(jump, days=-1)
