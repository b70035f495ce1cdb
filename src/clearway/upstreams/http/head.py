"""The head of a request, written: names and values as given, in their order.

Pure. Adds `host` first and `content-length` last, and nothing else: no user agent,
no `accept-encoding`. What could end a line early or frame the body a second time
is refused before a byte is sent.
Rules: RFC 9112, sections 3 and 6; RFC 9110, sections 5.1, 5.5 and 8.6.
Used by `client`.
"""

import re

from clearway.core.fields import Fields, by_names
from clearway.upstreams.protocol import Request
from clearway.wire.lines import join_head

# Methods that have no meaning for a body: without one, no content-length is sent.
# Source: RFC 9110, section 8.6.
_BODILESS = frozenset({b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"TRACE"})

# The connection is ours: these describe it, not the request.
_OURS = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade"})

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROLS_AND_BLANKS = bytes(range(33)) + b"\x7f"


def write_head(request: Request, *, host: bytes, prefix: bytes) -> bytes:
    """Everything before the body.

    Args:
        request: What is asked.
        host: The value of `host`.
        prefix: Goes before the target.

    Raises:
        ValueError: The method, target or a header cannot be sent; the text names
            it and never repeats a value.
    """
    method, target = request.method, request.target
    if not _TOKEN.fullmatch(method) or method == b"CONNECT":
        raise ValueError("the method of the request cannot be sent")
    if not target.startswith(b"/") or len(target.translate(None, _CONTROLS_AND_BLANKS)) != len(target):
        raise ValueError("the target of the request must begin with '/' and hold no blanks or control characters")
    fields = Fields.of(request.headers)
    wrong = _unsendable(fields.names)
    if wrong:
        raise ValueError(f"the header {wrong[0][:64]!r} cannot be sent")
    start = b"%b %b%b HTTP/1.1" % (method, prefix, target)
    fields = Fields((b"host", *fields.names), (host, *fields.values))
    size = body_size(request.body)
    if size or method not in _BODILESS:
        return join_head(start, fields, (b"content-length", b"%d" % size))
    return join_head(start, fields)


def body_size(body: bytes | bytearray | memoryview) -> int:
    """Its length in bytes (`len` of a memoryview counts items)."""
    return body.nbytes if isinstance(body, memoryview) else len(body)


def _may_send(name: bytes) -> bool:
    return _TOKEN.fullmatch(name) is not None and name.lower() not in _OURS


_unsendable = by_names(lambda names: [name for name in names if not _may_send(name)])
"""Those of a head that cannot be sent."""
