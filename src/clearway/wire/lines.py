"""A head as it is sent, with nothing in it that could end a line early.

Pure. Rules: RFC 9112, sections 2.2 and 5; RFC 9110, section 5.5.
Used by server/turn (answers) and upstreams/http/head (requests).
"""

from collections.abc import Sequence
from itertools import chain

from clearway.core.remembered import by_names, names_of, value_of

_CONTROLS = bytes(code for code in range(32) if code != ord("\t")) + b"\x7f"
_beginnings = by_names(lambda names: tuple([b"\r\n%b: " % name for name in names]))


def join_head(start: bytes, fields: Sequence[tuple[bytes, bytes]], more: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """The head, with the empty line at its end.

    Args:
        start: The first line.
        fields: Mostly with the same names.
        more: Behind them.

    Raises:
        ValueError: A line holds control characters; the text repeats none of it.
    """
    pairs = zip(_beginnings[names_of(fields)], map(value_of, fields), strict=True)
    head = b"".join((start, *chain.from_iterable(pairs), *[b"\r\n%b: %b" % field for field in more]))
    # One pass in C: nothing but our own line ends may be among the control characters.
    if len(head) - len(head.translate(None, _CONTROLS)) != 2 * (len(fields) + len(more)):
        raise ValueError("a line of the header section holds control characters")
    return head + b"\r\n\r\n"
