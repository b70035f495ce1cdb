"""A conversation as Messages wants it: turns that alternate, calls and results in pairs.

Owns the order of what other APIs let stand in any order. A pure function of the list:
what becomes of its beginning does not depend on what is added behind, so that caches and
signed thoughts of earlier turns stay valid.
Rules: the Messages API's on `tool_use`, `tool_result`, roles and prefill (read 2026-11-21).
Used by the translators of every spoke.
"""

from typing import Literal

import msgspec

from clearway.wire.hub.models import Abilities
from clearway.wire.hub.notes import Notes, Refusal

Block = dict[str, object]
Turn = dict[str, object]

NO_RESULT = "No result was supplied for this call."
RESUMED = "(conversation resumed)"
GO_ON = "Continue."
OPERATOR = "Operator instruction:\n"
"""Stands before what a model cannot be told in the role `system`."""
_THOUGHTS = ("thinking", "redacted_thinking")
_PAIRED = ("tool_use", "tool_result")


class Item(msgspec.Struct, gc=False):
    """One message of the client's, its content in blocks."""

    role: Literal["system", "user", "assistant"]
    blocks: list[Block]
    where: str
    """How the client would name it: `messages[3]`."""
    is_answer: bool = False
    """It brings results, even where they are gathered elsewhere."""
    has_calls: bool = False


class _Call:
    __slots__ = ("id", "result")

    def __init__(self, call_id: str) -> None:
        self.id = call_id
        self.result: Block | None = None


def text_block(text: str) -> Block:
    """A block of text."""
    return {"type": "text", "text": text}


def arrange(
    items: list[Item], abilities: Abilities, notes: Notes, *, may_prefill: bool, param: str = "messages"
) -> list[Turn]:
    """The messages to send.

    Args:
        items: In the client's order, without the system prompt before the first other message.
        abilities: The model's.
        notes: Where repairs are told.
        may_prefill: The last turn may be the assistant's.
        param: How the client calls the list.

    Raises:
        Refusal: Nothing is left to send.
    """
    builder = _Builder(abilities, notes, param)
    if not builder.add_plain(items):
        builder.calls = _pair(items, notes)
        for item in items:
            builder.add(item)
    turns = builder.finish(may_prefill=may_prefill)
    if not turns:
        hint = "send a message of the role user with some text"
        raise Refusal(param, "there is no message with content", "invalid_value", hint=hint)
    return turns


def _pair(items: list[Item], notes: Notes) -> dict[str, _Call]:
    """Take the results out of the messages and hang them on their calls."""
    calls: dict[str, _Call] = {}
    latest: dict[str, _Call] = {}
    times: dict[str, int] = {}
    for item in items:
        blocks = item.blocks
        if len(blocks) == 1 and blocks[0].get("type") == "text":
            continue
        kept: list[Block] = []
        for block in blocks:
            kind = block.get("type")
            if kind == "tool_use" and item.role == "assistant":
                given = str(block["id"])
                call = _Call(_unused(given, calls, times))
                calls[call.id] = latest[given] = call
                kept.append(block if call.id == given else {**block, "id": call.id})
                item.has_calls = True
            elif kind == "tool_result" and item.role == "user":
                item.is_answer = True
                kept += _hang(block, latest, item, notes)
            else:
                kept.append(block)
        item.blocks = kept
    return calls


def _unused(given: str, calls: dict[str, _Call], times: dict[str, int]) -> str:
    """The id, or one that is like it: a client may count anew in each turn."""
    call_id = given
    while call_id in calls:
        times[given] = times.get(given, 1) + 1
        call_id = f"{given}_{times[given]}"
    return call_id


def _hang(block: Block, latest: dict[str, _Call], item: Item, notes: Notes) -> list[Block]:
    """Give a result to its call; what has none becomes text."""
    given = str(block["tool_use_id"])
    call = latest.get(given)
    if call is None:
        notes.add("repaired", item.where, "result_without_call")
        return [text_block(f"[Result of an earlier tool call {given}]"), *_inner(block)]
    if call.result is not None:
        notes.add("repaired", item.where, "second_result")
    call.result = block if call.id == given else {**block, "tool_use_id": call.id}
    return []


def _inner(block: Block) -> list[Block]:
    content = block.get("content")
    if isinstance(content, str):
        return [text_block(content)] if content.strip() else []
    return [inner for inner in content if isinstance(inner, dict)] if isinstance(content, list) else []


class _Builder:
    def __init__(self, abilities: Abilities, notes: Notes, param: str) -> None:
        self._param = param
        self._abilities = abilities
        self._notes = notes
        self.calls: dict[str, _Call] = {}
        self._turns: list[Turn] = []
        self._assistant: list[Block] | None = None
        self._has_calls = False
        self._where = ""
        self._user: list[Block] = []
        self._system: list[Block] = []
        self._is_answered = False

    def add_plain(self, items: list[Item]) -> bool:
        """All messages, none of which calls or is the system's: nothing has to be paired. False: one is, and
        nothing was added.
        """
        turns: list[Turn] = []
        content: list[Block] = []
        before, is_own = "", True
        for item in items:
            role, blocks = item.role, item.blocks
            if len(blocks) != 1 or blocks[0].get("type") != "text":
                if [block for block in blocks if block.get("type") in _PAIRED]:
                    return False
                if not blocks:
                    continue
            if role == before:
                if not is_own:
                    turns[-1]["content"] = content = list(content)
                    is_own = True
                content += blocks
            elif role == "system":
                return False
            else:
                before, content, is_own = role, blocks, False
                turns.append({"role": role, "content": content})
        self._turns = turns
        self._assistant = content if before == "assistant" else None
        return True

    def add(self, item: Item) -> None:
        """The next message."""
        match item.role:
            case "assistant" if item.blocks:
                self._say(item)
            case "user":
                self._user += item.blocks
                self._is_answered = self._is_answered or item.is_answer
            case "system" if item.blocks and self._abilities.mid_system:
                self._system += item.blocks
            case "system" if item.blocks:
                self._notes.add("approximated", item.where, "system_as_user")
                self._user += _as_user(item.blocks)
            case _:
                pass

    def _say(self, item: Item) -> None:
        if self._assistant is not None and not self._is_over():
            self._assistant += item.blocks
            self._has_calls = self._has_calls or item.has_calls
            self._is_answered = False
            return
        self._close()
        self._assistant, self._has_calls = list(item.blocks), item.has_calls
        self._where = item.where
        self._turns.append({"role": "assistant", "content": self._assistant})

    def _is_over(self) -> bool:
        """A turn of the user stands behind the assistant's: with words of its own, or with results."""
        return bool(self._user) or (self._has_calls and (self._is_answered or bool(self._system)))

    def _close(self) -> None:
        """End the turn of the user that stands before the next of the assistant."""
        content = self._user
        if self._assistant is not None and self._has_calls:
            self._assistant = self._turns[-1]["content"] = _in_order(self._assistant)
            content = [*self._results(self._assistant), *content]
        self._user, self._is_answered = [], False
        if content:
            self._turns.append({"role": "user", "content": content})
        # Only directly behind a turn of the user; otherwise it waits for the next one.
        if self._system and content:
            self._turns.append({"role": "system", "content": self._system})
            self._system = []

    def _results(self, assistant: list[Block]) -> list[Block]:
        """The results of the assistant's last turn, in the order of its calls."""
        results: list[Block] = []
        for block in assistant:
            if block.get("type") != "tool_use":
                continue
            result = self.calls[str(block["id"])].result
            if result is None:
                self._notes.add("repaired", self._where, "call_without_result")
                result = {"type": "tool_result", "tool_use_id": block["id"], "is_error": True, "content": NO_RESULT}
            results.append(result)
        return results

    def finish(self, *, may_prefill: bool) -> list[Turn]:
        """All turns."""
        self._close()
        if self._system:
            self._notes.add("approximated", self._param, "system_as_user")
            self._turns.append({"role": "user", "content": _as_user(self._system)})
        turns = self._turns
        if turns and turns[0]["role"] != "user":
            self._notes.add("repaired", self._param, "begins_with_assistant")
            turns.insert(0, {"role": "user", "content": [text_block(RESUMED)]})
        if turns and turns[-1]["role"] == "assistant":
            self._continue(turns, may_prefill=may_prefill)
        return turns

    def _continue(self, turns: list[Turn], *, may_prefill: bool) -> None:
        """The conversation ends with the assistant: have it go on."""
        if not (may_prefill and self._abilities.prefill):
            self._notes.add("repaired", self._param, "ends_with_assistant")
            turns.append({"role": "user", "content": [text_block(GO_ON)]})
            return
        self._notes.add("mapped", self._param, "prefill")
        content = list(self._assistant or ())
        last = content[-1]
        if last.get("type") == "text":
            # Anthropic refuses white space at the very end.
            content[-1] = {**last, "text": str(last["text"]).rstrip()}
        turns[-1]["content"] = content


def _as_user(blocks: list[Block]) -> list[Block]:
    first, *others = blocks
    return [{**first, "text": f"{OPERATOR}{first['text']}"}, *others]


def _in_order(blocks: list[Block]) -> list[Block]:
    """Calls at the end, unless thoughts stand between: those may not be moved."""
    kinds = [block.get("type") for block in blocks]
    if "tool_use" not in kinds:
        return blocks
    if any(kind in _THOUGHTS for kind in kinds[kinds.index("tool_use") :]):
        return blocks
    calls = [block for block in blocks if block.get("type") == "tool_use"]
    return [block for block in blocks if block.get("type") != "tool_use"] + calls
