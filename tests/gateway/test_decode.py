"""What is read of a request before it goes on, and what is relayed unread."""

import gzip

import pytest

from clearway.core.errors import BadRequest
from clearway.gateway.decode import decode

TWICE = b'{"model":"claude-a","model":"claude-b"}'
MOST = 1000


@pytest.mark.parametrize("coding", [None, b"identity", b"identity, identity", b"gzip"])
def test_twice_is_refused_for_everybody(coding: bytes | None) -> None:
    """No `content-encoding` lets a decision through that stands there twice."""
    body = gzip.compress(TWICE) if coding == b"gzip" else TWICE
    headers = [] if coding is None else [(b"content-encoding", coding)]

    with pytest.raises(BadRequest, match="twice"):
        decode(body, headers, max_body=MOST, strict=False)


@pytest.mark.parametrize(
    ("body", "coding"),
    [(b"no json", b""), (b"no json", b"gzip"), (gzip.compress(b"no json", mtime=0), b"gzip"), (b"{}", b"unheard-of")],
    ids=["plain", "not-gzip", "gzip", "unheard-of"],
)
def test_unreadable_goes_on_where_it_is_not_ours_to_judge(body: bytes, coding: bytes) -> None:
    """As it came for a client that pays for itself; a 400 for everybody else."""
    headers = [(b"content-encoding", coding)] if coding else []
    asked = decode(body, headers, max_body=MOST, strict=False)

    assert (body, False) == (asked.body, asked.readable)
    with pytest.raises(BadRequest):
        decode(body, headers, max_body=MOST, strict=True)
