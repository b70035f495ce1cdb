"""An answer of Messages, event by event, as the pieces that a spoke tells of it.

Owns the state of one answer: which block is which call, what was thought, why it ended.
It makes pieces; how they are told is each spoke's own.
Text, thoughts and arguments are handed on as the JSON strings that they came as.
Source: the specification's tables of blocks and events (3.9 to 3.11), and the event
types of the `anthropic` SDK 2.x (read 2026-11-21).
Used by wire/chat, wire/responses and the gateway.
"""

from collections.abc import Callable

import msgspec

from clearway.core.usage import Usage, total
from clearway.wire.hub.events import NOTHING, Block, Delta, Event, Halves, Problem, StopDetails, has_text
from clearway.wire.hub.pausing import PAUSED
from clearway.wire.hub.pieces import (
    Arguments,
    Begun,
    Citation,
    Cited,
    Closed,
    Declined,
    Ended,
    Failed,
    Opened,
    Piece,
    Searching,
    Text,
    Thought,
)
from clearway.wire.hub.plan import JSON_TOOL, NO_PLAN, Plan, Wrap
from clearway.wire.hub.searches import SEARCHES, Query, found, members_of, sought
from clearway.wire.messages.usage import merge, read_usage

_REFUSED = "The model declined to answer."
_NO_ARGUMENTS = msgspec.Raw(b'"{}"')


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
        self._cited: dict[int, list[tuple[str, str]]] = {}
        self._queries: dict[int, Query] = {}
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
        for numbered in (self._open_calls, self._open_thoughts, self._begins, self._queries, self._cited):
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
        block = event.content_block or Block()
        start = _STARTED.get(block.type)
        return [] if start is None else start(self, event.index, block)

    def _start_text(self, index: int, block: Block) -> list[Piece]:
        self._begins[index] = self._length
        return self._text(block.text) if has_text(block.text) else []

    def _start_hidden(self, _: int, block: Block) -> list[Piece]:
        self._thoughts += 1
        return [Thought(self._thoughts - 1, hidden=block.data, is_first=True, is_last=True)]

    def _start_search(self, index: int, block: Block) -> list[Piece]:
        if block.name not in SEARCHES:
            return []
        self._queries[index] = Query(block)
        return [Searching(block.id or "")]

    def _start_result(self, _: int, block: Block) -> list[Piece]:
        return [found(block)]

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
        opened = Opened(call.index, block.id or "", self._plan.names.get(name, name), call.wrap == "input", name)
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
        if query := self._queries.get(index):
            query.held.append(msgspec.json.decode(text, type=str))
            return []
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
            pieces.append(Opened(0, f"toolu_{self._id}", self._plan.emulated, sent=self._plan.emulated))
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
        if index in self._cited:
            return [self._told_citations(index)]
        if query := self._queries.pop(index, None):
            return [sought(query)]
        call = self._open_calls.pop(index, None)
        if call is None:
            return []
        if call.wrap is not None:
            return _unwrapped(call)
        closed = Closed(call.index, is_empty=not call.seen)
        return [closed] if call.seen else [Arguments(call.index, _NO_ARGUMENTS), closed]

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
        pieces: list[Piece] = [piece for call in self._open_calls.values() if call.held for piece in _unwrapped(call)]
        pieces += [self._told_citations(index) for index in list(self._cited)]
        if self._stop_reason == "refusal":
            pieces.append(Declined((self._details and self._details.explanation) or _REFUSED))
        ended = Ended(self._stop_reason, total(self._used), self._calls > 0, self._is_emulating)
        return [*pieces, ended]

    def _cite(self, index: int, citation: dict[str, object]) -> None:
        if citation.get("type") != "web_search_result_location":
            return
        url, title = citation.get("url"), citation.get("title")
        named = url if isinstance(url, str) else "", title if isinstance(title, str) else ""
        self._cited.setdefault(index, []).append(named)

    def _told_citations(self, index: int) -> Cited:
        # At the end of their block: citations come before the text that they are of (seen in recorded streams).
        start, end = self._begins.get(index, 0), self._length
        return Cited([Citation(url, title, start, end) for url, title in self._cited.pop(index)])


_HEARD: dict[str, Callable[[Answer, Event], list[Piece]]] = {
    "message_start": Answer._begin,  # noqa: SLF001  # the table of this class
    "content_block_start": Answer._start,  # noqa: SLF001  # likewise
    "content_block_delta": Answer._delta,  # noqa: SLF001  # likewise
    "content_block_stop": Answer._stop,  # noqa: SLF001  # likewise
    "message_delta": Answer._note,  # noqa: SLF001  # likewise
    "message_stop": Answer._end,  # noqa: SLF001  # likewise
    "error": Answer._fail,  # noqa: SLF001  # likewise
}

_STARTED: dict[str, Callable[[Answer, int, Block], list[Piece]]] = {
    "text": Answer._start_text,  # noqa: SLF001  # the table of this class
    "thinking": Answer._start_thought,  # noqa: SLF001  # likewise
    "redacted_thinking": Answer._start_hidden,  # noqa: SLF001  # likewise
    "tool_use": Answer._start_call,  # noqa: SLF001  # likewise
    "server_tool_use": Answer._start_search,  # noqa: SLF001  # likewise
    "web_search_tool_result": Answer._start_result,  # noqa: SLF001  # likewise
    "web_fetch_tool_result": Answer._start_result,  # noqa: SLF001  # likewise
}


def _unwrapped(call: _Call) -> list[Piece]:
    """The arguments of a call without the member that they were put into, and its end."""
    text = "".join(call.held)
    is_custom = call.wrap == "input"
    given = members_of(text)
    inner = given.get(call.wrap or "")
    if is_custom:
        inner = inner if isinstance(inner, str) else text
    else:
        inner = text if inner is None else msgspec.json.encode(inner).decode()
    told = msgspec.Raw(msgspec.json.encode(inner))
    is_broken = not given and text not in ("", "{}")
    closed = Closed(call.index, is_empty=not call.seen, is_broken=is_broken)
    return [Arguments(call.index, told, is_custom), closed]


def _string(text: bytes) -> bytes:
    return msgspec.json.encode(text.decode())
