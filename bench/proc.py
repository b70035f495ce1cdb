"""What Linux says of a process and its children: CPU time, memory, descriptors, threads.

Used by bench/places.py and bench/soak.py.
"""

import os
import time
from pathlib import Path


def tree(pid: int) -> list[int]:
    """The process and what it has started."""
    children = _words(f"/proc/{pid}/task/{pid}/children")
    return [pid, *(one for child in children for one in tree(int(child)))]


def cpu_s(pid: int) -> float:
    """User and system time of all its threads so far, those that have ended too, in seconds."""
    # The process's CPU clock as clock_getcpuclockid(3) makes it, to the nanosecond; /proc tells hundredths.
    return time.clock_gettime(~pid << 3 | 2)


def pss_kb(pid: int) -> int:
    """Memory, what is shared divided among those who share it."""
    return _kb(f"/proc/{pid}/smaps_rollup", "Pss:")


def rss_kb(pid: int) -> int:
    """Memory, what is shared counted in full."""
    return _kb(f"/proc/{pid}/status", "VmRSS:")


def peak_kb(pid: int) -> int:
    """The most that `rss_kb` has been since `forget_peak`."""
    return _kb(f"/proc/{pid}/status", "VmHWM:")


def forget_peak(pid: int) -> None:
    """Let `peak_kb` begin again."""
    # proc(5), clear_refs: 5 resets the peak resident set size.
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def descriptors(pid: int) -> int:
    """How many are open."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  # names are all that is asked


def threads(pid: int) -> int:
    """How many there are."""
    return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208  # names are all that is asked


def pin(pid: int, core: int) -> None:
    """Keep a process, its threads and its children on one core."""
    for one in tree(pid):
        for task in Path(f"/proc/{one}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})


def _words(path: str) -> list[str]:
    return Path(path).read_text().split()


def _kb(path: str, label: str) -> int:
    return next(int(line.split()[1]) for line in Path(path).read_text().splitlines() if line.startswith(label))
