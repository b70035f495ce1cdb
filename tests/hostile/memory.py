"""How much memory a process has ever needed."""

import re
from pathlib import Path

import pytest


def peak_mb(pid: int) -> float:
    """The most that was resident so far, in MB; skips the test where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.is_file():
        pytest.skip("the system does not tell how much memory a process has needed")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    assert found
    return int(found[1]) / 1024
