"""The clock of the machine jumps under a running gateway. Scenarios for the table "Ourselves"."""

import functools
import time
from pathlib import Path

import pytest

from clearway.keys.model import KeySpec
from tests.faults.scene import Scene, Seen

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
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with Scene(home, environment=environment) as scene:
        soon_us = time.time_ns() // 1000 + _DAY_US // 2
        lasting, short = scene.key, scene.books.new_key(KeySpec(name="half a day", expires_us=soon_us))
        assert 200 == scene.ask().head.status
        offset.write_text(f"{days:+}d")
        expired = _status(scene, short)
        scene.key = lasting
        client, health = scene.ask_anew(), scene.health()
        told_us = scene.books.settled(scene.ask().head.exchange_id).admitted_us
        assert days == round((told_us - time.time_ns() // 1000) / _DAY_US)
        runs = scene.run_to_the_end()
        row = scene.row()
        judged = f"a key for half a day is answered {expired}"
        offset.write_text("+0")
        healed = _status(scene, short)
        afterwards = (
            judged,
            f"and {healed} when the clock is set right",
            "no duration is negative" if min(scene.durations()) >= 0 else "a duration is negative",
            "nothing is lost" if scene.nothing_lost() else "something is lost",
        )
        return Seen(runs=runs, client=client, health=health, ledger=row, afterwards=afterwards)


def _status(scene: Scene, key: str) -> int:
    scene.key = key
    return scene.ask().head.status


forward = functools.partial(jump, days=1)
back = functools.partial(jump, days=-1)
