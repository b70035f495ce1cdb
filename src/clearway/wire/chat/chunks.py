"""An answer as a stream of Chat Completions. Pure.

The text of chunks is put between prepared bytes: nothing is decoded to be encoded again.
Source: `ChatCompletionChunk` of the `openai` SDK 3.x. Measured with its stream helper:
list entries are merged by `index`, which must count from 0; equal strings of two pieces
are put together, so that `id` and `format` come once.
Used by teller.py.
"""

import msgspec

from clearway.wire.chat.form import FORMAT, Form, completion_id
from clearway.wire.chat.reasons import annotations_of, reason_of
from clearway.wire.chat.usage import usage_object
from clearway.wire.hub.pieces import Arguments, Begun, Citation, Cited, Declined, Ended, Opened, Piece, Text, Thought
from clearway.wire.hub.tier import service_tier

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keepalive\n\n"
"""A comment, which every client passes over."""

_encode = msgspec.json.encode


class Chunks:
    """Writes one stream.

    Args:
        form: How the client wants it.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self._name("")
        self._tail = b'},"logprobs":null,"finish_reason":null}]%b}\n\n' % (
            b',"usage":null' if form.include_usage else b""
        )
        self._thought: dict[int, list[bytes]] = {}
        self._signature: dict[int, bytes] = {}
        self._cited: list[Citation] = []

    def write(self, piece: Piece) -> bytes:
        """The chunks that tell a piece; empty where the client wants to hear nothing of it."""
        said = b""
        match piece:
            case Text():
                said = self._chunk(b'"content":' + piece.text)
            case Arguments():
                said = self._chunk(self._arguments(piece))
            case Thought():
                said = self._thinks(piece)
            case Opened():
                said = self._chunk(self._opened(piece))
            case Begun():
                said = self._begin(piece)
            case Declined():
                said = self._annotations() + self._chunk(b'"refusal":' + _encode(piece.text))
            case Cited():
                self._cited += piece.citations
            case Ended():
                said = self._annotations() + self._end(piece)
            case _:
                pass
        return said

    def _begin(self, begun: Begun) -> bytes:
        self._name(begun.id)
        return self._chunk(b'"role":"assistant","content":""')

    def _annotations(self) -> bytes:
        """All that was cited, in one piece: helpers put lists together by their `index`."""
        cited, self._cited = self._cited, []
        listed = [{"index": place, **entry} for place, entry in enumerate(annotations_of(cited))]
        return self._chunk(b'"annotations":' + _encode(listed)) if listed else b""

    def _name(self, message_id: str) -> None:
        """Prepare what all chunks begin with."""
        told = {
            "id": completion_id(message_id),
            "object": "chat.completion.chunk",
            "created": self._form.created,
            "model": self._form.model,
            **self._form.provider,
        }
        self._stem = b"data: " + _encode(told)[:-1]
        self._head = self._stem + b',"choices":[{"index":0,"delta":{'

    def _chunk(self, delta: bytes) -> bytes:
        return self._head + delta + self._tail

    def _opened(self, opened: Opened) -> bytes:
        if self._form.is_legacy:
            return b'"function_call":' + _encode({"name": opened.name, "arguments": ""})
        kind = "custom" if opened.is_custom else "function"
        body = {"name": opened.name, "input" if opened.is_custom else "arguments": ""}
        call = {"index": opened.index, "id": opened.id, "type": kind, kind: body}
        return b'"tool_calls":' + _encode([call])

    def _arguments(self, piece: Arguments) -> bytes:
        if self._form.is_legacy:
            return b'"function_call":{"arguments":%b}' % piece.text
        if piece.is_custom:
            return b'"tool_calls":[{"index":%d,"custom":{"input":%b}}]' % (piece.index, piece.text)
        return b'"tool_calls":[{"index":%d,"function":{"arguments":%b}}]' % (piece.index, piece.text)

    def _thinks(self, piece: Thought) -> bytes:
        match self._form.reasoning:
            case "none":
                return b""
            case "deepseek":
                return self._chunk(b'"reasoning_content":' + piece.text) if piece.text else b""
            case "litellm":
                return self._verbatim(piece)
            case "openrouter":
                return self._detailed(piece, b'"reasoning":')
            case "default":
                return self._detailed(piece, b'"reasoning_content":')

    def _detailed(self, piece: Thought, name: bytes) -> bytes:
        if not (piece.text or piece.signature or piece.hidden or piece.is_first):
            return b""
        entry: dict[str, object] = {"type": "reasoning.encrypted" if piece.hidden else "reasoning.text"}
        if piece.text or (piece.is_first and not piece.hidden):
            entry["text"] = piece.text or ""
        if piece.signature:
            entry["signature"] = piece.signature
        if piece.hidden:
            entry["data"] = piece.hidden
        if piece.is_first:
            entry["format"] = FORMAT
        entry["index"] = piece.index
        text = name + piece.text + b"," if piece.text else b""
        return self._chunk(text + b'"reasoning_details":' + _encode([entry]))

    def _verbatim(self, piece: Thought) -> bytes:
        """One block at its end: blocks in pieces could not be sent back."""
        text = self._thought.setdefault(piece.index, [])
        if piece.text:
            text.append(bytes(piece.text)[1:-1])
        if piece.signature:
            self._signature[piece.index] = bytes(piece.signature)
        said = self._chunk(b'"reasoning_content":' + piece.text) if piece.text else b""
        if not piece.is_last:
            return said
        block: dict[str, object]
        if piece.hidden:
            block = {"type": "redacted_thinking", "data": piece.hidden}
        else:
            whole = b'"%b"' % b"".join(text)
            signature = self._signature.get(piece.index, b'""')
            block = {"type": "thinking", "thinking": msgspec.Raw(whole), "signature": msgspec.Raw(signature)}
        del self._thought[piece.index]
        return said + self._chunk(b'"thinking_blocks":' + _encode([{"index": piece.index, **block}]))

    def _end(self, ended: Ended) -> bytes:
        reason: str = reason_of(ended)
        reason = "function_call" if self._form.is_legacy and reason == "tool_calls" else reason
        tier = service_tier(ended.usage)
        more = b',"service_tier":"%b"' % tier.encode() if tier else b""
        usage = b',"usage":null' if self._form.include_usage else b""
        last = b'%b},"logprobs":null,"finish_reason":"%b"}]%b%b}\n\n' % (self._head, reason.encode(), more, usage)
        if not self._form.include_usage:
            return last + DONE
        told = _encode(usage_object(ended.usage))
        return last + b'%b,"choices":[],"usage":%b%b}\n\n' % (self._stem, told, more) + DONE
