"""A request whose old thoughts were refused, without them.

Owns what a refusal of thoughts looks like, and which of them are taken out: those older
than the tool loop that runs; those of the loop too where they are what was refused, or
there are no others. Pure.
Source: words of the API's 400s as its clients report them (read 2026-11-27):
"Invalid `signature` in `thinking` block", also with "The block is bound to a different
conversation"; "`thinking` or `redacted_thinking` blocks in the latest assistant message
cannot be modified"; "Expected `thinking` or `redacted_thinking`, but found `tool_use`";
"an `assistant` message in the final position cannot contain `thinking`". And
`capability_rejected: thinking_signature`, the word of gateways that Claude Code knows.
Used by gateway/follow_up.
"""

import re

import msgspec

from clearway.wire.hub.events import Problem

_Members = dict[str, msgspec.Raw]

_ABOUT_THOUGHTS = re.compile(
    r"invalid\W{1,3}signature\W{1,3}in\W{1,3}(?:redacted_)?thinking"
    r"|expected\W{1,3}thinking\W{1,3}or\W{1,3}redacted_thinking"
    r"|thinking\W{1,3}blocks\b.{0,80}\bcannot be modified"
    r"|cannot contain\W{1,3}(?:redacted_)?thinking"
    r"|content\.\d+\.(?:thinking|redacted_thinking)\.(?:signature|thinking|data)\b"
    r"|capability_rejected: thinking_signature",
    re.IGNORECASE | re.DOTALL,
)
_MISSING = re.compile(r"expected\W{1,3}thinking", re.IGNORECASE)
_PLACE = re.compile(r"\bmessages\.(\d{1,6})\b")
_THOUGHTS = (b'"thinking"', b'"redacted_thinking"')
_LONGEST = 4000
_broken = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError)
_members = msgspec.json.Decoder(_Members)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_encode = msgspec.json.encode


class Complaint(msgspec.Struct, frozen=True):
    """What a refusal says of thoughts."""

    place: int | None = None
    """The message that it names, counted from 0."""
    is_missing: bool = False
    """Where the model thinks, there ought to be some."""


class Forgotten(msgspec.Struct, frozen=True):
    """What goes on."""

    body: bytes
    is_off: bool
    """The model does not think this time."""


class _Refused(msgspec.Struct):
    error: Problem | None = None


class _Thinking(msgspec.Struct):
    type: str = ""


def complaint(body: bytes) -> Complaint | None:
    """What a 400 says of thoughts; None where it is about something else."""
    try:
        problem = msgspec.json.decode(body, type=_Refused).error
    except _broken:
        return None
    message = ((problem and problem.message) or "")[:_LONGEST]
    if _ABOUT_THOUGHTS.search(message) is None:
        return None
    place = _PLACE.search(message)
    return Complaint(None if place is None else int(place[1]), _MISSING.search(message) is not None)


def forgotten(body: bytes | bytearray, said: Complaint) -> Forgotten | None:
    """The request without what was refused; None: there is nothing to take out.

    Args:
        body: The request of Messages that was refused.
        said: What of it.
    """
    try:
        fields = _members.decode(body)
        turns = [_Turn(turn) for turn in _list.decode(fields["messages"])]
        begins = _loop(turns)
        older = any(turn.thinks for turn in turns[:begins])
        in_loop = any(turn.thinks for turn in turns[begins:])
        if not (older or in_loop):
            return None
        # A refusal that names the loop is no better without what stands before.
        reaches = said.is_missing or not older or (said.place is not None and said.place >= begins)
        upto = len(turns) if reaches else begins
        fields["messages"] = msgspec.Raw(_encode([*_without(turns[:upto]), *(turn.raw for turn in turns[upto:])]))
        is_off = reaches and begins < len(turns) and _has_budget(fields)
        if is_off:
            # A model with a budget wants the loop to begin with what was thought.
            del fields["thinking"]
    except _broken:
        return None
    return Forgotten(_encode(fields), is_off)


class _Turn:
    """One message."""

    __slots__ = ("_members", "blocks", "has_results", "raw", "role", "thinks")

    def __init__(self, raw: msgspec.Raw) -> None:
        self.raw = raw
        self._members = _members.decode(raw)
        self.role = bytes(self._members["role"])
        content = self._members["content"]
        blocks = _list.decode(content) if bytes(content).startswith(b"[") else []
        kinds = [bytes(_members.decode(block).get("type", b"")) for block in blocks]
        self.has_results = b'"tool_result"' in kinds
        self.thinks = self.role == b'"assistant"' and any(kind in _THOUGHTS for kind in kinds)
        self.blocks = [block for block, kind in zip(blocks, kinds, strict=True) if kind not in _THOUGHTS]

    def without(self) -> msgspec.Raw:
        """The same without what was thought."""
        return msgspec.Raw(_encode({**self._members, "content": self.blocks}))


def _loop(turns: list[_Turn]) -> int:
    """Where the tool loop that runs begins: behind the last words of the user's own."""
    for place in range(len(turns) - 1, -1, -1):
        if turns[place].role == b'"user"' and not turns[place].has_results:
            return place + 1
    return 0


def _without(turns: list[_Turn]) -> list[msgspec.Raw]:
    # A turn in which nothing else was said would be empty.
    kept = [turn for turn in turns if not turn.thinks or turn.blocks]
    return [turn.without() if turn.thinks else turn.raw for turn in kept]


def _has_budget(fields: _Members) -> bool:
    raw = fields.get("thinking")
    return raw is not None and msgspec.json.decode(raw, type=_Thinking).type == "enabled"
