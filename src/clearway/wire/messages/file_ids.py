"""The files that a request's body names, wherever it does.

A member `file_id` is looked for among the bytes: within a string its quotes are
escaped, so what is found is a member, twice the same name and escapes included.
Only where a body names something that the caller does not own is it read as JSON, to
leave out what upstreams hand to the model as text: arguments of tools, and schemas.
Cost: one look for a few bytes, two where there are back slashes: a third of a
microsecond for each KB, or two thirds. Pure.
Source: `FileImageSource`, `FileDocumentSource`, `ContainerUploadBlockParam` and the
results of code execution in the `anthropic` SDK 2.11 (read 2026-11-27).
Used by gateway/objects.
"""

import json
import re

_MEMBER = b'"file_id"'
_ESCAPE = b"\\u00"
# Any of its characters may be an escape. A quote inside a string has a back slash before it, and after the
# one that ends a string comes no letter: what begins here is a name or a value, and the colon tells which.
_NAMED = re.compile(
    rb'(?<!\\)"(?:f|\\u0066)(?:i|\\u0069)(?:l|\\u006[cC])(?:e|\\u0065)(?:_|\\u005[fF])(?:i|\\u0069)(?:d|\\u0064)"'
    rb'[ \t\r\n]*:[ \t\r\n]*("(?:[^"\\]|\\.)*")?'
)
_TEXT_ONLY = frozenset({"input", "input_schema", "input_examples"})
"""Members whose values only the model reads, of the blocks and tools that have them."""
_MOST_READ = 1 << 20
_DEEPEST = 200


def may_name_files(body: bytes | bytearray) -> bool:
    """False: certainly no file is named in it. The quick look that every body gets."""
    if body.find(_MEMBER) >= 0:
        return True
    # One character is looked for ten times as fast; where there is none, there is no escape.
    first = body.find(b"\\")
    return first >= 0 and body.find(_ESCAPE, first) >= 0 and _NAMED.search(body) is not None


def named_ids(body: bytes | bytearray) -> frozenset[str]:
    """Every string that stands as a `file_id`, wherever.

    Args:
        body: Valid JSON, but for text that need not be UTF-8.

    Raises:
        ValueError: One of these strings is not UTF-8.
    """
    return frozenset(json.loads(found[1]) for found in _NAMED.finditer(body) if found[1])


def used_ids(body: bytes | bytearray) -> frozenset[str]:
    """The strings that stand as a `file_id` where an upstream looks for files:
    everywhere but in the arguments of tools and in their schemas.

    Raises:
        ValueError: It is not JSON, nested too deeply, or over 1 MiB, which would cost
            too much; such bodies are judged by `named_ids` alone.
    """
    if len(body) > _MOST_READ:
        raise ValueError("too long")
    found: set[str] = set()
    try:
        # Pairs, so that of two members of one name neither is missed. Numbers are nobody's business.
        whole = json.loads(body, object_pairs_hook=_Object, parse_int=str, parse_float=str)
        _collect(whole, found, 0)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return frozenset(found)


class _Object(list[tuple[str, object]]):
    """A JSON object as its members."""


def _collect(value: object, found: set[str], depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, _Object):
        for name, member in value:
            if name == "file_id" and isinstance(member, str):
                found.add(member)
            elif name not in _TEXT_ONLY:
                _collect(member, found, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _collect(item, found, depth + 1)
