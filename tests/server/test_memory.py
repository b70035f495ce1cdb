"""Memory that is kept: by counting the pages that the system has to give again, in processes of their own."""

import ctypes
import subprocess
import sys

import pytest

_ROUNDS = 50
_PROGRAM = f"""
import resource, sys
from clearway.server.memory import keep_some

if "keeps" in sys.argv:
    keep_some()
for number in range({2 * _ROUNDS}):
    if number == {_ROUNDS}:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [bytearray(300_000) for _ in range(4)]
    del held
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(*arguments: str) -> int:
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={}, timeout=30)
    return int(done.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this C library cannot be told")
def test_what_was_freed_is_used_again() -> None:
    """Bodies of a middling size come into memory that is there; by the library's bounds it is fetched each time."""
    assert 10 * _faults("keeps") < _faults()
