"""What is read of a request before it goes on, and what is relayed unread."""

import gzip
import json

import pytest

from clearway.core.errors import BadRequest
from clearway.gateway.decode import decode, decode_whole
from clearway.wire.hub.notes import Refusal

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


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_another_format_is_read_whole(coding: str) -> None:
    """All its members, from one decoding; what decides is taken from them."""
    given = {"model": "claude-a", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    plain = json.dumps(given).encode()
    body = gzip.compress(plain) if coding else plain
    asked = decode_whole(body, [(b"content-encoding", b"gzip")] if coding else [], max_body=MOST)

    assert (body, plain, given) == (asked.body, asked.plain, asked.members)
    assert ("claude-a", True, None) == (asked.peek.model, asked.peek.stream, asked.peek.max_tokens)


LONG = {"role": "user", "content": "long " * 10_000}


@pytest.mark.parametrize("messages", [[], [LONG]], ids=["short", "long"])
@pytest.mark.parametrize(
    "twice",
    ['"model": "b"', '"m\\u006fdel": "b"', '"stream": false, "stream": true'],
    ids=["model", "escaped", "stream"],
)
def test_twice_is_refused_in_another_format(messages: list[object], twice: str) -> None:
    """Before a long conversation or behind it."""
    told = json.dumps(messages)
    for body in (f'{{"model": "a", {twice}, "messages": {told}}}', f'{{"model": "a", "messages": {told}, {twice}}}'):
        with pytest.raises(BadRequest, match="twice"):
            decode_whole(body.encode(), [], max_body=MOST)


def test_a_name_that_stands_deeper_is_none_of_ours() -> None:
    """A tool may have a parameter that is called like a member."""
    tool = {
        "properties": {"model": {"type": "string"}, "stream": {}, "max_tokens": {}},
        "required": ["model", "stream"],
    }
    body = json.dumps({"model": "a", "stream": True, "tools": [tool], "messages": [LONG]}).encode()

    assert [tool] == decode_whole(body, [], max_body=MOST).members["tools"]


@pytest.mark.parametrize(
    ("body", "param", "why"),
    [
        (b"{}", "model", "missing_required_parameter"),
        (b'{"model": null}', "model", "missing_required_parameter"),
        (b'{"model": 5}', "model", "invalid_value"),
        (b"[]", "", "invalid_json"),
        (b'{"model": "a"', "", "invalid_json"),
    ],
)
def test_what_another_format_needs(body: bytes, param: str, why: str) -> None:
    """It is told by name."""
    with pytest.raises(Refusal) as refused:
        decode_whole(body, [], max_body=MOST)

    assert (param, why) == (refused.value.param, refused.value.why)
