"""A disk that a test can fill: a small tmpfs over a folder.

Owns mounting and unmounting it, which root alone may do. Used by tests/chaos and
tests/faults.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_SIZE = "3m"
"""Room for a new ledger, and for little else."""
_BLOCK = 4096


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """A file system of its own at `place` while the context is open; skips where that is not allowed."""
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("a small disk can be mounted by root only (tmpfs)")
    place.mkdir(mode=0o700)
    options = f"size={_SIZE},mode=0700"
    command = [mount, "-t", "tmpfs", "-o", options, "clearway-test", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        # Lazily: where a test has failed, something may still have a file open there.
        subprocess.run(["umount", "--lazy", place], check=True)


def fill_up(ballast: Path) -> None:
    """Write until nothing more fits."""
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(_BLOCK))


@contextlib.contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Nobody can write to a small disk while the context is open."""
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", place], check=True)
