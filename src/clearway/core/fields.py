"""The header fields of a head: names beside values.

The same clients send the same names in the same order with every request, and so does
an upstream with its answers. So most of what is to be known of a head (which fields
go on, which are looked at, how they begin when they are written) is worked out once
for each tuple of names, and then only values are picked. Pure.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from typing import TypeVar

import msgspec

from clearway.core.remembered import Remembered

Field = tuple[bytes, bytes]
Names = tuple[bytes, ...]

T = TypeVar("T")


class Fields(msgspec.Struct, frozen=True, gc=False):
    """Fields in the order of the wire, names in lower case."""

    names: Names
    values: tuple[bytes, ...]
    """As many."""

    @classmethod
    def of(cls, fields: "Iterable[Field] | Fields") -> "Fields":
        """The same fields."""
        if type(fields) is cls:
            return fields
        pairs = tuple(fields)
        return cls(tuple([name for name, _ in pairs]), tuple([value for _, value in pairs]))

    @classmethod
    def parsed(cls, came: list[bytes]) -> "Fields":
        """As a parser hands them out: names in any case and values, in turn."""
        return cls(lower_case(tuple(came[::2])), tuple(came[1::2]))

    def __len__(self) -> int:
        """How many there are."""
        return len(self.names)

    def __iter__(self) -> Iterator[Field]:
        """One after the other."""
        return zip(self.names, self.values, strict=True)

    def __repr__(self) -> str:
        # A value can be a secret.
        return f"Fields({', '.join(name.decode('latin-1') for name in self.names)})"

    def joined(self, others: "Fields") -> "Fields":
        """These, and then the others."""
        return Fields(self.names + others.names, self.values + others.values)

    def first(self, name: bytes) -> bytes | None:
        """The first value of a field."""
        names = self.names
        return self.values[names.index(name)] if name in names else None


Headers = Sequence[Field] | Fields
"""Header fields in the order of the wire; names in lower case."""


class Choice:
    """Some of the fields of every head with the same names.

    Args:
        names: Of a head.
        chosen: Which of them, one for each.
        more: Names of fields that are put behind them.
    """

    __slots__ = ("_chosen", "_names")

    def __init__(self, names: Names, chosen: Sequence[bool], *more: bytes) -> None:
        self._chosen = tuple(chosen)
        self._names = (*compress(names, self._chosen), *more)

    def of(self, fields: Fields, *more: bytes) -> Fields:
        """Those fields, and the values of the ones behind them."""
        return Fields(self._names, (*compress(fields.values, self._chosen), *more))


def by_names(judge: Callable[[Names], T]) -> Remembered[Names, T]:
    """What is to be known of heads with the same names."""
    return Remembered(judge, _size_of_all, longest=4096, most=256)


def _size_of_all(names: Names) -> int:
    return sum(map(len, names))


lower_case = by_names(lambda names: tuple([name.lower() for name in names]))
"""The same names in lower case. Always the same objects, so that to find them again is to compare addresses."""
