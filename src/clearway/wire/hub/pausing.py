"""An answer that pauses, and the request that has it go on.

Owns the blocks of such an answer as they came, to be sent back, and the body that holds
them. What cannot be told again to the byte is not told at all. Pure.
Source: `pause_turn` and the server's tools in the `anthropic` SDK 2.x, and what its helper
makes of the events of blocks (read 2026-11-21).
Used by gateway/follow_up and the sinks of every spoke.

Growth: the answer's content, up to `CONTENT_LIMIT`; only where the request has tools
that the upstream itself runs.
"""

import msgspec

from clearway.wire.hub.events import Delta, Event, has_text

PAUSED = "pause_turn"
"""`stop_reason` of an answer that is to go on."""
CONTENT_LIMIT = 8 * 1024 * 1024
"""Bytes of content that are held to be sent back."""

_Members = dict[str, msgspec.Raw]


class _Start(msgspec.Struct):
    content_block: _Members


class _Type(msgspec.Struct):
    type: str = ""


_start = msgspec.json.Decoder(_Start)
_members = msgspec.json.Decoder(_Members)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_broken = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)
_encode = msgspec.json.encode


class _Open:
    """A block whose pieces are coming; each list holds what is put behind its beginning."""

    __slots__ = ("citations", "input", "is_whole", "members", "signature", "texts")

    def __init__(self, members: _Members) -> None:
        self.members = members
        self.texts: dict[str, list[bytes]] = {}
        self.input: list[str] = []
        self.citations: list[dict[str, object]] = []
        self.signature: msgspec.Raw | None = None
        self.is_whole = False

    def take(self, delta: Delta) -> bool:
        """A piece; False: it is of a kind that is not known."""
        match delta.type:
            case "text_delta":
                self._say("text", delta.text)
            case "thinking_delta":
                self._say("thinking", delta.thinking)
            case "signature_delta":
                self.signature = delta.signature
            case "input_json_delta" if has_text(delta.partial_json):
                self.input.append(msgspec.json.decode(delta.partial_json, type=str))
            case "input_json_delta":
                pass
            case "citations_delta" if delta.citation is not None:
                self.citations.append(delta.citation)
            case _:
                return False
        return True

    def _say(self, name: str, text: msgspec.Raw) -> None:
        if has_text(text):
            self.texts.setdefault(name, []).append(bytes(text)[1:-1])

    def block(self) -> _Members:
        """All of it."""
        members = self.members
        for name, parts in self.texts.items():
            begun = members.get(name)
            first = bytes(begun)[1:-1] if begun is not None and has_text(begun) else b""
            members[name] = msgspec.Raw(b'"%b%b"' % (first, b"".join(parts)))
        if self.signature is not None:
            members["signature"] = self.signature
        if self.input:
            given = "".join(self.input)
            msgspec.json.decode(given)
            members["input"] = msgspec.Raw(given.encode())
        if self.citations:
            begun = members.get("citations")
            cited = [] if begun is None or bytes(begun) == b"null" else _list.decode(begun)
            members["citations"] = msgspec.Raw(_encode([*cited, *self.citations]))
        return members


class Fold:
    """Puts the content of one answer after another together, as it goes back."""

    def __init__(self) -> None:
        self._blocks: dict[int, _Open] = {}
        self._size = 0
        self._is_whole = False
        self._is_lost = False

    def feed(self, event: Event, data: bytes) -> None:
        """One event, and the bytes that it was read from.

        Args:
            event: Letters that were cut apart are whole in it (`events.Halves`).
            data: As they came.
        """
        if self._is_lost:
            return
        self._size += len(data)
        try:
            self._is_lost = self._size > CONTENT_LIMIT or not self._take(event, data)
        except _broken:
            self._is_lost = True
        if self._is_lost:
            self._blocks = {}

    def _take(self, event: Event, data: bytes) -> bool:
        match event.type:
            case "message_start":
                self._blocks, self._size, self._is_whole = {}, len(data), False
            case "content_block_start":
                self._blocks[event.index] = _Open(_start.decode(data).content_block)
            case "content_block_delta":
                block = self._blocks.get(event.index)
                return block is not None and block.take(event.delta or Delta())
            case "content_block_stop" if event.index in self._blocks:
                self._blocks[event.index].is_whole = True
            case "message_stop":
                self._is_whole = True
            case _:
                pass
        return True

    def take(self) -> list[msgspec.Raw] | None:
        """The blocks of the answer that has just paused; None: it cannot go on. Nothing of it is held any more."""
        blocks, self._blocks = self._blocks, {}
        if self._is_lost or not self._is_whole or not all(block.is_whole for block in blocks.values()):
            return None
        try:
            made = [msgspec.Raw(_encode(block.block())) for _, block in sorted(blocks.items())]
            kinds = [msgspec.json.decode(block, type=_Type).type for block in made]
        except _broken:
            return None
        if "tool_use" in kinds:
            # Its result is the client's to bring.
            return None
        return [block for block, kind in zip(made, kinds, strict=True) if kind != "text" or _says(block)] or None


def _says(block: msgspec.Raw) -> bool:
    """Whether there is more than white space: other text is refused in a request."""
    text = _members.decode(block).get("text")
    return text is not None and bool(msgspec.json.decode(text, type=str).strip())


def continued(body: bytes | bytearray, blocks: list[msgspec.Raw], max_tokens: int) -> bytes | None:
    """The request that has a paused answer go on; None: there can be none.

    Args:
        body: The request that was answered, one of `continued` included.
        blocks: The answer's.
        max_tokens: What is left of the bound.
    """
    fields = msgspec.json.decode(body, type=_Members)
    budget = _budget(fields)
    if max_tokens < 1 or (budget is not None and budget >= max_tokens):
        return None
    turns = _list.decode(fields["messages"])
    last = _members.decode(turns[-1])
    if bytes(last["role"]) == b'"assistant"':
        # It paused before, or the client had begun the answer: one turn, whatever it took.
        last["content"] = msgspec.Raw(_encode([*_content(last["content"]), *blocks]))
        turns[-1] = msgspec.Raw(_encode(last))
    else:
        turns.append(msgspec.Raw(_encode({"role": "assistant", "content": blocks})))
    fields["messages"] = msgspec.Raw(_encode(turns))
    fields["max_tokens"] = msgspec.Raw(b"%d" % max_tokens)
    return _encode(fields)


def _content(raw: msgspec.Raw) -> list[msgspec.Raw]:
    if bytes(raw).startswith(b'"'):
        return [msgspec.Raw(b'{"type":"text","text":%b}' % raw)]
    return _list.decode(raw)


class _Thinking(msgspec.Struct):
    type: str = ""
    budget_tokens: int | None = None


def _budget(fields: _Members) -> int | None:
    """Tokens that are set aside to think: more must be left."""
    raw = fields.get("thinking")
    return None if raw is None else msgspec.json.decode(raw, type=_Thinking).budget_tokens
