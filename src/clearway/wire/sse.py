"""Server-sent events: bytes in, the events that matter out.

Owns the framing only; it does not know what `data` means. No I/O.
Rules: WHATWG HTML, "Server-sent events", section 9.2.6 (read 2026-11-21).
Used beside the relay, on a copy of what passes: it never changes a byte; and by gateway/answer_sink.

Growth: holds at most one unfinished event, up to `limit` bytes; work is linear
in the bytes fed, however they are cut.
"""

import re

import msgspec

_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
# A blank line can begin this many bytes before the end of what was searched.
_OVERLAP = 3


class Event(msgspec.Struct, frozen=True):
    """One event: its name (`message` where none was given) and its data."""

    name: bytes
    data: bytes


def decode_event(raw: bytes | bytearray) -> Event:
    """Decode one event, given without its blank line."""
    name, data = b"message", []
    for line in _LINE_END.split(bytes(raw)):
        field, colon, value = line.partition(b":")
        if colon and value[:1] == b" ":
            value = value[1:]
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return Event(name, b"\n".join(data))


class Scanner:
    """Cuts a stream into events and decodes those that hold one of `needles`.

    Args:
        needles: Byte strings; an event with none of them is passed over unread.
        limit: The longest event that is kept, in bytes. Past it the scanner gives
            up for good (`lost`): the stream goes on, only the watching ends.
    """

    __slots__ = ("_buffer", "_first", "_limit", "_needles", "_searched", "lost")

    def __init__(self, needles: tuple[bytes, ...], limit: int = 16 * 1024 * 1024) -> None:
        self._needles = needles
        self._limit = limit
        self._buffer = bytearray()
        self._searched = 0
        self._first = True
        self.lost = False

    @property
    def at_boundary(self) -> bool:
        """True between events: something else may be written here."""
        return not self._buffer and not self.lost

    def feed(self, chunk: bytes) -> list[Event]:
        """Accept the next bytes and return the events of interest they complete."""
        if self.lost:
            return []
        if not self._buffer and chunk[-2:] == b"\n\n" and not self._matters(chunk):
            # The usual case by far: whole events that nobody asks for.
            self._first = False
            return []
        buffer = self._buffer
        buffer += chunk
        if self._first and len(buffer) >= len(_BOM):
            self._first = False
            if buffer.startswith(_BOM):
                del buffer[: len(_BOM)]
        return self._cut(buffer)

    def _cut(self, buffer: bytearray) -> list[Event]:
        events: list[Event] = []
        start, search = 0, max(0, self._searched - _OVERLAP)
        while found := _BLANK_LINE.search(buffer, search):
            raw = buffer[start : found.start()]
            if raw and self._matters(raw):
                events.append(decode_event(raw))
            start = search = found.end()
        del buffer[:start]
        # What a carriage return at the end of the last piece left behind; never more, as
        # three of them hold a blank line. (`strip` alone would copy a long event each time.)
        if 0 < len(buffer) <= 2 and not buffer.strip(b"\r\n"):  # noqa: PLR2004  # one line end
            buffer.clear()
            self._first = False  # a byte order mark behind a line end is none
        self._searched = len(buffer)
        if len(buffer) > self._limit:
            self.lost = True
            buffer.clear()
        return events

    def close(self) -> list[Event]:
        """The stream is over: decode an event that lacks its blank line.

        The standard drops it; a meter would rather count it.
        """
        raw, self._buffer = self._buffer, bytearray()
        return [decode_event(raw)] if raw and self._matters(raw) else []

    def _matters(self, raw: bytes | bytearray) -> bool:
        # Runs for each event: `any` of a generator costs more, and `in` with bytes raises a TypeError inside.
        for needle in self._needles:  # noqa: SIM110  # as said
            if raw.find(needle) >= 0:
                return True
        return False


class DataScanner(Scanner):
    """Hands out the data of every event: for who reads them all.

    Args:
        limit: As of a `Scanner`.
    """

    __slots__ = ()

    def __init__(self, limit: int = 16 * 1024 * 1024) -> None:
        super().__init__((b"data",), limit)

    def feed_all(self, chunk: bytes) -> list[bytes]:
        """Accept the next bytes and return the data of the events they complete."""
        if not self._buffer and not self.lost and chunk[-2:] == b"\n\n" and chunk.find(b"\r") < 0:
            plain = _plain(chunk)
            if plain is not None:
                self._first = False
                return plain
        return [event.data for event in self.feed(chunk)]


def _plain(chunk: bytes) -> list[bytes] | None:
    """The data of whole events of the usual form, a name and one line; None where one is of another."""
    found: list[bytes] = []
    for frame in chunk[:-2].split(b"\n\n"):
        head, mark, data = frame.partition(b"data: ")
        is_named = not head or (head[:7] == b"event: " and head.find(b"\n") == len(head) - 1)
        if not mark or not is_named or data.find(b"\n") >= 0:
            return None
        found.append(data)
    return found
