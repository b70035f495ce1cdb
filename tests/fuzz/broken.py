"""Parsers that are wrong on purpose: `python -m tests.fuzz.broken hangs` says what the loop finds.

A loop that cannot find anything would be green for ever. Used by `test_bounded`.
"""

import sys

from tests.fuzz import loop

_KEPT: list[bytes] = []


def _breaks(data: bytes) -> None:
    assert b"{{{" not in data, "three in a row"


def _hangs(data: bytes) -> None:
    while b"{{{" in data:
        pass


def _grows(data: bytes) -> None:
    _KEPT.append(b"x" * (1 << 20) + data)


BROKEN = {"breaks": _breaks, "hangs": _hangs, "grows": _grows}

if __name__ == "__main__":
    loop.MAX_INPUT_S = 0.2
    target = BROKEN[sys.argv[1]]
    for finding in loop.fuzz(target, [b"{", b"}"], [b"{"], seconds=2, seed=1).findings:
        sys.stdout.write(f"{finding.what}: {loop.shrink(target, finding, seconds=1)!r}\n")
