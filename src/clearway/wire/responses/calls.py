"""What the client is asked to call: functions and custom tools, with their arguments as they come. Pure.

A call that was cut off is told with what came of it and as `incomplete`, and the events
that say that arguments are whole do not come: nobody should run half of a command.
Source: `ResponseFunctionToolCall`, `ResponseCustomToolCall` of the `openai` SDK 3.x, and
Codex CLI 0.169.0, which wants `namespace` apart from `name` (read 2026-11-21).
Used by stream.py and acts.py.
"""

import msgspec

from clearway.wire.responses.form import Called
from clearway.wire.responses.frames import Frames, Text, beginning
from clearway.wire.responses.item import Item, Status


class Call(Item):
    """A call.

    Args:
        frames: Writes the answer's events.
        message_id: Of the answer.
        index: Its place in the output.
        called: What it becomes.
        call_id: The upstream's.
    """

    prefix = "fc"
    _type = "function_call"
    _member = "arguments"
    _delta = b"response.function_call_arguments.delta"
    _done = b"response.function_call_arguments.done"

    def __init__(self, frames: Frames, message_id: str, index: int, called: Called, call_id: str) -> None:
        super().__init__(frames, message_id, index)
        self._called = called
        self._call_id = call_id or self.id
        self._text = Text()
        self._before_delta = beginning(self._delta) + self._place + b',"delta":'
        self.is_empty = False
        """The model gave it no arguments."""
        self.is_broken = False
        """They were cut off, though what came of them does not show it."""

    def add(self, text: msgspec.Raw) -> bytes:
        """A piece of its arguments."""
        self._text.add(text)
        return self._frames.numbered(self._before_delta + text)

    def is_whole(self) -> bool:
        """Whether its arguments can be read."""
        if self.is_broken:
            return False
        try:
            msgspec.json.decode(self._text.plain())
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return False
        return True

    def _last(self, status: Status) -> bytes:
        if status == "incomplete":
            return b""
        return self._event(self._done, b'"%b":%b%b' % (self._member.encode(), self._text.raw(), self._more()))

    def _more(self) -> bytes:
        return b',"name":%b' % msgspec.json.encode(self._called.name)

    def _item(self, status: str) -> dict[str, object]:
        item: dict[str, object] = {
            "id": self.id,
            "type": self._type,
            "status": status,
            self._member: self._text.raw(),
            "call_id": self._call_id,
            "name": self._called.name,
        }
        if self._called.namespace is not None:
            item["namespace"] = self._called.namespace
        return item


class CustomCall(Call):
    """A call of a tool that takes text."""

    prefix = "ctc"
    _type = "custom_tool_call"
    _member = "input"
    _delta = b"response.custom_tool_call_input.delta"
    _done = b"response.custom_tool_call_input.done"

    def is_whole(self) -> bool:
        """Any text is, unless the JSON that it came in was cut off."""
        return not self.is_broken

    def _more(self) -> bytes:
        return b""
