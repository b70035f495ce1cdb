"""The list of messages as a system prompt and the turns of a conversation. Pure.

Source: `ChatCompletionMessageParam` of the `openai` SDK 3.x (read 2026-11-21).
Used by request.py.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from clearway.wire.chat.parts import blocks_of
from clearway.wire.chat.thoughts import restored
from clearway.wire.chat.types import KNOWN_MEMBERS, FunctionCall, Message, ToolCall
from clearway.wire.hub.caching import mark_last, marker
from clearway.wire.hub.calls import arguments
from clearway.wire.hub.ids import clean_id
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.tools import Names
from clearway.wire.hub.turns import Block, Item, text_block
from clearway.wire.hub.typed import Json, typed

_SYSTEM = ("system", "developer")
_ROLES = (*_SYSTEM, "user", "assistant", "tool", "function")
_LATER = Item("user", [], "")
_FIRST = tuple(f"messages[{place}]" for place in range(500))
"""Made once: the places of most conversations."""


class Conversation(msgspec.Struct, frozen=True):
    """What the messages make."""

    system: list[Block]
    """What stands before the first other message."""
    items: list[Item]


class Listed(msgspec.Struct, frozen=True):
    """The messages of a request, in their order."""

    items: list[Item]
    """What each is; nothing yet in the places of others."""
    others: dict[int, Message]
    """By their places: those that are more than a role and a text."""


def read_messages(raw: object) -> Listed:
    """The messages, each of a role that is known. What most of them are, a role and a text of which
    nothing is to be told, is read at once: a conversation has many.

    Raises:
        Refusal: One is none.
    """
    if not isinstance(raw, list) or not raw:
        raise Refusal("messages", "expected a list with at least one message")
    items: list[Item] = []
    others: dict[int, Message] = {}
    add, known = items.append, len(_FIRST)
    for place, given in enumerate(raw):
        if type(given) is dict and len(given) == 2 and "role" in given and "content" in given:  # noqa: PLR2004
            role, text = given["role"], given["content"]
            if type(text) is str and (role == "user" or role == "assistant"):  # noqa: PLR1714  # twice as fast
                where = _FIRST[place] if place < known else f"messages[{place}]"
                add(Item(role, [{"type": "text", "text": text}] if text and not text.isspace() else [], where))
                continue
        where = f"messages[{place}]"
        message = typed(given, Message, where)
        if message.role not in _ROLES:
            param = f"{where}.role"
            raise Refusal(param, f"{message.role[:40]!r} is no role; {', '.join(_ROLES)} are")
        others[place] = message
        add(_LATER)
    return Listed(items, others)


def called_names(others: Iterable[Message]) -> list[str]:
    """The tools that were called before."""
    names = []
    for message in others:
        for call in message.tool_calls or ():
            names += [one.name for one in (call.function, call.custom) if one is not None]
        if message.function_call is not None:
            names.append(message.function_call.name)
    return names


class Reader:
    """Reads the messages of one request.

    Args:
        names: The tools' names.
        wrapped: Tools, by the name that is sent, whose arguments stand within one member.
        notes: Where changes are told.
    """

    def __init__(self, names: Names, wrapped: dict[str, Literal["input", "value"]], notes: Notes) -> None:
        self._names = names
        self._wrapped = wrapped
        self._notes = notes
        self._pending: dict[str, list[str]] = {}

    def read(self, listed: Listed, raw: list[Json]) -> Conversation:
        """All of them.

        Raises:
            Refusal: Something in them is not read.
        """
        system: list[Block] = []
        items, begins = listed.items, 0
        for place, message in listed.others.items():
            where = f"messages[{place}]"
            for name in raw[place]:
                if name not in KNOWN_MEMBERS:
                    self._notes.add("ignored", f"{where}.{name}")
            if place == begins and message.role in _SYSTEM:
                system += self._at(self._system(message, where), where)
                begins += 1
            else:
                items[place] = self._item(message, place, where)
        del items[:begins]
        if not items:
            hint = "send a message of the role user behind it"
            raise Refusal("messages", "there are only system messages", hint=hint)
        if self._notes.marks:
            for item in items:
                self._at(item.blocks, item.where)
        return Conversation(system, items)

    def _at(self, blocks: list[Block], where: str) -> list[Block]:
        for block in blocks:
            self._notes.mark(block, where)
        return blocks

    def _item(self, message: Message, place: int, where: str) -> Item:
        match message.role:
            case "system" | "developer":
                return Item("system", self._system(message, where), where)
            case "user":
                blocks = self._named(blocks_of(message.content, "user", where, self._notes), message, where)
                return Item("user", self._marked(blocks, message, where), where)
            case "assistant":
                return Item("assistant", self._assistant(message, place, where), where)
            case _:
                return Item("user", [self._result(message, where)], where)

    def _system(self, message: Message, where: str) -> list[Block]:
        if message.name:
            self._notes.add("ignored", f"{where}.name")
        return self._marked(blocks_of(message.content, "system", where, self._notes), message, where)

    def _named(self, blocks: list[Block], message: Message, where: str) -> list[Block]:
        """Messages has no names of speakers: the text says who it is."""
        if not message.name:
            return blocks
        self._notes.add("mapped", f"{where}.name")
        for block in blocks:
            if block.get("type") == "text":
                block["text"] = f"[{message.name}]: {block['text']}"
                break
        return blocks

    def _marked(self, blocks: list[Block], message: Message, where: str) -> list[Block]:
        if message.cache_control is not None:
            control = marker({"cache_control": message.cache_control}, where, self._notes)
            if control is not None:
                mark_last(blocks, control)
        return blocks

    def _assistant(self, message: Message, place: int, where: str) -> list[Block]:
        if message.audio is not None:
            raise Refusal(f"{where}.audio", "audio is not read", "unsupported_value")
        blocks = restored(message.reasoning_details, message.thinking_blocks, where)
        said = blocks_of(message.content, "assistant", where, self._notes)
        for block in said:
            if block.get("type") == "tool_use":
                block["name"] = self._names.sent(str(block["name"]))
        blocks += self._named(said, message, where)
        if message.refusal and message.refusal.strip():
            blocks.append(text_block(message.refusal))
        for number, call in enumerate(message.tool_calls or ()):
            at = f"{where}.tool_calls[{number}]"
            blocks.append(self._call(call, at, f"call_{place}_{number}"))
            self._notes.mark(blocks[-1], at)
        if message.function_call is not None:
            call_id = f"call_{place}_f"
            self._pending.setdefault(message.function_call.name, []).append(call_id)
            blocks.append(self._tool_use(message.function_call, f"{where}.function_call", call_id))
        return self._marked(blocks, message, where)

    def _call(self, call: ToolCall, where: str, fallback_id: str) -> Block:
        call_id = clean_id(call.id) if call.id else fallback_id
        if call.custom is not None:
            name = self._names.sent(call.custom.name)
            return {"type": "tool_use", "id": call_id, "name": name, "input": {"input": call.custom.input}}
        if call.function is None:
            raise Refusal(where, "a call needs its function", "missing_required_parameter")
        return self._tool_use(call.function, f"{where}.function", call_id)

    def _tool_use(self, call: FunctionCall, where: str, call_id: str) -> Block:
        name = self._names.sent(call.name)
        given = arguments(call.arguments, f"{where}.arguments", self._notes)
        if self._wrapped.get(name) == "value":
            given = {"value": given}
        return {"type": "tool_use", "id": call_id, "name": name, "input": given}

    def _result(self, message: Message, where: str) -> Block:
        if message.role == "function":
            pending = self._pending.get(message.name or "", [])
            call_id = pending[-1] if pending else f"call_{message.name or 'function'}"
        elif not message.tool_call_id:
            raise Refusal(f"{where}.tool_call_id", "it is missing", "missing_required_parameter")
        else:
            call_id = message.tool_call_id
        result: Block = {"type": "tool_result", "tool_use_id": clean_id(call_id)}
        if isinstance(message.content, str):
            if message.content:
                result["content"] = message.content
        elif blocks := blocks_of(message.content, "tool", where, self._notes):
            controls = [block.pop("cache_control") for block in blocks if "cache_control" in block]
            result["content"] = blocks
            if controls:
                result["cache_control"] = controls[-1]
        if message.is_error:
            result["is_error"] = True
        self._marked([result], message, where)
        return result
