"""The content of a message as blocks of Messages. Pure.

Source: the content parts of the `openai` SDK 3.x, the blocks of the `anthropic` SDK 2.x,
which some clients put there as they are (read 2026-11-21).
Used by messages.py.
"""

from collections.abc import Callable

import msgspec

from clearway.wire.hub.caching import marker
from clearway.wire.hub.ids import clean_id
from clearway.wire.hub.media import document_block, image_block
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.parts import read_parts, read_refusal, read_text
from clearway.wire.hub.turns import Block
from clearway.wire.hub.typed import Json, typed


class _ImageUrl(msgspec.Struct):
    url: str


class _Image(msgspec.Struct):
    image_url: _ImageUrl | str


class _File(msgspec.Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class _FilePart(msgspec.Struct):
    file: _File


_Reader = Callable[[Json, str], Block | None]

_TEXTS = frozenset({"text", "refusal"})
_NATIVE = frozenset({"image", "document", "search_result"})
_CALLS = frozenset({"tool_use", "tool_result"})
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})
MAY_HOLD: dict[str, frozenset[str]] = {
    "system": frozenset({"text"}),
    "user": _TEXTS | _NATIVE | {"image_url", "file", "tool_result"},
    "assistant": _TEXTS | {"tool_use"} | _THOUGHTS,
    "tool": _TEXTS | _NATIVE | {"image_url", "file"},
}
"""Types of parts by role: Chat's own, and blocks of Messages."""


def blocks_of(content: str | list[Json] | Json | None, role: str, where: str, notes: Notes) -> list[Block]:
    """The blocks that a message's content makes; those without a word in them are left out.

    Args:
        content: As the client sent it.
        role: A key of `MAY_HOLD`.
        where: How the client would name the message.
        notes: Where changes are told.

    Raises:
        Refusal: A part that is not read.
    """
    parts = [content] if isinstance(content, dict) else content
    return read_parts(parts, f"{where}.content", lambda part, at: _block(part, role, at, notes), notes)


def _block(part: Json, role: str, where: str, notes: Notes) -> Block | None:
    kind = part.get("type")
    if not isinstance(kind, str):
        raise Refusal(f"{where}.type", "expected the type of a content part")
    if kind not in MAY_HOLD[role]:
        raise Refusal(where, f"content of the type {kind[:40]!r} is not read in messages of the role {role}")
    if kind in _CALLS or kind in _THOUGHTS or kind in _NATIVE:
        block: Block | None = _native(part, kind, where)
    else:
        block = _READERS[kind](part, where)
    if block is not None and kind not in _THOUGHTS:
        control = marker(part, where, notes)
        if control is not None:
            block["cache_control"] = control
    return block


def _native(part: Json, kind: str, where: str) -> Block:
    """A block of Messages, as it is but for its ids."""
    block = dict(part)
    if kind == "tool_use":
        if not isinstance(block.get("id"), str) or not isinstance(block.get("name"), str):
            raise Refusal(where, "a tool_use needs its id and name")
        block["id"] = clean_id(str(block["id"]))
    elif kind == "tool_result":
        if not isinstance(block.get("tool_use_id"), str):
            raise Refusal(where, "a tool_result needs its tool_use_id", "missing_required_parameter")
        block["tool_use_id"] = clean_id(str(block["tool_use_id"]))
    return block


def _image(part: Json, where: str) -> Block:
    image = typed(part, _Image, where).image_url
    return image_block(image if isinstance(image, str) else image.url, f"{where}.image_url")


def _file(part: Json, where: str) -> Block:
    file = typed(part, _FilePart, where).file
    if file.file_data is None:
        param = f"{where}.file" if file.file_id is None else f"{where}.file.file_id"
        hint = "send the content of the file as file_data"
        raise Refusal(param, "files are read from file_data only", "unsupported_value", hint=hint)
    return document_block(file.file_data, f"{where}.file.file_data", title=file.filename)


_READERS: dict[str, _Reader] = {"text": read_text, "refusal": read_refusal, "image_url": _image, "file": _file}
