"""What was thought: an item of the type `reasoning`. Pure.

Adjacent blocks of thinking are one item, each with a part of the summary; blocks that
hold no text for reading have none. The blocks themselves go, sealed, into
`encrypted_content`, for only they can be sent back.
Source: `ResponseReasoningItem` of the `openai` SDK 3.x (read 2026-11-27). Used by stream.py.
"""

from collections.abc import Callable

import msgspec

from clearway.wire.hub.pieces import Thought
from clearway.wire.responses.frames import Frames, Text, beginning
from clearway.wire.responses.item import Item, Status

Seal = Callable[[list[dict[str, object]]], str]
"""Closes blocks of thinking up, so that a client can keep them."""


class _Block:
    """A block of thinking as it comes."""

    def __init__(self) -> None:
        self.text = Text()
        self.signature: msgspec.Raw | None = None
        self.hidden: msgspec.Raw | None = None
        self.part: bytes | None = None
        """Where its summary stands; None: it has none so far."""
        self.before_delta = b""
        self.is_open = True

    def verbatim(self) -> dict[str, object] | None:
        """As it came; None where it cannot be sent back."""
        if self.hidden is not None:
            return {"type": "redacted_thinking", "data": msgspec.json.decode(self.hidden)}
        if self.signature is None:
            return None
        signature = msgspec.json.decode(self.signature)
        return {"type": "thinking", "thinking": self.text.plain(), "signature": signature}


class Reasoning(Item):
    """A run of thoughts.

    Args:
        frames: Writes the answer's events.
        message_id: Of the answer.
        index: Its place in the output.
        seal: Closes the blocks up; None: they are not told.
        summarizes: Their text is shown.
    """

    prefix = "rs"

    def __init__(self, frames: Frames, message_id: str, index: int, *, seal: Seal | None, summarizes: bool) -> None:
        super().__init__(frames, message_id, index)
        self._seal = seal
        self._summarizes = summarizes
        self._blocks: dict[int, _Block] = {}
        self._parts: list[_Block] = []

    @property
    def is_settled(self) -> bool:
        """All its blocks have come whole."""
        return not any(block.is_open for block in self._blocks.values())

    def think(self, thought: Thought) -> bytes:
        """A piece of a thought."""
        block = self._blocks.get(thought.index)
        if block is None:
            block = self._blocks[thought.index] = _Block()
        block.signature = thought.signature or block.signature
        block.hidden = thought.hidden or block.hidden
        said = b""
        if thought.text:
            block.text.add(thought.text)
            if self._summarizes:
                said = self._show(block, thought.text)
        if thought.is_last:
            said += self._end_block(block)
        return said

    def _show(self, block: _Block, text: msgspec.Raw) -> bytes:
        said = b""
        if block.part is None:
            block.part = b'"summary_index":%d' % len(self._parts)
            block.before_delta = beginning(b"response.reasoning_summary_text.delta") + b'%b,%b,"delta":' % (
                self._place,
                block.part,
            )
            self._parts.append(block)
            said = self._event(
                b"response.reasoning_summary_part.added", block.part + b',"part":{"type":"summary_text","text":""}'
            )
        return said + self._frames.numbered(block.before_delta + text)

    def _end_block(self, block: _Block) -> bytes:
        block.is_open = False
        if block.part is None:
            return b""
        text = block.text.raw()
        return self._event(b"response.reasoning_summary_text.done", b'%b,"text":%b' % (block.part, text)) + self._event(
            b"response.reasoning_summary_part.done",
            b'%b,"part":{"type":"summary_text","text":%b}' % (block.part, text),
        )

    def _last(self, status: Status) -> bytes:
        del status
        return b"".join(self._end_block(block) for block in self._blocks.values() if block.is_open)

    def _item(self, status: str) -> dict[str, object]:
        item: dict[str, object] = {
            "id": self.id,
            "type": "reasoning",
            "status": status,
            "summary": [{"type": "summary_text", "text": block.text.raw()} for block in self._parts],
        }
        if self._seal is not None and status != "in_progress":
            kept = [self._blocks[index].verbatim() for index in sorted(self._blocks)]
            blocks = [block for block in kept if block is not None]
            if blocks:
                item["encrypted_content"] = self._seal(blocks)
        return item
