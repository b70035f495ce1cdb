"""Events of a Responses stream, numbered. Pure.

Text is put between prepared bytes: nothing is decoded to be encoded again.
Source: the specification's event grammar (2.3), measured with the `openai` SDK 3.x and
Codex CLI 0.169.0 (read 2026-11-21). Used by the modules beside it.
"""

import msgspec


class Frames:
    """Writes the events of one answer.

    Numbers run from 0 without a gap.
    """

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = 0

    def write(self, kind: bytes, members: bytes) -> bytes:
        """One event.

        Args:
            kind: Its type.
            members: The members of its JSON object between type and number.
        """
        return self.numbered(beginning(kind) + members)

    def numbered(self, said: bytes) -> bytes:
        """An event from all of it but the end."""
        number = self._next
        self._next = number + 1
        return said + b',"sequence_number":%d}\n\n' % number


def beginning(kind: bytes) -> bytes:
    """How an event of that kind begins; one that comes often is prepared with its first members."""
    return b'event: %b\ndata: {"type":"%b",' % (kind, kind)


class Text:
    """A JSON string that grows: kept as one run of bytes, for events at its end tell it whole."""

    __slots__ = ("_inside",)

    def __init__(self) -> None:
        self._inside = bytearray()

    def __bool__(self) -> bool:
        return bool(self._inside)

    def add(self, raw: msgspec.Raw) -> None:
        """Put another string behind it."""
        self._inside += memoryview(raw)[1:-1]

    def raw(self) -> msgspec.Raw:
        """All of it, as JSON: escapes and pairs that were cut apart fit again."""
        return msgspec.Raw(b'"%b"' % bytes(self._inside))

    def plain(self) -> str:
        """All of it, decoded."""
        return msgspec.json.decode(self.raw(), type=str)
