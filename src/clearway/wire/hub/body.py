"""What the body of a request is made of, and in what order. Pure: the same parts, the same bytes.

Owns what every spoke's request goes through last: which tools are offered, where the cache
breakpoints stand, whether a loop of calls may think.
Used by the translators of every spoke.
"""

import msgspec

from clearway.wire.hub.caching import bound, marker, with_ttl
from clearway.wire.hub.models import Abilities
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.structure import Structure
from clearway.wire.hub.thinking import Thought
from clearway.wire.hub.tools import Names, Wanted, choice
from clearway.wire.hub.turns import Block, Item, Turn, arrange
from clearway.wire.hub.typed import Json, named

_THOUGHTS = ("thinking", "redacted_thinking")


class CacheOptions(msgspec.Struct):
    """`prompt_cache_options`."""

    mode: str | None = None
    ttl: str | None = None


class OutputConfig(msgspec.Struct):
    """`output_config` of Messages."""

    effort: str | None = None
    format: Json | None = None


class Parts(msgspec.Struct, kw_only=True):
    """What one body is made of."""

    model: str
    """As it is asked for upstream."""
    abilities: Abilities
    param: str
    """How the client calls the conversation."""
    structure: Structure
    system: list[Block]
    items: list[Item]
    tools: list[Block]
    names: Names
    caches: bool
    """Breakpoints are set where the client sets none."""
    cache_control: Json | None = None
    """The client's, at the top level."""
    cache_options: CacheOptions | None = None


def loop_may_think(thought: Thought, items: list[Item], param: str, notes: Notes) -> Thought:
    """Generations with a budget want the turn before results to begin with what was thought: where
    the client has lost it, the model does not think this time.
    """
    if thought.thinking is None or thought.thinking.get("type") != "enabled":
        return thought
    held = [item for item in items if item.blocks]
    while held and held[-1].role != "assistant":
        held.pop()
    # The last turn of the assistant's may have come in pieces: what was thought, and each call.
    pieces: list[Item] = []
    while held and held[-1].role == "assistant":
        pieces.append(held.pop())
    turn = [block for piece in reversed(pieces) for block in piece.blocks]
    # A call without a result will be given one.
    if not any(block.get("type") == "tool_use" for block in turn) or turn[0].get("type") in _THOUGHTS:
        return thought
    notes.add("ignored", param, "the thinking of the turn before is missing")
    return msgspec.structs.replace(thought, thinking=None)


def body_of(parts: Parts, notes: Notes) -> tuple[Json, Block | None]:
    """The body as far as all spokes have it in common, and the `cache_control` that goes at its end.

    Raises:
        Refusal: Nothing is left to send.
    """
    structure = parts.structure
    may_prefill = not (structure.thought.is_on or structure.format or structure.json_tool)
    turns = arrange(parts.items, parts.abilities, notes, may_prefill=may_prefill, param=parts.param)
    system = [*parts.system, *structure.instructions]
    called = _called(turns) if [item for item in parts.items if item.has_calls] else []
    wanted, tools = _offered(structure, parts.tools, called)
    body: Json = {"model": parts.model, "max_tokens": structure.thought.max_tokens, "stream": True}
    top = _mark(parts, tools, turns, notes)
    if system:
        body["system"] = system
    if tools:
        body["tools"] = tools
        body |= named("tool_choice", choice(wanted, parts.names))
    body["messages"] = turns
    body |= named("thinking", structure.thought.thinking)
    body |= named("output_config", _output(structure))
    return body, top


def _offered(structure: Structure, tools: list[Block], called: list[str]) -> tuple[Wanted, list[Block]]:
    """What is offered of tools. Calls in the history want tools to be there, if only to be named."""
    if structure.json_tool is not None:
        return structure.wanted, [structure.json_tool]
    if structure.emulated is None and (tools or not called):
        return structure.wanted, tools
    if not tools:
        tools = [{"name": name, "input_schema": {"type": "object"}} for name in called]
    return Wanted(how="none"), tools if called else []


def _mark(parts: Parts, tools: list[Block], turns: list[Turn], notes: Notes) -> Block | None:
    """Set the cache breakpoints; return the one at the top level."""
    system, options = parts.system, parts.cache_options
    top = None
    if parts.cache_control is not None:
        top = marker({"cache_control": parts.cache_control}, "", notes)
    marked = bound(tools, system, turns, notes, top=top is not None)
    if options is not None and options.mode not in (None, "implicit", "explicit"):
        raise Refusal("prompt_cache_options.mode", "expected implicit or explicit")
    if marked or top is not None or (options is not None and options.mode == "explicit"):
        return top
    if not (parts.caches and parts.abilities.caches):
        return None
    control = with_ttl(options.ttl if options else None, "prompt_cache_options", notes)
    # What is the same in every conversation, by itself; and all that there is so far.
    for blocks in (system, tools):
        if blocks:
            blocks[-1]["cache_control"] = control
            break
    return control


def _called(turns: list[Turn]) -> list[str]:
    """The tools that were called in a conversation, each once."""
    names: dict[str, None] = {}
    for turn in turns:
        content = turn["content"]
        for block in content if isinstance(content, list) else ():
            if block.get("type") == "tool_use":
                names[str(block["name"])] = None
    return list(names)


def _output(structure: Structure) -> Block | None:
    made: Block = {}
    if structure.thought.effort is not None:
        made["effort"] = structure.thought.effort
    if structure.format is not None:
        made["format"] = structure.format
    return made or None
