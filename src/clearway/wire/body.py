"""A look into a request body: the few members that matter, and where `model` stands.

The bytes are what is forwarded, so the same bytes are read: nothing is decoded
that nobody reads, nothing is written anew. Members that decide something
(`model`, `stream`, `max_tokens`) may stand there once: of two, another reader
could take the other one.

Cost: one pass in C over the body, about 0.4 µs per KB. The long values (`messages`,
`system`, `tools`) are cut out before anything else is looked for; the slow way,
taken only where what is left holds escaped letters or a name twice, is a hundred
times slower, so that much of it is refused.
"""

import json
import re
from typing import Annotated

import msgspec

from clearway.core.errors import BadRequest

_NAMES = ("model", "stream", "max_tokens")
# An escape that could spell a letter or `_` of a name above.
_ESCAPED_LETTER = re.compile(rb"\\u00[5-7]")
_WHITE = re.compile(r"[ \t\n\r]*")
_COLON = re.compile(rb"[ \t\n\r]*:[ \t\n\r]*")
_LONG = 1024
_END = 8 * 1024
_MAX_PLACES = 64
# Bounds of the slow way, far beyond what a client sends beside its long values.
_MAX_SLOW = 1 << 20
_MAX_MEMBERS = 1000


class Peek(msgspec.Struct, frozen=True):
    """What a request asks for. None: the member is not there."""

    model: str | None = None
    stream: bool | None = None
    max_tokens: int | None = None


# Below and beyond it is no number of tokens, and nothing may be reserved by it.
_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]


class _Seen(msgspec.Struct):
    """A body with its long values left as they are: views, not copies."""

    model: str | None = None
    stream: bool | None = None
    max_tokens: _Count | None = None
    messages: msgspec.Raw = msgspec.Raw()
    system: msgspec.Raw = msgspec.Raw()
    tools: msgspec.Raw = msgspec.Raw()


class Unreadable(BadRequest):
    """The body is not JSON, or a member has the wrong type."""


_decoder = msgspec.json.Decoder(_Seen)
_Rest = list[tuple[int, bytes | bytearray]]
# Numbers stay text: nobody reads them, and `int` refuses long ones.
_scan = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode


def peek(body: bytes | bytearray) -> Peek:
    """Read the members of interest.

    Raises:
        Unreadable: Not a JSON object, or a member of the wrong type.
        BadRequest: A member that decides something stands there twice.
    """
    try:
        seen = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Unreadable(f"the body does not fit: {_reason(error)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"the body is not valid JSON: {_reason(error)}") from None
    rest = _rest(body, seen)
    if _may_repeat(rest):
        _refuse_repeats(rest)
    return Peek(seen.model, seen.stream, seen.max_tokens)


def refuse_repeats(body: bytes | bytearray) -> None:
    """Refuse a member that decides something and stands there twice, in a body that is read once for everything, so
    that it cannot mean two things. It is looked for in the first and last 8 KB, where such members stand, as looking
    through all of it costs as much as decoding it; further in, what was said last holds.

    Raises:
        Unreadable: It seems to, and a member has the wrong type.
        BadRequest: It does.
    """
    ends = [(0, body)] if len(body) <= 2 * _END else [(0, body[:_END]), (len(body) - _END, body[-_END:])]
    if _may_repeat(ends):
        peek(body)


def _reason(error: Exception) -> str:
    # msgspec names types, places and single bytes, never a value of the body.
    if isinstance(error, msgspec.DecodeError):
        text = str(error).removeprefix("JSON is malformed: ")
        return text[0].lower() + text[1:200]
    return "it is nested too deeply" if isinstance(error, RecursionError) else "it is not UTF-8"


def _rest(body: bytes | bytearray, seen: _Seen) -> _Rest:
    """What is left of a body without its long values, with the place of each piece.

    What is cut out is always one whole JSON value, so no member of the top level
    gets lost, wherever the name was found.
    """
    if len(body) <= _LONG:
        return [(0, body)]
    cuts = sorted(
        (start, start + len(value))
        for name, value in ((b'"messages"', seen.messages), (b'"system"', seen.system), (b'"tools"', seen.tools))
        if len(value) > _LONG and (start := _place(body, name, value)) is not None
    )
    pieces, at = [], 0
    for start, end in cuts:
        if start >= at:
            pieces.append((at, body[at:start]))
            at = end
    pieces.append((at, body[at:]))
    return pieces


def _place(body: bytes | bytearray, name: bytes, value: msgspec.Raw) -> int | None:
    """Where `"name": value` stands; None where the name's first places have other values."""
    at = body.find(name)
    for _ in range(_MAX_PLACES):
        if at < 0:
            break
        found = _COLON.match(body, at + len(name))
        if found and body.startswith(value, found.end()):
            return found.end()
        at = body.find(name, at + 1)
    return None


def _may_repeat(rest: _Rest) -> bool:
    model = stream = max_tokens = 0
    for _, piece in rest:
        model += piece.count(b'"model"')
        stream += piece.count(b'"stream"')
        max_tokens += piece.count(b'"max_tokens"')
        if piece.find(b"\\u00") >= 0 and _ESCAPED_LETTER.search(piece):
            return True
    return model > 1 or stream > 1 or max_tokens > 1


def _members(text: str) -> list[tuple[str, int, int]]:
    """Top-level members of a JSON object that is known to be valid: name, and
    where the value begins and ends, in characters.
    """
    members: list[tuple[str, int, int]] = []
    at = _skip(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = _scan(text, at)
        start = _skip(text, _skip(text, at) + 1)
        _, end = _scan(text, start)
        members.append((name, start, end))
        if len(members) > _MAX_MEMBERS:
            raise ValueError
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return members


def _skip(text: str, at: int) -> int:
    found = _WHITE.match(text, at)
    return found.end() if found else at


def _walk(rest: _Rest) -> list[tuple[str, int, int]]:
    """The members of what is left: name, and where the value stands in the body.

    Raises:
        Unreadable: There is too much of it.
    """
    if sum(len(piece) for _, piece in rest) > _MAX_SLOW:
        raise Unreadable("the body repeats or escapes names in too many bytes beside messages, system and tools")
    # A digit takes the place of each value that was cut out. Latin-1, so that places
    # count bytes, and because text that nobody reads need not be UTF-8.
    text = b"0".join(piece for _, piece in rest).decode("latin-1")
    try:
        members = _members(text)
    except (RecursionError, ValueError, IndexError):
        raise Unreadable("the body is nested too deeply or has too many members") from None
    return [(name, _in_body(rest, start), _in_body(rest, end)) for name, start, end in members]


def _in_body(rest: _Rest, at: int) -> int:
    """Where a place among the joined pieces is in the body."""
    for place, piece in rest:
        if at <= len(piece):
            return place + at
        at -= len(piece) + 1
    raise ValueError


def _refuse_repeats(rest: _Rest) -> None:
    seen: set[str] = set()
    for name, _, _ in _walk(rest):
        if name in _NAMES and name in seen:
            raise BadRequest(f"{name} stands in the body twice", hint="send it once")
        seen.add(name)


def replace_model(body: bytes | bytearray, model: str) -> bytes:
    """The same bytes with another value of the top-level `model`.

    Args:
        body: A body that `peek` has accepted and found a model in.
        model: The new name.
    """
    rest = _rest(body, _decoder.decode(body))
    if not _may_repeat(rest):
        place, piece = next((place, piece) for place, piece in rest if b'"model"' in piece)
        found = _COLON.match(body, place + piece.index(b'"model"') + len(b'"model"'))
        if found:
            start = found.end()
            end = body.index(b'"', start + 1) + 1
            if b"\\" not in body[start:end]:
                return bytes(body[:start]) + msgspec.json.encode(model) + bytes(body[end:])
    start, end = next((start, end) for name, start, end in _walk(rest) if name == "model")
    return bytes(body[:start]) + msgspec.json.encode(model) + bytes(body[end:])
