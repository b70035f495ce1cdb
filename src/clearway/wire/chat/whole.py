"""An answer as one completion. Pure.

Source: `ChatCompletion` of the `openai` SDK 3.x (read 2026-11-21).
Used by teller.py.
"""

import msgspec

from clearway.wire.chat.form import FORMAT, Form, completion_id
from clearway.wire.chat.reasons import annotations_of, reason_of
from clearway.wire.chat.usage import usage_object
from clearway.wire.hub.pieces import Arguments, Begun, Cited, Declined, Ended, Opened, Piece, Text, Thought
from clearway.wire.hub.tier import service_tier


class _Block:
    def __init__(self) -> None:
        self.text: list[bytes] = []
        self.signature: msgspec.Raw | None = None
        self.hidden: msgspec.Raw | None = None


class Whole:
    """Collects one answer.

    Args:
        form: How the client wants it.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self._id = ""
        self._text: list[bytes] = []
        self._thoughts: dict[int, _Block] = {}
        self._calls: list[tuple[Opened, list[bytes]]] = []
        self._annotations: list[dict[str, object]] = []
        self._refusal: str | None = None
        self._ended: Ended | None = None

    def take(self, piece: Piece) -> None:
        """The next piece."""
        match piece:
            case Text():
                self._text.append(bytes(piece.text)[1:-1])
            case Arguments():
                self._calls[piece.index][1].append(bytes(piece.text)[1:-1])
            case Thought():
                self._think(piece)
            case Opened():
                self._calls.append((piece, []))
            case Begun():
                self._id = completion_id(piece.id)
            case Declined():
                self._refusal = piece.text
            case Cited():
                self._annotations += annotations_of(piece.citations)
            case Ended():
                self._ended = piece
            case _:
                pass

    def _think(self, piece: Thought) -> None:
        block = self._thoughts.setdefault(piece.index, _Block())
        if piece.text:
            block.text.append(bytes(piece.text)[1:-1])
        block.signature = piece.signature or block.signature
        block.hidden = piece.hidden or block.hidden

    def body(self) -> bytes:
        """The completion; only once the answer has ended."""
        ended = self._ended
        if ended is None:
            raise ValueError("the answer has not ended")
        message: dict[str, object] = {
            "role": "assistant",
            "content": _joined(self._text) if self._text else None,
            "refusal": self._refusal,
            **self._reasoning(),
        }
        if self._annotations:
            message["annotations"] = self._annotations
        reason: str = reason_of(ended)
        if self._calls and self._form.is_legacy:
            opened, parts = self._calls[0]
            message["function_call"] = {"name": opened.name, "arguments": _joined(parts)}
            reason = "function_call" if reason == "tool_calls" else reason
        elif self._calls:
            message["tool_calls"] = [_call(opened, parts) for opened, parts in self._calls]
        completion: dict[str, object] = {
            "id": self._id,
            "object": "chat.completion",
            "created": self._form.created,
            "model": self._form.model,
            **self._form.provider,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
            "usage": usage_object(ended.usage),
        }
        if tier := service_tier(ended.usage):
            completion["service_tier"] = tier
        return msgspec.json.encode(completion)

    def _reasoning(self) -> dict[str, object]:
        form = self._form.reasoning
        if not self._thoughts or form == "none":
            return {}
        told: dict[str, object] = {}
        text = [part for block in self._thoughts.values() for part in block.text]
        if text:
            told["reasoning" if form == "openrouter" else "reasoning_content"] = _joined(text)
        if form == "litellm":
            told["thinking_blocks"] = [_verbatim(block) for block in self._thoughts.values()]
        elif form != "deepseek":
            told["reasoning_details"] = [_detail(index, block) for index, block in self._thoughts.items()]
        return told


def _joined(parts: list[bytes]) -> msgspec.Raw:
    """The insides of JSON strings as one: escapes and pairs that were cut apart fit again."""
    return msgspec.Raw(b'"%b"' % b"".join(parts))


def _call(opened: Opened, parts: list[bytes]) -> dict[str, object]:
    if opened.is_custom:
        return {"id": opened.id, "type": "custom", "custom": {"name": opened.name, "input": _joined(parts)}}
    return {"id": opened.id, "type": "function", "function": {"name": opened.name, "arguments": _joined(parts)}}


def _verbatim(block: _Block) -> dict[str, object]:
    if block.hidden:
        return {"type": "redacted_thinking", "data": block.hidden}
    return {"type": "thinking", "thinking": _joined(block.text), "signature": block.signature or ""}


def _detail(index: int, block: _Block) -> dict[str, object]:
    if block.hidden:
        return {"type": "reasoning.encrypted", "data": block.hidden, "format": FORMAT, "index": index}
    signed = {"signature": block.signature} if block.signature else {}
    return {"type": "reasoning.text", "text": _joined(block.text), **signed, "format": FORMAT, "index": index}
