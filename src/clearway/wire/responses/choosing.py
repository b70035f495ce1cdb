"""Who is to be called, as Responses says it. Pure.

Source: `ToolChoice` of the `openai` SDK 3.x (read 2026-11-21).
Used by request.py.
"""

import msgspec

from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.tools import SEARCH, Tool, Wanted
from clearway.wire.hub.turns import Block
from clearway.wire.hub.typed import Json, typed
from clearway.wire.responses.tools import Toolbox, key_of

_WORDS = ("auto", "none", "required")
_OWN = ("apply_patch", "shell", "local_shell", "tool_search")


class Offer(msgspec.Struct, frozen=True):
    """What is offered, and what is wanted of it."""

    tools: list[Tool]
    search: Block | None
    wanted: Wanted


class _Choice(msgspec.Struct):
    type: str
    name: str | None = None
    namespace: str | None = None
    mode: str | None = None
    tools: list[Json] | None = None


def choose(raw: object, box: Toolbox, notes: Notes, *, is_single: bool) -> Offer:
    """The offer of a request.

    Args:
        raw: Its `tool_choice`.
        box: Its tools.
        notes: Where changes are told.
        is_single: It wants one call at a time.

    Raises:
        Refusal: A choice that cannot be.
    """
    if raw is None:
        return Offer(box.tools, box.search, Wanted(is_single=is_single))
    if isinstance(raw, str):
        return _word(raw, box, notes, is_single=is_single)
    choice = typed(raw, _Choice, "tool_choice")
    if choice.type == "allowed_tools":
        return _allowed(choice, box, notes, is_single=is_single)
    name = _found(choice, box, "tool_choice")
    if name is None:
        if choice.type in box.dropped:
            return _left_open(box, notes, is_single=is_single)
        shown = choice.name or choice.type
        raise Refusal("tool_choice", f"there is no tool {shown[:64]!r} among tools")
    return Offer(box.tools, box.search, Wanted(how="tool", name=name, is_single=is_single, is_said=True))


def _word(raw: str, box: Toolbox, notes: Notes, *, is_single: bool) -> Offer:
    if raw not in _WORDS:
        raise Refusal("tool_choice", f"{raw[:40]!r} is no choice; {', '.join(_WORDS)} are")
    if raw == "required" and not box.tools and box.search is None:
        if box.dropped:
            return _left_open(box, notes, is_single=is_single)
        raise Refusal("tool_choice", "a tool is required, and there is none")
    how = "any" if raw == "required" else raw
    wanted = Wanted(how=how, is_single=is_single, is_said=True)  # type: ignore[arg-type]  # one of _WORDS
    return Offer(box.tools, box.search, wanted)


def _left_open(box: Toolbox, notes: Notes, *, is_single: bool) -> Offer:
    """The tool that is to be called was left out."""
    notes.add("downgraded", "tool_choice", "auto")
    return Offer(box.tools, box.search, Wanted(is_single=is_single, is_said=True))


def _found(choice: _Choice, box: Toolbox, where: str) -> str | None:
    """The name within the gateway of the tool that is meant; None: it is not there."""
    if choice.type.startswith("web_search"):
        return SEARCH if box.search is not None else None
    if choice.type in _OWN:
        return choice.type if _is_own(choice.type, box) else None
    if choice.type not in ("function", "custom"):
        return None
    if not choice.name:
        raise Refusal(f"{where}.name", "it is missing", "missing_required_parameter")
    key = key_of(choice.name, choice.namespace)
    if key in box.called:
        return key
    # Without its namespace, where only one tool can be meant.
    meant = box.by_name.get(choice.name, [])
    return meant[0] if len(meant) == 1 and choice.namespace is None else None


def _is_own(kind: str, box: Toolbox) -> bool:
    called = box.called.get(kind)
    return called is not None and called.kind == kind


def _allowed(choice: _Choice, box: Toolbox, notes: Notes, *, is_single: bool) -> Offer:
    where = "tool_choice.tools"
    if choice.mode not in ("auto", "required"):
        raise Refusal("tool_choice.mode", "expected auto or required")
    names: set[str] = set()
    for place, raw in enumerate(choice.tools or ()):
        one = typed(raw, _Choice, f"{where}[{place}]")
        if one.type == "namespace":
            names |= {key for key, called in box.called.items() if called.namespace == one.name}
        elif (name := _found(one, box, f"{where}[{place}]")) is not None:
            names.add(name)
    kept = [tool for tool in box.tools if tool.name in names]
    search = box.search if SEARCH in names else None
    if not kept and search is None:
        raise Refusal(where, "it names none of the tools")
    if len(kept) < len(box.tools) or search is not box.search:
        # What was cached of the whole list of tools does not fit any more.
        notes.add("mapped", "tool_choice", "tools_filtered")
    how = "any" if choice.mode == "required" else "auto"
    return Offer(kept, search, Wanted(how=how, is_single=is_single, is_said=True))  # type: ignore[arg-type]  # one of both
