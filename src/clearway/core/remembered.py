"""What was found out about the names of header fields, remembered within bounds.

The same few names come with every request, mostly the same ones together, so that
most of what is to be known of a head is known before it comes. But they come from
outside: neither their number nor their length may cost memory. Used for heads by
server/guard, gateway/headers, upstreams and wire/lines.

Growth: `most` keys of `longest` bytes each; when it is full, it begins anew.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TypeVar

Names = tuple[bytes, ...]
"""Of the fields of one head, in order."""

K = TypeVar("K")
T = TypeVar("T")

name_of = itemgetter(0)
value_of = itemgetter(1)


def names_of(fields: Sequence[tuple[bytes, bytes]]) -> Names:
    """The names in a head."""
    return tuple(map(name_of, fields))


class Remembered(dict[K, T]):
    """Verdicts by key: `remembered[key]` judges each once.

    Args:
        judge: Pure; asked again for what is not remembered.
        size: Of a key, in bytes.
        longest: Of a key that is remembered.
        most: Of the keys together.
    """

    def __init__(self, judge: Callable[[K], T], size: Callable[[K], int], *, longest: int, most: int) -> None:
        super().__init__()
        self._judge = judge
        self._size = size
        self._longest = longest
        self._most = most

    def __missing__(self, key: K) -> T:
        verdict = self._judge(key)
        if self._size(key) <= self._longest:
            if len(self) >= self._most:
                self.clear()
            self[key] = verdict
        return verdict


def by_names(judge: Callable[[Names], T]) -> Remembered[Names, T]:
    """Verdicts on the names of whole heads."""
    return Remembered(judge, _size_of_all, longest=4096, most=256)


def _size_of_all(names: Names) -> int:
    return sum(map(len, names))


lower_case: Remembered[bytes, bytes] = Remembered(bytes.lower, len, longest=64, most=1024)
"""A name in lower case. Always the same object, so that to find it again is to compare addresses."""
