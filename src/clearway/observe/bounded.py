"""Values of labels, within bounds: what comes from clients must not cost memory.

Each series of a metric is memory here and in whoever collects it, for good. So a
label has a fixed number of values; whatever comes past it is told as `other`. Pure.
Used by observe/tally and observe/otel.

Growth: `most` values of `_LONGEST` characters each, and those that are listed.
"""

from collections.abc import Iterable

OTHER = "other"
"""Stands for every value that has no label of its own."""
NONE = ""
"""Stands for no value: to Prometheus an empty label is one that is not there."""
_LONGEST = 128


class Bounded:
    """The values of one label.

    Args:
        most: Different values that are told apart, besides those that are listed.
        listed: Values that the owner's configuration knows.
    """

    __slots__ = ("_known", "_most")

    def __init__(self, most: int, listed: Iterable[str] = ()) -> None:
        self._known = {value for value in listed if len(value) <= _LONGEST}
        self._most = len(self._known) + most

    def __len__(self) -> int:
        """How many have a label of their own."""
        return len(self._known)

    def learn(self, value: str | None) -> str:
        """The label of a value that is real: it gets one of its own while there is room."""
        if not value:
            return NONE
        if value in self._known:
            return value
        if len(self._known) >= self._most or len(value) > _LONGEST:
            return OTHER
        self._known.add(value)
        return value

    def find(self, value: str | None) -> str:
        """The label of a value that anybody may have invented: only one that is known has its own."""
        if not value:
            return NONE
        return value if value in self._known else OTHER
