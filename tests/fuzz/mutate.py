"""Inputs from inputs: small and large changes at random places.

Pure, given its dice. Used by `loop`.
"""

import random
from collections.abc import Callable, Sequence

MAX_SIZE = 1 << 16
_ODD = [0, 9, 10, 11, 12, 13, 32, 34, 43, 44, 45, 47, 48, 57, 58, 59, 92, 123, 125, 127, 128, 255]
_NUMBERS = [b"0", b"-1", b"+1", b"00", b"1_0", b"4294967296", b"9223372036854775808", b"18446744073709551621", b"1e9"]

Step = Callable[[bytes, "Mutator"], bytes]


class Mutator:
    """Changes inputs.

    Args:
        dice: Where chance comes from.
        words: Byte strings that mean something to the parser.
    """

    def __init__(self, dice: random.Random, words: Sequence[bytes]) -> None:
        self.dice = dice
        self.words = [*words, *_NUMBERS]

    def change(self, data: bytes, other: bytes) -> bytes:
        """One to four changes of `data`, some of which take from `other`."""
        for _ in range(self.dice.choice((1, 1, 1, 2, 4))):
            step = self.dice.randrange(10)
            data = _splice(data, other, self.dice) if step == 9 else _STEPS[step](data, self)
        return data[:MAX_SIZE]

    def span(self, data: bytes, most: int = 64) -> tuple[int, int]:
        """A place in `data` and a later one near by."""
        start = self.dice.randrange(len(data) + 1)
        return start, min(len(data), start + self.dice.randrange(1, most))

    def word(self) -> bytes:
        """A word, or a byte."""
        if self.dice.random() < 0.7:
            return self.dice.choice(self.words)
        return bytes([self.dice.choice(_ODD)])


def _flip(data: bytes, by: Mutator) -> bytes:
    if not data:
        return by.word()
    at = by.dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << by.dice.randrange(8))]) + data[at + 1 :]


def _set(data: bytes, by: Mutator) -> bytes:
    if not data:
        return by.word()
    at = by.dice.randrange(len(data))
    return data[:at] + bytes([by.dice.choice(_ODD)]) + data[at + 1 :]


def _insert(data: bytes, by: Mutator) -> bytes:
    at = by.dice.randrange(len(data) + 1)
    return data[:at] + by.word() + data[at:]


def _overwrite(data: bytes, by: Mutator) -> bytes:
    start, end = by.span(data, 12)
    return data[:start] + by.word() + data[end:]


def _delete(data: bytes, by: Mutator) -> bytes:
    start, end = by.span(data)
    return data[:start] + data[end:]


def _repeat(data: bytes, by: Mutator) -> bytes:
    start, end = by.span(data)
    times = by.dice.choice((2, 2, 3, 10, 200))
    return data[:start] + data[start:end] * times + data[end:]


def _move(data: bytes, by: Mutator) -> bytes:
    start, end = by.span(data)
    rest = data[:start] + data[end:]
    at = by.dice.randrange(len(rest) + 1)
    return rest[:at] + data[start:end] + rest[at:]


def _cut(data: bytes, by: Mutator) -> bytes:
    return data[: by.dice.randrange(len(data) + 1)]


def _number(data: bytes, by: Mutator) -> bytes:
    places = [at for at, byte in enumerate(data) if 48 <= byte <= 57]
    if not places:
        return _insert(data, by)
    at = by.dice.choice(places)
    return data[:at] + by.dice.choice(_NUMBERS) + data[at + 1 :]


def _splice(data: bytes, other: bytes, dice: random.Random) -> bytes:
    return data[: dice.randrange(len(data) + 1)] + other[dice.randrange(len(other) + 1) :]


_STEPS: tuple[Step, ...] = (_flip, _set, _insert, _overwrite, _delete, _repeat, _move, _cut, _number)
