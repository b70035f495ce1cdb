"""One input in several pieces: as a whole, byte by byte, and cut at random places.

The places depend on the input alone, so that a finding is a plain file.
"""

import itertools
import random
import zlib
from collections.abc import Iterator

_SHORT, _LONG = 200, 1000


def ways(data: bytes) -> Iterator[list[bytes]]:
    """The same bytes, differently cut; the uncut ones come first."""
    yield [data] if data else []
    if len(data) < 2:
        return
    number = zlib.crc32(data)
    dice = random.Random(number)  # noqa: S311  # repeatable on purpose
    # Byte by byte is slow: of the longer inputs, one in four.
    if len(data) <= _SHORT or (len(data) <= _LONG and number % 4 == 0):
        yield [data[at : at + 1] for at in range(len(data))]
    for count in (1, 6):
        yield cut(data, sorted(dice.randrange(1, len(data)) for _ in range(count)))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut at `places`, which are in order; no piece is empty."""
    return [data[a:b] for a, b in itertools.pairwise([0, *places, len(data)]) if a != b]
