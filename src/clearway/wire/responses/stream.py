"""An answer as the events of a Responses stream, and as the object at their end. Pure.

Owns which items are open and in what order they come. An item ends when one of another
kind begins; a call when the upstream ends it, though that is told with whatever comes
next, for only then is it known not to have been cut off.
Growth: the items that have ended, as JSON, and the text of open ones: the answer once. The
events at its end tell it four times, and are made in some twelve times its size.
Source: the specification's grammar and tables (2.3, 3.11), with what the `openai` SDK 3.x and
Codex CLI 0.169.0 were measured to need (read 2026-11-21).
Used by teller.py.
"""

from collections.abc import Callable
from typing import Any

from clearway.core.usage import Usage
from clearway.wire.hub.pausing import PAUSED
from clearway.wire.hub.pieces import (
    Arguments,
    Begun,
    Cited,
    Closed,
    Declined,
    Ended,
    Found,
    Opened,
    Piece,
    Searching,
    Sought,
    Text,
    Thought,
)
from clearway.wire.responses.acts import KINDS
from clearway.wire.responses.calls import Call
from clearway.wire.responses.form import Called, Form
from clearway.wire.responses.frames import Frames
from clearway.wire.responses.item import Item, Status
from clearway.wire.responses.message import Message
from clearway.wire.responses.reasoning import Reasoning, Seal
from clearway.wire.responses.search import Search
from clearway.wire.responses.whole import Whole

CUT_OFF = frozenset({"max_tokens", "model_context_window_exceeded", PAUSED})
"""Reasons to stop with which an answer is not complete."""
Keep = Callable[[str, bytes], None]
"""Takes an item that has ended: its id, and the item as JSON."""


class Telling:
    """Tells one answer.

    Args:
        form: How the client wants it.
        seal: Closes blocks of thinking up; used where the form says so.
        name: What stands for the id of a message that has none.
        keep: Takes the items, for a client that will send their ids alone.
    """

    def __init__(self, form: Form, seal: Seal, name: str = "", keep: Keep | None = None) -> None:
        self._form = form
        self._seal = seal if form.seals else None
        self._name = name
        self._keep = keep
        self._frames = Frames()
        self._whole: Whole | None = None
        self._open_items: dict[int, Item] = {}
        self._done: list[bytes] = []
        self._message: Message | None = None
        self._letters = 0
        self._reasoning: Reasoning | None = None
        self._thoughts: dict[int, Reasoning] = {}
        self._calls: dict[int, Call] = {}
        self._closed: Call | None = None
        self._searches: dict[str, Search] = {}
        self.body = b""
        """The `response` object of the last event; empty until then."""

    def write(self, piece: Piece) -> bytes:
        """The events that tell a piece; `Failed` is for `fail`, whose code is the caller's to find."""
        tell = _TOLD.get(type(piece))
        if tell is None or self.body:
            return b""
        if self._whole is None and not isinstance(piece, Begun):
            return self._begin(Begun(self._name)) + tell(self, piece)
        return tell(self, piece)

    def beat(self) -> bytes:
        """What fills silence; empty before there is an answer, which no client would read."""
        if self._whole is None or self.body:
            return b""
        return self._told(b"response.in_progress", self._whole.body("in_progress"))

    def fail(self, code: str, message: str) -> bytes:
        """The end of an answer that broke off."""
        if self.body:
            return b""
        said = b"" if self._whole is not None else self._begin(Begun(self._name))
        self.body = self._known.body("failed", self._output(), error=(code, message))
        return said + self._told(b"response.failed", self.body)

    # The answer.

    @property
    def _known(self) -> Whole:
        if self._whole is None:
            raise ValueError("the answer has not begun")
        return self._whole

    def _told(self, kind: bytes, response: bytes) -> bytes:
        return self._frames.write(kind, b'"response":' + response)

    def _output(self) -> bytes:
        return b",".join(filter(None, self._done))

    def _begin(self, begun: Begun) -> bytes:
        if self._whole is not None:
            return b""  # an answer that is continued
        self._name = begun.id or self._name
        self._whole = Whole(self._form, self._name)
        body = self._whole.body("in_progress")
        return self._told(b"response.created", body) + self._told(b"response.in_progress", body)

    def _end(self, ended: Ended) -> bytes:
        is_cut = ended.stop_reason in CUT_OFF
        last = len(self._done) - 1
        items = [self._open_items[index] for index in sorted(self._open_items)]
        said = b"".join(self._end_open(item, is_cut=is_cut and item.index == last) for item in items)
        return said + self._terminal(ended.usage, is_cut=is_cut)

    def _end_open(self, item: Item, *, is_cut: bool) -> bytes:
        status: Status = "incomplete" if is_cut or isinstance(item, Search) else "completed"
        if isinstance(item, Call):
            status = "completed" if item.is_whole() and not (is_cut and item.is_empty) else "incomplete"
        return self._end_item(item, status)

    def _terminal(self, usage: Usage, *, is_cut: bool) -> bytes:
        if is_cut:
            self.body = self._known.body("incomplete", self._output(), usage=usage, reason="max_output_tokens")
            return self._told(b"response.incomplete", self.body)
        self.body = self._known.body("completed", self._output(), usage=usage)
        return self._told(b"response.completed", self.body)

    # Items.

    def _open(self, item: Item) -> bytes:
        self._open_items[item.index] = item
        self._done.append(b"")
        return item.begin()

    def _end_item(self, item: Item, status: Status) -> bytes:
        said, self._done[item.index] = item.end(status)
        if self._keep is not None:
            self._keep(item.id, self._done[item.index])
        # What it was made of is not needed any more.
        del self._open_items[item.index]
        return said

    def _leave(self, kept: Item | None = None) -> bytes:
        """End what ends when something else comes; `kept` is what goes on."""
        said = self._end_closed()
        if self._message is not None and self._message is not kept:
            said += self._end_item(self._message, "completed")
            self._letters += self._message.letters
            self._message = None
        if self._reasoning is not None and self._reasoning is not kept:
            if self._reasoning.is_settled:
                said += self._end_item(self._reasoning, "completed")
            self._reasoning = None
        return said

    def _end_closed(self) -> bytes:
        call, self._closed = self._closed, None
        if call is None:
            return b""
        return self._end_item(call, "completed" if call.is_whole() else "incomplete")

    def _writing(self) -> tuple[Message, bytes]:
        """The open message, and the events that lead to it."""
        said = self._leave(self._message)
        if self._message is None:
            self._message = Message(self._frames, self._name, len(self._done), self._letters)
            said += self._open(self._message)
        return self._message, said

    def _say(self, text: Text) -> bytes:
        if self._message is not None and self._closed is None and self._reasoning is None:
            return self._message.say(text.text)
        message, said = self._writing()
        return said + message.say(text.text)

    def _cite(self, cited: Cited) -> bytes:
        return b"" if self._message is None else self._message.cite(cited.citations)

    def _decline(self, declined: Declined) -> bytes:
        message, said = self._writing()
        return said + message.decline(declined.text, as_text=self._form.is_codex)

    def _think(self, thought: Thought) -> bytes:
        said = b""
        item = self._thoughts.get(thought.index)
        if item is None:
            said = self._leave(self._reasoning)
            if self._reasoning is None:
                self._reasoning = Reasoning(
                    self._frames, self._name, len(self._done), seal=self._seal, summarizes=self._form.summarizes
                )
                said += self._open(self._reasoning)
            item = self._thoughts[thought.index] = self._reasoning
        said += item.think(thought)
        if thought.is_last:
            del self._thoughts[thought.index]
            if item is not self._reasoning and item.is_settled:
                said += self._end_item(item, "completed")  # something else began before its last block was whole
        return said

    def _call(self, opened: Opened) -> bytes:
        said = self._leave()
        called = self._form.tools.get(opened.sent) or Called(name=opened.name)
        call = KINDS[called.kind](self._frames, self._name, len(self._done), called, opened.id)
        self._calls[opened.index] = call
        return said + self._open(call)

    def _argue(self, piece: Arguments) -> bytes:
        call = self._calls.get(piece.index)
        return b"" if call is None else self._end_closed() + call.add(piece.text)

    def _close(self, closed: Closed) -> bytes:
        said = self._end_closed()
        call = self._closed = self._calls.pop(closed.index, None)
        if call is not None:
            call.is_empty, call.is_broken = closed.is_empty, closed.is_broken
        return said

    def _search(self, searching: Searching) -> bytes:
        said = self._leave()
        search = Search(self._frames, self._name, len(self._done), tells_sources=self._form.sources)
        self._searches[searching.id] = search
        return said + self._open(search)

    def _seek(self, sought: Sought) -> bytes:
        search = self._searches.get(sought.id)
        return b"" if search is None else search.seek(sought)

    def _find(self, found: Found) -> bytes:
        search = self._searches.pop(found.id, None)
        if search is None:
            return b""
        search.find(found)
        return self._end_item(search, "completed")


_TOLD: dict[type[object], Callable[[Telling, Any], bytes]] = {
    Begun: Telling._begin,  # noqa: SLF001  # the table of this class
    Text: Telling._say,  # noqa: SLF001  # likewise
    Thought: Telling._think,  # noqa: SLF001  # likewise
    Opened: Telling._call,  # noqa: SLF001  # likewise
    Arguments: Telling._argue,  # noqa: SLF001  # likewise
    Closed: Telling._close,  # noqa: SLF001  # likewise
    Searching: Telling._search,  # noqa: SLF001  # likewise
    Sought: Telling._seek,  # noqa: SLF001  # likewise
    Found: Telling._find,  # noqa: SLF001  # likewise
    Cited: Telling._cite,  # noqa: SLF001  # likewise
    Declined: Telling._decline,  # noqa: SLF001  # likewise
    Ended: Telling._end,  # noqa: SLF001  # likewise
}
