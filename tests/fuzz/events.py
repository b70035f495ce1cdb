"""Server-sent events read by the letter, slowly: what a careful client would see.

Written from WHATWG HTML, section 9.2.6 "Interpreting an event stream", with the two
liberties of a meter: an event without data counts, and so does one that lacks its
blank line at the end. Nothing of it is shared with the code that is tested against it.
"""

from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Seen:
    """One event: the bytes it was made of, its name and its data."""

    raw: bytes
    name: bytes
    data: bytes


def read_events(stream: bytes) -> list[Seen]:
    """All events of a stream that is over."""
    events: list[Seen] = []
    block: list[bytes] = []
    raw = b""
    for text, end in _lines(stream.removeprefix(_BOM)):
        if text:
            block.append(text)
            raw += text + end
        elif block:
            events.append(_event(raw, block))
            block, raw = [], b""
    if block:
        events.append(_event(raw, block))
    return events


def _lines(stream: bytes) -> list[tuple[bytes, bytes]]:
    """Text and end of each line; the last one may have none."""
    lines, at = [], 0
    text = b""
    while at < len(stream):
        two, one = stream[at : at + 2], stream[at : at + 1]
        end = two if two == b"\r\n" else one if one in (b"\r", b"\n") else b""
        if end:
            lines.append((text, end))
            text = b""
        else:
            text += one
        at += len(end) or 1
    if text:
        lines.append((text, b""))
    return lines


def _event(raw: bytes, block: list[bytes]) -> Seen:
    name, data = b"message", []
    for line in block:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return Seen(raw, name, b"\n".join(data))
