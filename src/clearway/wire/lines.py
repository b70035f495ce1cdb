"""The lines of an HTTP head, joined, with nothing in them that could end one early.

Pure. Rules: RFC 9112, sections 2.2 and 5; RFC 9110, section 5.5.
Used by server/turn (answers) and upstreams/http/head (requests).
"""

_CONTROLS = bytes(code for code in range(32) if code != ord("\t")) + b"\x7f"


def join_lines(lines: list[bytes]) -> bytes:
    """The head as it is sent, with the empty line at its end.

    Raises:
        ValueError: A line holds control characters; the text repeats none of it.
    """
    head = b"\r\n".join(lines)
    # One pass in C: nothing but our own line ends may be among the control characters.
    if len(head) - len(head.translate(None, _CONTROLS)) != 2 * (len(lines) - 1):
        raise ValueError("a line of the header section holds control characters")
    return head + b"\r\n\r\n"
