"""Some content, of a message or a call's output, as blocks. Pure.

Which parts there are is each format's own. Used by the translators of every spoke.
"""

from collections.abc import Callable

import msgspec

from clearway.wire.hub.notes import Notes
from clearway.wire.hub.turns import Block, text_block
from clearway.wire.hub.typed import Json, typed


class _Text(msgspec.Struct):
    text: str


class _Refusal(msgspec.Struct):
    refusal: str


def read_parts(
    content: str | list[Json] | None, where: str, read: Callable[[Json, str], Block | None], notes: Notes
) -> list[Block]:
    """The blocks that some content makes; those without a word in them are left out.

    Args:
        content: As the client sent it.
        where: How the client would name it.
        read: Makes a block of a part that stands at a place; None: of nothing.
        notes: Knows whether blocks are marked.

    Raises:
        Refusal: A part that is not read.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return [text_block(content)] if content.strip() else []
    made = []
    for place, part in enumerate(content):
        at = f"{where}[{place}]"
        block = read(part, at)
        if block is not None:
            notes.mark(block, at)
            made.append(block)
    return made


def read_text(part: Json, where: str) -> Block | None:
    """A part with `text`."""
    text = typed(part, _Text, where).text
    return text_block(text) if text.strip() else None


def read_refusal(part: Json, where: str) -> Block | None:
    """A part with `refusal`."""
    text = typed(part, _Refusal, where).refusal
    return text_block(text) if text.strip() else None
