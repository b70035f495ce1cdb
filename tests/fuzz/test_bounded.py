"""A few seconds of fuzzing for each parser, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.fuzz.loop import MAX_GROWTH
from tests.fuzz.run import Told
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
SECONDS = 4


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_found(target: str) -> None:
    """No broken promise, no input that takes long, no growth; each run takes other dice."""
    done = _run("tests.fuzz.run", "--target", target, "--seconds", str(SECONDS))
    assert done.stdout, done.stderr
    told = msgspec.json.decode(done.stdout, type=Told)

    assert [] == told.findings, f"--seed {told.seed}"
    assert 0 == done.returncode, done.stderr
    assert told.inputs > 20
    assert told.places > 20
    assert MAX_GROWTH > told.grown


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("breaks", "AssertionError: three in a row"),
        ("hangs", "it takes longer than 0.2 s"),
        ("grows", "the process grew by "),
    ],
)
def test_the_loop_finds_what_there_is(wrong: str, told: str) -> None:
    """A loop that cannot find anything would be green for ever."""
    said = _run("tests.fuzz.broken", wrong).stdout

    assert told in said
    assert wrong == "grows" or said.endswith(": b'{{{'\n")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True,
    )  # fmt: skip
