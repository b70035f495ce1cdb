"""The items of a conversation as a system prompt and the turns of Messages. Pure.

Owns which role an item speaks in, and the call that an output belongs to; order and pairs
are the hub's. What an item makes does not depend on what follows it.
Source: `ResponseInputItemParam` of the `openai` SDK 3.x, and what Codex was measured to send
(read 2026-11-21).
Used by request.py.
"""

from collections import OrderedDict
from collections.abc import Callable

import msgspec

from clearway.wire.hub.caching import mark_last, marker
from clearway.wire.hub.calls import arguments
from clearway.wire.hub.ids import clean_id
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.plan import Wrap
from clearway.wire.hub.tools import Names
from clearway.wire.hub.turns import Block, Item, text_block
from clearway.wire.hub.typed import Json
from clearway.wire.responses.envelope import Envelope
from clearway.wire.responses.hosted import note_of
from clearway.wire.responses.items import Placed
from clearway.wire.responses.own import shell_output
from clearway.wire.responses.parts import blocks_of
from clearway.wire.responses.tools import key_of
from clearway.wire.responses.types import KNOWN_MEMBERS

_SYSTEM = ("system", "developer")
_ROLES = (*_SYSTEM, "user", "assistant")
_THOUGHTS = ("thinking", "redacted_thinking")
_SEARCHED = "Found: "


class Conversation(msgspec.Struct, frozen=True):
    """What the items make."""

    system: list[Block]
    """What stands before the first other item."""
    items: list[Item]


class Reader:
    """Reads the items of one request.

    Args:
        names: The tools' names.
        wrapped: Tools, by the name that is sent, whose arguments stand within one member.
        envelope: Opens what was thought; None: nothing is opened.
        model: As it is asked for upstream.
        notes: Where changes are told.
    """

    def __init__(
        self, names: Names, wrapped: dict[str, Wrap], envelope: Envelope | None, model: str, notes: Notes
    ) -> None:
        self._names = names
        self._wrapped = wrapped
        self._envelope = envelope
        self._model = model
        self._notes = notes
        self._pending: OrderedDict[str, str] = OrderedDict()
        """Calls without an output so far: the name within the gateway, by the id."""
        self._pending_by_name: dict[str, OrderedDict[str, None]] = {}
        self._shells: dict[str, str] = {}
        """The id of a call of a local shell, by the id of its item."""

    def read(self, items: list[Placed], instructions: str | None) -> Conversation:
        """All of them.

        Raises:
            Refusal: Something in them is not read.
        """
        system = [text_block(instructions)] if instructions and instructions.strip() else []
        made: list[Item] = []
        for place, item in enumerate(items):
            self._tell_unknown(item)
            if item.kind == "message":
                is_leading = not made
                one = self._message(item)
                if is_leading and one.role == "system":
                    self._mark(one)
                    system += one.blocks
                else:
                    made.append(one)
                continue
            reader = _READERS.get(item.kind)
            if reader is None:
                raise Refusal(
                    f"{item.where}.type", f"items of the type {item.kind[:40]!r} are not read", "unsupported_value"
                )
            one_or_none = reader(self, item, place)
            if one_or_none is not None:
                made.append(one_or_none)
        if not made:
            raise Refusal("input", "there is no message of a user", hint="send a message of the role user")
        if self._notes.marks:
            for one in made:
                self._mark(one)
        return Conversation(system, _without_last_thoughts(made, self._notes))

    def _mark(self, item: Item) -> None:
        for block in item.blocks:
            self._notes.mark(block, item.where)

    def _tell_unknown(self, item: Placed) -> None:
        if item.kind not in _FOREIGN:
            for name, value in item.raw.items():
                if value is not None and name not in KNOWN_MEMBERS:
                    self._notes.add("ignored", f"{item.where}.{name}"[:200])
        if item.given.caller is not None and item.given.caller.get("type") != "direct":
            self._notes.add("ignored", f"{item.where}.caller")

    def _message(self, item: Placed) -> Item:
        role, where = item.given.role or "", item.where
        if role not in _ROLES:
            raise Refusal(f"{where}.role", f"{role[:40]!r} is no role; {', '.join(_ROLES)} are")
        speaks = "system" if role in _SYSTEM else role
        blocks = blocks_of(item.given.content, speaks, f"{where}.content", self._notes)
        return Item(speaks, self._marked(blocks, item), where)  # type: ignore[arg-type]  # one of three

    def _marked(self, blocks: list[Block], item: Placed) -> list[Block]:
        control = marker({"cache_control": item.given.cache_control}, item.where, self._notes)
        if control is not None:
            mark_last(blocks, control)
        return blocks

    def _reasoning(self, item: Placed, place: int) -> Item | None:
        """A block goes back as it came or not at all: the summary is no thought."""
        del place
        sealed = item.given.encrypted_content
        if not sealed:
            self._notes.add("dropped", item.where, "reasoning without encrypted_content")
            return None
        blocks = self._envelope.open(sealed, model=self._model) if self._envelope is not None else None
        if blocks is None:
            self._notes.add("dropped", item.where, "reasoning of another key, model or service")
            return None
        return Item("assistant", blocks, item.where)

    def _function_call(self, item: Placed, place: int) -> Item:
        given, where = item.given, item.where
        raw = given.arguments
        if raw is not None and not isinstance(raw, str | dict):
            raise Refusal(f"{where}.arguments", "expected a JSON object as text")
        key = self._key(item)
        told: object = arguments(raw, f"{where}.arguments", self._notes)
        if self._wrapped.get(self._names.sent(key)) == "value":
            told = {"value": told}
        return self._call(item, place, key, told)

    def _custom_call(self, item: Placed, place: int) -> Item:
        return self._call(item, place, self._key(item), {"input": item.given.input or ""})

    def _local_shell_call(self, item: Placed, place: int) -> Item:
        action = _required(item.given.action, f"{item.where}.action")
        # An empty `env` is there because the item must have one: the model did not write it.
        told = {name: value for name, value in action.items() if name != "type" and value not in (None, {})}
        if item.given.id:
            self._shells[item.given.id] = item.given.call_id or f"call_{place}"
        return self._call(item, place, "local_shell", told)

    def _shell_call(self, item: Placed, place: int) -> Item:
        action = _required(item.given.action, f"{item.where}.action")
        return self._call(item, place, "shell", {name: value for name, value in action.items() if value is not None})

    def _apply_patch_call(self, item: Placed, place: int) -> Item:
        return self._call(item, place, "apply_patch", _required(item.given.operation, f"{item.where}.operation"))

    def _search_call(self, item: Placed, place: int) -> Item | None:
        if item.given.execution != "client" or not item.given.call_id:
            # OpenAI ran it; the tools that it found stand in its output.
            self._notes.add("dropped", item.where, "tool_search_call")
            return None
        given = item.given.arguments
        if given is not None and not isinstance(given, str | dict):
            raise Refusal(f"{item.where}.arguments", "expected an object")
        return self._call(item, place, "tool_search", arguments(given, f"{item.where}.arguments", self._notes))

    def _key(self, item: Placed) -> str:
        if not item.given.name:
            raise Refusal(f"{item.where}.name", "it is missing", "missing_required_parameter")
        return key_of(item.given.name, item.given.namespace)

    def _call(self, item: Placed, place: int, key: str, told: object) -> Item:
        call_id = item.given.call_id or f"call_{place}"
        self._pending[call_id] = key
        self._pending_by_name.setdefault(key, OrderedDict())[call_id] = None
        block: Block = {"type": "tool_use", "id": clean_id(call_id), "name": self._names.sent(key), "input": told}
        return Item("assistant", self._marked([block], item), item.where)

    def _output(self, item: Placed, place: int) -> Item:
        output = item.given.output
        if output is None:
            raise Refusal(f"{item.where}.output", "it is missing", "missing_required_parameter")
        return self._result(item, self._call_id(item, place), output)

    def _call_id(self, item: Placed, place: int) -> str:
        """The id of the call; the SDK lets it be left out, where the name says which one is meant."""
        given = item.given
        if given.call_id:
            return given.call_id
        named = self._pending_by_name.get(key_of(given.name, given.namespace)) if given.name else self._pending
        return next(iter(named or ()), f"call_{place}")

    def _result(self, item: Placed, call_id: str, output: str | list[Json], *, is_error: bool = False) -> Item:
        blocks: str | list[Block] = output
        if not isinstance(output, str):
            blocks = blocks_of(output, "tool", f"{item.where}.output", self._notes)
        return self._answer(item, call_id, blocks, is_error=is_error)

    def _answer(self, item: Placed, call_id: str, content: str | list[Block], *, is_error: bool = False) -> Item:
        key = self._pending.pop(call_id, None)
        if key is not None:
            self._pending_by_name[key].pop(call_id, None)
        result: Block = {"type": "tool_result", "tool_use_id": clean_id(call_id)}
        if content:
            result["content"] = content
        if is_error:
            result["is_error"] = True
        controls = [
            block.pop("cache_control")
            for block in (content if isinstance(content, list) else ())
            if "cache_control" in block
        ]
        if controls:
            result["cache_control"] = controls[-1]
        return Item("user", self._marked([result], item), item.where)

    def _local_shell_output(self, item: Placed, place: int) -> Item:
        # The SDK has no `call_id` here: its `id` is that of the item of the call, or of the call.
        given = item.given
        call_id = given.call_id or self._shells.get(given.id or "") or given.id or self._call_id(item, place)
        return self._result(item, call_id, given.output or "")

    def _shell_output(self, item: Placed, place: int) -> Item:
        output = shell_output(item.given.output, f"{item.where}.output")
        return self._answer(item, self._call_id(item, place), output)

    def _patch_output(self, item: Placed, place: int) -> Item:
        is_error = item.given.status == "failed"
        said = item.given.output or ("failed" if is_error else "done")
        return self._result(item, self._call_id(item, place), said, is_error=is_error)

    def _search_output(self, item: Placed, place: int) -> Item | None:
        if item.given.execution != "client" or not item.given.call_id:
            self._notes.add("dropped", item.where, "tool_search_output")
            return None
        del place
        found = [str(tool.get("name") or tool.get("type")) for tool in item.given.tools or () if isinstance(tool, dict)]
        said = _SEARCHED + ", ".join(found) if found else "Nothing was found."
        return self._result(item, item.given.call_id, said)

    def _nothing(self, item: Placed, place: int) -> Item | None:
        """Its tools are read elsewhere."""
        del item, place
        return None

    def _lost(self, item: Placed, place: int) -> Item | None:
        """What only who made it can read; what was said of it stands in the message behind."""
        del place
        self._notes.add("dropped", item.where, item.kind)
        return None

    def _told(self, item: Placed, place: int) -> Item:
        """What another service did, in words."""
        del place
        self._notes.add("approximated", item.where, item.kind)
        return Item("assistant", [text_block(note_of(item.kind, item.raw))], item.where)


def _required(value: Json | None, where: str) -> Json:
    if value is None:
        raise Refusal(where, "it is missing", "missing_required_parameter")
    return value


def _without_last_thoughts(items: list[Item], notes: Notes) -> list[Item]:
    """A turn of the assistant's must not end with what was thought: nothing came of it."""
    kept: list[Item] = []
    is_last = True
    for item in reversed(items):
        if item.role != "assistant":
            is_last = True
        elif is_last and item.blocks:
            blocks = list(item.blocks)
            while blocks and blocks[-1].get("type") in _THOUGHTS:
                blocks.pop()
            if len(blocks) < len(item.blocks):
                notes.add("dropped", item.where, "reasoning that nothing follows")
                item.blocks = blocks
            is_last = not blocks
        kept.append(item)
    return kept[::-1]


_READERS: dict[str, Callable[[Reader, Placed, int], Item | None]] = {
    "reasoning": Reader._reasoning,  # noqa: SLF001  # a table of its own methods
    "function_call": Reader._function_call,  # noqa: SLF001
    "function_call_output": Reader._output,  # noqa: SLF001
    "custom_tool_call": Reader._custom_call,  # noqa: SLF001
    "custom_tool_call_output": Reader._output,  # noqa: SLF001
    "local_shell_call": Reader._local_shell_call,  # noqa: SLF001
    "local_shell_call_output": Reader._local_shell_output,  # noqa: SLF001
    "shell_call": Reader._shell_call,  # noqa: SLF001
    "shell_call_output": Reader._shell_output,  # noqa: SLF001
    "apply_patch_call": Reader._apply_patch_call,  # noqa: SLF001
    "apply_patch_call_output": Reader._patch_output,  # noqa: SLF001
    "tool_search_call": Reader._search_call,  # noqa: SLF001
    "tool_search_output": Reader._search_output,  # noqa: SLF001
    "additional_tools": Reader._nothing,  # noqa: SLF001
    "web_search_call": Reader._lost,  # noqa: SLF001
    "mcp_list_tools": Reader._lost,  # noqa: SLF001
    "mcp_call": Reader._told,  # noqa: SLF001
    "file_search_call": Reader._told,  # noqa: SLF001
    "code_interpreter_call": Reader._told,  # noqa: SLF001
}
_FOREIGN = frozenset({"web_search_call", "mcp_list_tools", "mcp_call", "file_search_call", "code_interpreter_call"})
"""Made by others; none of their members is looked at alone."""
