"""A head as it is sent, with nothing in it that could end a line early.

Pure. Rules: RFC 9112, sections 2.2 and 5; RFC 9110, section 5.5.
Used by server/turn (answers) and upstreams/http/head (requests).
"""

from itertools import chain

from clearway.core.fields import Field, Fields, by_names

_CONTROLS = bytes(code for code in range(32) if code != ord("\t")) + b"\x7f"
_beginnings = by_names(lambda names: tuple([b"\r\n%b: " % name for name in names]))


def join_head(start: bytes, fields: Fields, *more: Field) -> bytes:
    """The head, with the empty line at its end.

    Args:
        start: The first line.
        fields: The fields that come from elsewhere.
        more: Ours, behind them.

    Raises:
        ValueError: A line holds control characters; the text repeats none of it.
    """
    pairs = zip(_beginnings(fields.names), fields.values, strict=True)
    head = b"".join((start, *chain.from_iterable(pairs), *[b"\r\n%b: %b" % field for field in more]))
    # One pass in C: nothing but our own line ends may be among the control characters.
    if len(head) - len(head.translate(None, _CONTROLS)) != 2 * (len(fields.names) + len(more)):
        raise ValueError("a line of the header section holds control characters")
    return head + b"\r\n\r\n"
