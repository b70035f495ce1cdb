"""A look into a request body: the few members that matter, and where `model` stands.

The bytes are what is forwarded, so the same bytes are read: nothing is decoded
that nobody reads, nothing is written anew. Members that decide something
(`model`, `stream`, `max_tokens`) may stand there once: of two, another reader
could take the other one.

Cost: one pass in C over the body, about 0.6 µs per KB; the slow way, taken only
where the text holds escaped letters or the same quoted word twice, is another.
"""

import json
import re

import msgspec

from clearway.core.errors import BadRequest

_ONCE = (b'"model"', b'"stream"', b'"max_tokens"')
_NAMES = frozenset({"model", "stream", "max_tokens"})
# An escape that could spell a letter or `_` of a name above.
_ESCAPED_LETTER = re.compile(rb"\\u00[5-7]")
_WHITE = re.compile(r"[ \t\n\r]*")
_AFTER_NAME = re.compile(rb"[ \t\n\r]*:[ \t\n\r]*")


class Peek(msgspec.Struct, frozen=True):
    """What a request asks for. None: the member is not there."""

    model: str | None = None
    stream: bool | None = None
    max_tokens: int | None = None


class Unreadable(BadRequest):
    """The body is not JSON, or a member has the wrong type."""


_decoder = msgspec.json.Decoder(Peek)


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
    if _may_repeat(body):
        _refuse_repeats(body)
    return seen


def _reason(error: Exception) -> str:
    # msgspec names types, places and single bytes, never a value of the body.
    if isinstance(error, msgspec.DecodeError):
        text = str(error)
        return text[0].lower() + text[1:200]
    return "it is nested too deeply" if isinstance(error, RecursionError) else "it is not UTF-8"


def _may_repeat(body: bytes | bytearray) -> bool:
    return any(body.count(name) > 1 for name in _ONCE) or _ESCAPED_LETTER.search(body) is not None


def _members(text: str) -> list[tuple[str, int, int]]:
    """Top-level members of a JSON object that is known to be valid: name, and
    where the value begins and ends, in characters.
    """
    scan = json.JSONDecoder().raw_decode
    members: list[tuple[str, int, int]] = []
    at = _skip(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = scan(text, at)
        start = _skip(text, _skip(text, at) + 1)
        _, end = scan(text, start)
        members.append((name, start, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return members


def _skip(text: str, at: int) -> int:
    found = _WHITE.match(text, at)
    return found.end() if found else at


def _walk(body: bytes | bytearray) -> tuple[str, list[tuple[str, int, int]]]:
    text = body.decode()
    try:
        return text, _members(text)
    except (RecursionError, ValueError, IndexError):
        raise Unreadable("the body is nested too deeply or holds numbers that are too long") from None


def _refuse_repeats(body: bytes | bytearray) -> None:
    seen: set[str] = set()
    for name, _, _ in _walk(body)[1]:
        if name in _NAMES and name in seen:
            raise BadRequest(f"{name} stands in the body twice", hint="send it once")
        seen.add(name)


def replace_model(body: bytes | bytearray, model: str) -> bytes:
    """The same bytes with another value of the top-level `model`.

    Args:
        body: A body that `peek` has accepted and found a model in.
        model: The new name.
    """
    if not _may_repeat(body):
        found = _AFTER_NAME.match(body, body.index(_ONCE[0]) + len(_ONCE[0]))
        if found:
            start = found.end()
            end = body.index(b'"', start + 1) + 1
            if b"\\" not in body[start:end]:
                return bytes(body[:start]) + msgspec.json.encode(model) + bytes(body[end:])
    text, members = _walk(body)
    start, end = next((start, end) for name, start, end in members if name == "model")
    return text[:start].encode() + msgspec.json.encode(model) + text[end:].encode()
