"""Calls that are items of a kind of their own: tool search, shells, patches. Pure.

Their arguments are objects, which no event tells in pieces; the item at the end has them
whole. What the model left out is filled in as what does the least, so that the client can
say what is wrong with it.
Source: `ResponseToolSearchCall`, `LocalShellCall`, `ResponseFunctionShellToolCall`,
`ResponseApplyPatchToolCall` of the `openai` SDK 3.x (read 2026-11-27). Used by stream.py.
"""

import msgspec

from clearway.wire.hub.searches import members_of
from clearway.wire.responses.calls import Call, CustomCall
from clearway.wire.responses.form import Kind
from clearway.wire.responses.item import Status

_Object = dict[str, object]
_OPERATIONS = ("create_file", "delete_file", "update_file")


class _Act(Call):
    """One of them."""

    _name = ""
    """Of the member that says what to do."""

    def add(self, text: msgspec.Raw) -> bytes:
        """See `Call.add`: nothing is told of it before the end."""
        self._text.add(text)
        return b""

    def _last(self, status: Status) -> bytes:
        del status
        return b""

    def _item(self, status: str) -> _Object:
        given = members_of(self._text.plain())
        told: _Object = {"id": self.id, "type": self._type, "status": status, "call_id": self._call_id}
        return {**told, self._name: self._does(given)}

    def _does(self, given: _Object) -> object:
        raise NotImplementedError


class ToolSearch(_Act):
    """The client is asked to look for tools."""

    prefix = "tsc"
    _type = "tool_search_call"
    _name = "arguments"

    def _item(self, status: str) -> _Object:
        return {**super()._item(status), "execution": "client"}

    def _does(self, given: _Object) -> object:
        return given


class LocalShell(_Act):
    """One command."""

    prefix = "lsh"
    _type = "local_shell_call"
    _name = "action"

    def _does(self, given: _Object) -> object:
        env = given.get("env")
        return {
            "type": "exec",
            "command": _words(given.get("command")),
            "env": env if isinstance(env, dict) else {},
            "timeout_ms": _count(given.get("timeout_ms")),
            "user": _word(given.get("user")),
            "working_directory": _word(given.get("working_directory")),
        }


class Shell(_Act):
    """Commands for a shell of the client's."""

    prefix = "sh"
    _type = "shell_call"
    _name = "action"

    def _item(self, status: str) -> _Object:
        return {**super()._item(status), "environment": {"type": "local"}}

    def _does(self, given: _Object) -> object:
        return {
            "commands": _words(given.get("commands")),
            "timeout_ms": _count(given.get("timeout_ms")),
            "max_output_length": _count(given.get("max_output_length")),
        }


class Patch(_Act):
    """A change of one file."""

    prefix = "apc"
    _type = "apply_patch_call"
    _name = "operation"

    def _does(self, given: _Object) -> object:
        kind = given.get("type")
        operation: _Object = {"type": kind if kind in _OPERATIONS else "update_file"}
        operation["path"] = _word(given.get("path")) or ""
        if kind != "delete_file":
            operation["diff"] = _word(given.get("diff")) or ""
        return operation


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _words(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(word) for word in value] if isinstance(value, list) else []


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


KINDS: dict[Kind, type[Call]] = {
    "function": Call,
    "custom": CustomCall,
    "tool_search": ToolSearch,
    "local_shell": LocalShell,
    "shell": Shell,
    "apply_patch": Patch,
}
"""What a call becomes."""
