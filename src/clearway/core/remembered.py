"""What was found out about a name, remembered within bounds.

The same few names come with every request, but they come from outside: neither
their number nor their length may cost memory. Used for field names by
gateway/headers and upstreams/http/head.

Growth: `_MOST` names of `_LONGEST` bytes in each.
"""

from collections.abc import Callable
from typing import TypeVar

_MOST, _LONGEST = 1000, 64

T = TypeVar("T")


class Remembered(dict[bytes, T]):
    """Verdicts by name: `remembered[name]` judges each name once.

    Args:
        judge: Pure; asked again for what is not remembered.
    """

    def __init__(self, judge: Callable[[bytes], T]) -> None:
        super().__init__()
        self._judge = judge

    def __missing__(self, name: bytes) -> T:
        verdict = self._judge(name)
        if len(self) < _MOST and len(name) <= _LONGEST:
            self[name] = verdict
        return verdict
