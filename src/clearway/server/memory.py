"""How much memory this process holds and keeps, and how much the system gives it.

Owns two readings of Linux's files; elsewhere nothing is known, and nothing bound.
Sources: proc(5), `statm`; the kernel's "Control Group v2" (`memory.max`) and
"Memory Resource Controller" (`memory.limit_in_bytes`), read 2026-11-27.
Used by server/load, and by cli/serving.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_GROUPS = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""As in glibc's malloc.h."""
_KEPT = 64 << 20
"""Bytes that may lie free at the end of the heap."""
_APART = 32 << 20
"""Bytes of one value from which on it has pages of its own, which are returned with it."""


def held_bytes() -> int:
    """What the process holds for itself: resident, without files that it has mapped. 0 where it is not known."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as told:  # noqa: PTH123  # a third of the time of Path.open
            fields = told.read(200).split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * _PAGE


def given_bytes() -> int | None:
    """What the machine has, or the process's control group where that is less; None where it is not known."""
    limits = list(_group_limits())
    with contextlib.suppress(ValueError, OSError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * _PAGE)
    return min(limits, default=None)


def give_back() -> None:
    """Return free memory to the system where the C library can: it keeps what it once had (malloc_trim(3))."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def keep_some() -> None:
    """Keep free memory for the next request, up to 64 MB, where the C library can: by its own bounds, which begin low
    and follow what was freed, it may return the room of each body and fetch it again, page by page (mallopt(3);
    measured: up to a third of the CPU of a 200 KB request). They end where these are, so nothing is kept that
    would not be kept after one large body.
    """
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None:
        option(_M_MMAP_THRESHOLD, _APART)
        option(_M_TRIM_THRESHOLD, _KEPT)


def _group_limits() -> Iterator[int]:
    """Of the process's group and those above it."""
    try:
        lines = _GROUPS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            top, name = _MOUNT, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = _MOUNT / "memory", "memory.limit_in_bytes"
        else:
            continue
        # In a container the path may be one of the host: the mount itself is the group then.
        inner = top / path.lstrip("/")
        for group in (inner, *inner.parents):
            if group == _MOUNT.parent:
                break
            try:
                told = (group / name).read_text().strip()
            except OSError:
                continue
            # "max" in the second version, a number near 2**63 in the first: no limit.
            if told.isdecimal():
                yield int(told)
