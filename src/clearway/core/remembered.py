"""What was found out about something that comes again and again, remembered within bounds.

What comes comes from outside: neither the number of different things nor their length
may cost memory. Used for the names of header fields, see core/fields.

Growth: `most` keys of `longest` bytes each; when it is full, it begins anew.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class Remembered(Generic[K, T]):
    """Verdicts by key; each key is judged once.

    Args:
        judge: Pure; asked again for what is not remembered.
        size: Of a key, in bytes.
        longest: Of a key that is remembered.
        most: Of the keys together.
    """

    __slots__ = ("_judge", "_longest", "_most", "_size", "known")

    def __init__(self, judge: Callable[[K], T], size: Callable[[K], int], *, longest: int, most: int) -> None:
        self._judge = judge
        self._size = size
        self._longest = longest
        self._most = most
        # Not a dict with `__missing__`: to be asked for an item, that takes three times as long.
        self.known: dict[K, T] = {}
        """Only to be read."""

    def __call__(self, key: K) -> T:
        """The verdict."""
        verdict = self.known.get(key)
        return self._learn(key) if verdict is None else verdict

    def _learn(self, key: K) -> T:
        verdict = self._judge(key)
        if self._size(key) <= self._longest:
            if len(self.known) >= self._most:
                self.known.clear()
            self.known[key] = verdict
        return verdict
