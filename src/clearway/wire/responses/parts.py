"""The content of a message or of a call's output as blocks of Messages. Pure.

Source: `ResponseInputContentParam`, `ResponseOutputMessageParam` of the `openai` SDK 3.x
(read 2026-11-21).
Used by reader.py.
"""

from collections.abc import Callable

import msgspec

from clearway.wire.hub.caching import marker
from clearway.wire.hub.media import document_block, image_block
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.parts import read_parts, read_refusal, read_text
from clearway.wire.hub.turns import Block
from clearway.wire.hub.typed import Json, typed


class _Url(msgspec.Struct):
    url: str


class _Image(msgspec.Struct):
    image_url: str | _Url | None = None
    file_id: str | None = None


class _File(msgspec.Struct):
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None


_Reader = Callable[[Json, str], Block | None]

_TEXTS = frozenset({"input_text", "output_text", "text", "refusal"})
_MEDIA = frozenset({"input_image", "input_file"})
_MAY_HOLD: dict[str, frozenset[str]] = {
    "system": _TEXTS - {"refusal"},
    "user": _TEXTS | _MEDIA,
    "assistant": _TEXTS,
    "tool": _TEXTS | _MEDIA,
}
"""Types of parts by role."""


def blocks_of(content: str | list[Json] | None, role: str, where: str, notes: Notes) -> list[Block]:
    """The blocks that some content makes; those without a word in them are left out.

    Args:
        content: As the client sent it.
        role: `system`, `user`, `assistant` or `tool`.
        where: How the client would name it.
        notes: Where changes are told.

    Raises:
        Refusal: A part that is not read.
    """
    return read_parts(content, where, lambda part, at: _block(part, role, at, notes), notes)


def _block(part: Json, role: str, where: str, notes: Notes) -> Block | None:
    kind = part.get("type")
    if not isinstance(kind, str):
        raise Refusal(f"{where}.type", "expected the type of a content part")
    if kind not in _MAY_HOLD[role]:
        whose = "outputs of calls" if role == "tool" else f"messages of the role {role}"
        raise Refusal(where, f"content of the type {kind[:40]!r} is not read in {whose}", "unsupported_value")
    block = _READERS[kind](part, where)
    if block is not None and (control := marker(part, where, notes)) is not None:
        block["cache_control"] = control
    return block


def _image(part: Json, where: str) -> Block:
    image = typed(part, _Image, where)
    if image.image_url is None:
        raise _unread(where, image.file_id, "image_url")
    url = image.image_url if isinstance(image.image_url, str) else image.image_url.url
    return image_block(url, f"{where}.image_url")


def _file(part: Json, where: str) -> Block:
    file = typed(part, _File, where)
    if file.file_data is not None:
        return document_block(file.file_data, f"{where}.file_data", title=file.filename)
    if file.file_url is None:
        raise _unread(where, file.file_id, "file_data or file_url")
    return document_block(file.file_url, f"{where}.file_url", title=file.filename)


def _unread(where: str, file_id: str | None, name: str) -> Refusal:
    if file_id is None:
        return Refusal(where, f"expected {name}", "missing_required_parameter")
    message = "files are not kept here, so that no id of one is known"
    return Refusal(f"{where}.file_id", message, "unsupported_value", hint=f"send the content as {name}")


_READERS: dict[str, _Reader] = {
    "input_text": read_text,
    "output_text": read_text,
    "text": read_text,
    "refusal": read_refusal,
    "input_image": _image,
    "input_file": _file,
}
