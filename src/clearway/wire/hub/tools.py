"""Tools as Messages has them: names, definitions, who may be called.

Owns names that must be changed and can be changed back, definitions from parts, and what
becomes of a forced call where a model takes none. Pure.
Source: `ToolParam`, `ToolChoiceParam` of the `anthropic` SDK 2.x (read 2026-11-21).
Used by the translators of every spoke.
"""

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from clearway.wire.hub.models import Abilities
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.plan import Wrap
from clearway.wire.hub.schema import Schema, closed, tool_schema
from clearway.wire.hub.turns import Block

CALL_ONE = "Call at least one tool."
"""Asked for in words where it cannot be forced."""
_GOOD = re.compile(r"[A-Za-z0-9_-]{1,128}")
_BAD = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME = 128
_RAW_TEXT = "Pass the raw text in `input`."
SEARCH = "web_search"
"""The name of the upstream's own search."""
_SEARCH_TYPE = "web_search_20250305"
"""The version that all upstreams with a search know."""


class Names:
    """The names of one request, each with another that may be sent.

    Args:
        given: All of them, in order. Good ones stay; the others must make way for them.
    """

    def __init__(self, given: Iterable[str]) -> None:
        names = list(dict.fromkeys(given))
        self._sent = {name: name for name in names if _GOOD.fullmatch(name)}
        taken = set(self._sent)
        times: dict[str, int] = {}
        for name in names:
            if name not in self._sent:
                self._sent[name] = _free(_BAD.sub("_", name)[:_LONGEST_NAME] or "_", taken, times)
                taken.add(self._sent[name])

    def sent(self, name: str) -> str:
        """What is sent for a name of the client's."""
        return self._sent.get(name, name)

    def changed(self) -> dict[str, str]:
        """The client's name, by what is sent for it, where they differ."""
        return {sent: name for name, sent in self._sent.items() if sent != name}


def _free(name: str, taken: set[str], times: dict[str, int]) -> str:
    free = name
    while free in taken:
        times[name] = times.get(name, 1) + 1
        end = f"_{times[name]}"
        free = name[: _LONGEST_NAME - len(end)] + end
    return free


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool of the client's."""

    name: str
    """As the client calls it."""
    where: str
    """How the client would name it: `tools[3]`."""
    inside: str = ""
    """Where in it its members stand: `.function`."""
    description: str | None = None
    schema: object = None
    """What the client says of its arguments."""
    is_strict: bool = False
    is_custom: bool = False
    """It takes text; its grammar, if it has one, stands in the description."""
    cache_control: Block | None = None


class Place(msgspec.Struct, omit_defaults=True):
    """About where who asks is."""

    city: str | None = None
    country: str | None = None
    region: str | None = None
    timezone: str | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to be called."""

    how: Literal["auto", "any", "tool", "none"] = "auto"
    name: str | None = None
    """The client's, of the one that is to be called."""
    is_single: bool = False
    """One call at a time."""
    is_said: bool = False
    """The client said something of it."""


def definitions(
    tools: list[Tool], names: Names, abilities: Abilities, notes: Notes
) -> tuple[list[Block], dict[str, Wrap]]:
    """The `tools` to send, and which of them have their arguments within one member.

    Raises:
        Refusal: Two tools of one name, or a schema that is none.
    """
    made: dict[str, Block] = {}
    wrapped: dict[str, Wrap] = {}
    for tool in tools:
        name = names.sent(tool.name)
        block, wrap = _definition(tool, name, abilities, notes)
        if name in made:
            if made[name] != block:
                raise Refusal(tool.where, f"there is another tool of the name {tool.name[:64]!r}")
            continue
        made[name] = block
        if wrap is not None:
            wrapped[name] = wrap
    for tool in tools if notes.marks else ():
        notes.mark(made[names.sent(tool.name)], tool.where)
    return list(made.values()), wrapped


def _definition(tool: Tool, name: str, abilities: Abilities, notes: Notes) -> tuple[Block, Wrap | None]:
    block: Block = {"name": name}
    wrap: Wrap | None = None
    description = tool.description or ""
    if tool.is_custom:
        description = f"{description}\n\n{_RAW_TEXT}".strip()
        schema: Schema = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
        wrap = "input"
    else:
        schema, is_wrapped = tool_schema(tool.schema, tool.where)
        wrap = "value" if is_wrapped else None
    if description:
        block["description"] = description
    block["input_schema"] = schema
    if tool.is_strict:
        if abilities.json_schema and wrap is None and _fits(schema, tool.where):
            block["strict"] = True
        else:
            notes.add("ignored", f"{tool.where}{tool.inside}.strict")
    if tool.cache_control is not None:
        block["cache_control"] = tool.cache_control
    return block, wrap


def _fits(schema: Schema, where: str) -> bool:
    made = closed(schema, where)
    return made.is_exact and not made.is_open and not made.is_too_large and made.schema == schema


def choice(wanted: Wanted, names: Names) -> Block | None:
    """The `tool_choice` to send; None: there is nothing to say."""
    if wanted.how == "none":
        return {"type": "none"}
    single: Block = {"disable_parallel_tool_use": True} if wanted.is_single else {}
    if wanted.how == "tool":
        return {"type": "tool", "name": names.sent(wanted.name or ""), **single}
    if wanted.how == "any":
        return {"type": "any", **single}
    return {"type": "auto", **single} if single or wanted.is_said else None


def search_block(place: object = None, domains: list[str] | None = None, most: int | None = None) -> Block:
    """The upstream's own search of the web.

    Args:
        place: About where who asks is, as an object of JSON.
        domains: What alone may be searched.
        most: So many searches.
    """
    block: Block = {"type": _SEARCH_TYPE, "name": SEARCH}
    if isinstance(place, dict):
        block["user_location"] = {"type": "approximate", **place}
    if domains:
        block["allowed_domains"] = domains
    if most is not None:
        block["max_uses"] = most
    return block
