"""Cache breakpoints: every convention in, `cache_control` out, four at the most. Pure.

Source: `CacheControlEphemeralParam` of the `anthropic` SDK 2.x, its top-level member
`cache_control` included, and `prompt_cache_breakpoint` of the `openai` SDK 3.x (read 2026-11-21).
Used by the translators of every spoke.
"""

from collections.abc import Mapping

from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.turns import Block

MOST = 4
_TTLS = ("5m", "1h")
_THOUGHTS = ("thinking", "redacted_thinking")
_EPHEMERAL = "ephemeral"


def marker(given: Mapping[str, object], where: str, notes: Notes) -> Block | None:
    """The marker that a part, a message or a tool carries, in whatever convention.

    Raises:
        Refusal: It is none that is known.
    """
    control = given.get("cache_control")
    if control is not None:
        notes.has_breakpoints = True
        return _control(control, f"{where}.cache_control")
    point = given.get("prompt_cache_breakpoint")
    if point is None:
        return None
    if not isinstance(point, dict):
        raise Refusal(f"{where}.prompt_cache_breakpoint", "expected an object")
    notes.has_breakpoints = True
    return with_ttl(point.get("ttl"), "prompt_cache_breakpoint", notes)


def with_ttl(ttl: object, param: str, notes: Notes) -> Block:
    """A marker for OpenAI's words of how long."""
    if ttl == "12h":
        notes.add("approximated", f"{param}.ttl", "12h->1h")
        return {"type": _EPHEMERAL, "ttl": "1h"}
    if ttl is not None:
        notes.add("approximated", f"{param}.ttl", "30m->5m")
    return {"type": _EPHEMERAL}


def _control(control: object, where: str) -> Block:
    if not isinstance(control, dict) or control.get("type", _EPHEMERAL) != _EPHEMERAL:
        raise Refusal(where, "expected an object of the type ephemeral")
    ttl = control.get("ttl")
    if ttl is None:
        return {"type": _EPHEMERAL}
    if ttl not in _TTLS:
        raise Refusal(f"{where}.ttl", "expected 5m or 1h")
    return {"type": _EPHEMERAL, "ttl": ttl}


def mark_last(blocks: list[Block], control: Block) -> None:
    """Put a marker on the last block that can carry one."""
    for block in reversed(blocks):
        if block.get("type") not in _THOUGHTS:
            block.setdefault("cache_control", control)
            return


def bound(tools: list[Block], system: list[Block], turns: list[Block], notes: Notes, *, top: bool) -> int:
    """Keep the earliest marker of tools and system, and the latest ones; tell how many are left.

    Args:
        tools: Definitions.
        system: Blocks.
        turns: Messages.
        notes: Where it is told that some were dropped.
        top: There is one at the top level too.
    """
    if not notes.has_breakpoints:
        return 0
    early = [block for block in (*tools, *system) if "cache_control" in block]
    late: list[Block] = []
    for turn in turns:
        content = turn["content"]
        if isinstance(content, list):
            late += [block for block in content if "cache_control" in block]
    marked = early + late
    most = MOST - top
    if len(marked) <= most:
        return len(marked)
    kept = [*early[:1], *marked[len(early[:1]) :][-(most - len(early[:1])) :]]
    stays = {id(block) for block in kept}
    for block in marked:
        if id(block) not in stays:
            del block["cache_control"]
    notes.add("dropped", "cache_control", f"{len(marked) - len(kept)} of {len(marked)} breakpoints")
    return len(kept)
