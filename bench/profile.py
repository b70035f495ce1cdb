"""Where the gateway's time goes while a case runs: a sampling profile, told in two lists.

py-spy looks on from outside, native frames included, so that what is sampled is
the program that is measured; it is no dependency of the project: install it
(`pip install py-spy`) in whatever environment, and have it on PATH.
Used by bench/run.py.
"""

import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.case import Case
from bench.places import Missing, Place

_RATE = 250
_LISTED = 25
_STARTED_S = 1.0
_WAITING = ("pthread_cond_timedwait", "pthread_cond_wait", "PyThread_acquire_lock_timed", "_queue_SimpleQueue_get")


def profile(cases: Sequence[Case], place: Place, seconds: float, output: Path) -> None:
    """Run each case once at the place, write its folded stacks and print what they say."""
    program = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if program is None:
        raise Missing("py-spy is missing: `pip install py-spy` into any environment and put it on PATH")
    output.mkdir(parents=True, exist_ok=True)
    for case in cases:
        stacks = output / f"profile-{case.name}.txt"
        with _sampling(program, place, stacks):
            value = case.measure(place, seconds)
        print(f"\n{case.title}: {value:.5g} {case.unit}, with py-spy looking on; stacks in {stacks}")
        for title, shares in _lists(stacks.read_text()).items():
            print(f"\n| {title} | share |\n| --- | ---: |")
            for name, share in shares:
                print(f"| {name} | {share:.1%} |")


@contextmanager
def _sampling(program: str, place: Place, stacks: Path) -> Iterator[None]:
    # It samples until it is told to stop; threads that wait are left out.
    command = [program, "record", "--native", "--function", "--rate", str(_RATE), "--format", "raw"]
    command += ["--duration", "600", "--output", str(stacks), "--pid", str(place.pid)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as looking:
        time.sleep(_STARTED_S)
        try:
            yield
        finally:
            looking.send_signal(2)
            _, said = looking.communicate(timeout=60)
    if not stacks.exists():
        raise Missing(f"py-spy could not look: {said.decode()[-300:]}")


def _lists(stacks: str) -> dict[str, list[tuple[str, float]]]:
    """Shares of all samples that were running: by frame, by room or library, and by what it was for."""
    running: Counter[str] = Counter()
    rooms: Counter[str] = Counter()
    within: Counter[str] = Counter()
    total = 0
    for line in stacks.splitlines():
        stack, _, said = line.rpartition(" ")
        frames, count = stack.split(";"), int(said)
        # Threads that wait for a lock, for work or for the interpreter are not running, whatever py-spy thinks.
        if any(frame.startswith(_WAITING) for frame in frames[-4:]):
            continue
        total += count
        running[_short(frames[-1])] += count
        rooms[_room(frames[-1])] += count
        for frame in {_short(frame) for frame in frames if "clearway/" in frame and "clearway/cli/" not in frame}:
            within[frame] += count
    return {
        title: [(name, count / max(1, total)) for name, count in shares.most_common(_LISTED)]
        for title, shares in (("running", running), ("running, by room", rooms), ("within, calls included", within))
    }


def _file(frame: str) -> str:
    """`clearway/gateway/relay.py` of `relay (clearway/gateway/relay.py:10)`."""
    return frame.partition(" (")[2].rstrip(")").rpartition("site-packages/")[2].partition(":")[0]


def _short(frame: str) -> str:
    return f"`{frame.partition(' (')[0]}` {_file(frame)}".replace("|", "\\|").strip()


def _room(frame: str) -> str:
    parts = _file(frame).split("/")
    return "/".join(parts[:2]) if parts[0] == "clearway" else parts[0]
