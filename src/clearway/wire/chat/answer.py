"""An answer of Messages, event by event, as what Chat Completions says of it.

Owns the state of one answer: which block is which call, what was thought, why it ended.
It makes pieces; how they are written is for `chunks.py` (a stream) and `whole.py`.
Text, thoughts and arguments are handed on as the JSON strings that they came as.
Source: the specification's tables of stop reasons, blocks and events (3.9 and 3.10), and
what the `openai` SDK for Python was measured to make of chunks (read 2026-11-21).
Used by gateway/chat.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from clearway.core.usage import Usage, total
from clearway.wire.hub.events import NOTHING, Block, Delta, Event, Halves, Problem, StopDetails, has_text
from clearway.wire.hub.pausing import PAUSED
from clearway.wire.hub.plan import JSON_TOOL, NO_PLAN, Plan, Wrap
from clearway.wire.messages.usage import merge, read_usage

Reason = Literal["stop", "length", "tool_calls", "content_filter"]

REASONS: dict[str, Reason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    # What was broken off is not complete, though the model would go on.
    PAUSED: "length",
    "refusal": "content_filter",
}
"""`finish_reason` by `stop_reason`."""

_REFUSED = "The model declined to answer."
_NO_ARGUMENTS = msgspec.Raw(b'"{}"')


class Begun(msgspec.Struct, frozen=True):
    """The answer begins."""

    id: str


class Text(msgspec.Struct, frozen=True):
    """Text for the reader."""

    text: msgspec.Raw


class Thought(msgspec.Struct, frozen=True):
    """A piece of what was thought; `index` counts blocks of thinking."""

    index: int
    text: msgspec.Raw = NOTHING
    signature: msgspec.Raw = NOTHING
    hidden: msgspec.Raw = NOTHING
    """A block that is not for reading, whole."""
    is_first: bool = False
    is_last: bool = False


class Opened(msgspec.Struct, frozen=True):
    """A call of a tool begins; `index` counts calls."""

    index: int
    id: str
    name: str
    is_custom: bool = False


class Arguments(msgspec.Struct, frozen=True):
    """A piece of a call's arguments."""

    index: int
    text: msgspec.Raw
    is_custom: bool = False


class Cited(msgspec.Struct, frozen=True):
    """What was cited."""

    annotations: list[dict[str, object]]


class Declined(msgspec.Struct, frozen=True):
    """The model will not go on, and why."""

    text: str


class Ended(msgspec.Struct, frozen=True):
    """The answer is whole."""

    reason: Reason
    usage: Usage


class Failed(msgspec.Struct, frozen=True):
    """The upstream broke it off."""

    problem: Problem


Piece = Begun | Text | Thought | Opened | Arguments | Cited | Declined | Ended | Failed


class _Call:
    """A call whose arguments are coming."""

    __slots__ = ("held", "index", "seen", "wrap")

    def __init__(self, index: int, wrap: Wrap | None) -> None:
        self.index = index
        self.wrap = wrap
        self.seen = False
        self.held: list[str] = []


class Answer:
    """The state of one answer.

    Args:
        plan: What the request settled about it.
    """

    def __init__(self, plan: Plan = NO_PLAN) -> None:
        self._plan = plan
        self._usage: dict[str, object] = {}
        self._used: list[Usage] = []
        self._stop_reason: str | None = None
        self._details: StopDetails | None = None
        self._calls = 0
        self._thoughts = 0
        self._open_calls: dict[int, _Call] = {}
        self._open_thoughts: dict[int, int] = {}
        self._json_block: int | None = None
        self._is_emulating = False
        self._is_begun = False
        self._id = ""
        self._length = 0
        self._begins: dict[int, int] = {}
        self._cited: list[dict[str, object]] = []
        self._halves = Halves()
        self.is_paused = False
        """It goes on with the next message, or `give_up` ends it."""
        self.is_over = False
        """It has ended or failed: nothing more counts."""

    def feed(self, event: Event) -> list[Piece]:
        """What one event says."""
        hear = None if self.is_over else _HEARD.get(event.type)
        return [] if hear is None else hear(self, event)

    def _begin(self, event: Event) -> list[Piece]:
        if event.message is not None and self.is_paused:
            self._resume(event.message.usage or {})
            return []
        if event.message is None or self._is_begun:
            return []
        self._is_begun = True
        self._id = (event.message.id or "").removeprefix("msg_")
        merge(self._usage, event.message.usage or {})
        return [Begun(self._id)]

    def _resume(self, usage: dict[str, object]) -> None:
        """Another message goes on where the last one paused; its blocks are counted anew."""
        self.is_paused = False
        self._stop_reason, self._usage, self._json_block = None, dict(usage), None
        self._halves = Halves()
        for numbered in (self._open_calls, self._open_thoughts, self._begins):
            numbered.clear()

    def _note(self, event: Event) -> list[Piece]:
        merge(self._usage, event.usage or {})
        if event.delta is not None:
            self._stop_reason = event.delta.stop_reason or self._stop_reason
            self._details = event.delta.stop_details or self._details
        return []

    def _fail(self, event: Event) -> list[Piece]:
        self.is_over = True
        return [Failed(event.error or Problem())]

    def _start(self, event: Event) -> list[Piece]:
        index, block = event.index, event.content_block or Block()
        match block.type:
            case "text":
                self._begins[index] = self._length
                return self._text(block.text) if has_text(block.text) else []
            case "thinking":
                return self._start_thought(index, block)
            case "redacted_thinking":
                self._thoughts += 1
                return [Thought(self._thoughts - 1, hidden=block.data, is_first=True, is_last=True)]
            case "tool_use":
                return self._start_call(index, block)
            case _:
                return []

    def _start_thought(self, index: int, block: Block) -> list[Piece]:
        number = self._open_thoughts[index] = self._thoughts
        self._thoughts += 1
        pieces: list[Piece] = [Thought(number, block.thinking if has_text(block.thinking) else NOTHING, is_first=True)]
        if has_text(block.signature):
            pieces.append(Thought(number, signature=block.signature))
        return pieces

    def _start_call(self, index: int, block: Block) -> list[Piece]:
        name = block.name or ""
        given = bytes(block.input)
        begun = NOTHING if given in (b"{}", b"", b"null") else msgspec.Raw(_string(given))
        if self._plan.is_json_tool and name == JSON_TOOL:
            self._json_block = index
            return self._text(begun) if begun else []
        call = _Call(self._calls, self._plan.wrapped.get(name))
        self._calls += 1
        self._open_calls[index] = call
        opened = Opened(call.index, block.id or "", self._plan.names.get(name, name), call.wrap == "input")
        return [opened, *(self._arguments(call, begun) if begun else ())]

    def _delta(self, event: Event) -> list[Piece]:
        index, delta = event.index, event.delta or Delta()
        if delta.is_halved:
            self._halves.mend(index, delta)
        pieces: list[Piece] = []
        match delta.type:
            case "text_delta" if has_text(delta.text):
                pieces = self._text(delta.text)
            case "input_json_delta" if has_text(delta.partial_json):
                pieces = self._input(index, delta.partial_json)
            case "thinking_delta" if has_text(delta.thinking) and index in self._open_thoughts:
                pieces = [Thought(self._open_thoughts[index], delta.thinking)]
            case "signature_delta" if has_text(delta.signature) and index in self._open_thoughts:
                pieces = [Thought(self._open_thoughts[index], signature=delta.signature)]
            case "citations_delta":
                self._cite(index, delta.citation or {})
            case _:
                pass
        return pieces

    def _input(self, index: int, text: msgspec.Raw) -> list[Piece]:
        if index == self._json_block:
            return self._text(text)
        call = self._open_calls.get(index)
        return [] if call is None else self._arguments(call, text)

    def _text(self, text: msgspec.Raw) -> list[Piece]:
        if self._plan.cites:
            self._length += len(msgspec.json.decode(text, type=str))
        if self._plan.emulated is None:
            return [Text(text)]
        pieces: list[Piece] = []
        if not self._is_emulating:
            self._is_emulating = True
            self._calls += 1
            pieces.append(Opened(0, f"toolu_{self._id}", self._plan.emulated))
        return [*pieces, Arguments(0, text)]

    def _arguments(self, call: _Call, text: msgspec.Raw) -> list[Piece]:
        call.seen = True
        if call.wrap is None:
            return [Arguments(call.index, text)]
        call.held.append(msgspec.json.decode(text, type=str))
        return []

    def _stop(self, event: Event) -> list[Piece]:
        index = event.index
        number = self._open_thoughts.pop(index, None)
        if number is not None:
            return [Thought(number, is_last=True)]
        call = self._open_calls.pop(index, None)
        if call is None:
            return []
        if call.wrap is not None:
            return [_unwrapped(call)]
        return [] if call.seen else [Arguments(call.index, _NO_ARGUMENTS)]

    def _end(self, _: Event) -> list[Piece]:
        if self.is_paused:
            return []
        self._used.append(read_usage(self._usage))
        if self._stop_reason == PAUSED:
            self.is_paused = True
            return []
        return self.give_up()

    def give_up(self) -> list[Piece]:
        """The end, as far as it came: where it `is_paused`, nothing follows."""
        self.is_over = True
        # Cut short by `max_tokens`: what was held back of a call is told as far as it came.
        pieces: list[Piece] = [_unwrapped(call) for call in self._open_calls.values() if call.held]
        if self._cited:
            pieces.append(Cited(self._cited))
        if self._stop_reason == "refusal":
            pieces.append(Declined((self._details and self._details.explanation) or _REFUSED))
        return [*pieces, Ended(self._reason(), total(self._used))]

    def _reason(self) -> Reason:
        reason = REASONS.get(self._stop_reason or "")
        if self._is_emulating and reason == "stop":
            return "tool_calls"
        if reason == "tool_calls" and not self._calls:
            return "stop"  # of the tool that stands for a structured answer, or of the upstream's own tools
        return reason or ("tool_calls" if self._calls else "stop")

    def _cite(self, index: int, citation: dict[str, object]) -> None:
        if citation.get("type") != "web_search_result_location":
            return
        url = {
            "start_index": self._begins.get(index, 0),
            "end_index": self._length,
            "title": citation.get("title") or "",
            "url": citation.get("url") or "",
        }
        self._cited.append({"type": "url_citation", "url_citation": url})


_HEARD: dict[str, Callable[[Answer, Event], list[Piece]]] = {
    "message_start": Answer._begin,  # noqa: SLF001  # the table of this class
    "content_block_start": Answer._start,  # noqa: SLF001  # likewise
    "content_block_delta": Answer._delta,  # noqa: SLF001  # likewise
    "content_block_stop": Answer._stop,  # noqa: SLF001  # likewise
    "message_delta": Answer._note,  # noqa: SLF001  # likewise
    "message_stop": Answer._end,  # noqa: SLF001  # likewise
    "error": Answer._fail,  # noqa: SLF001  # likewise
}


def _unwrapped(call: _Call) -> Arguments:
    """The arguments of a call without the member that they were put into."""
    text = "".join(call.held)
    is_custom = call.wrap == "input"
    try:
        given = msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        given = {}
    inner = given.get(call.wrap or "")
    if is_custom:
        inner = inner if isinstance(inner, str) else text
    else:
        inner = text if inner is None else msgspec.json.encode(inner).decode()
    return Arguments(call.index, msgspec.Raw(msgspec.json.encode(inner)), is_custom)


def _string(text: bytes) -> bytes:
    return msgspec.json.encode(text.decode())
