"""Tools and who is to be called, as Chat Completions says it. Pure.

Source: `ChatCompletionToolUnionParam`, `ChatCompletionToolChoiceOptionParam` and the older
`functions` of the `openai` SDK 3.x (read 2026-11-21).
Used by request.py.
"""

from collections.abc import Mapping

import msgspec

from clearway.wire.chat.types import FunctionTool, ToolParam
from clearway.wire.hub.caching import marker
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.tools import Place, Tool, Wanted, search_block
from clearway.wire.hub.turns import Block
from clearway.wire.hub.typed import Json, flag, listed, typed

_CHOICES = ("auto", "none", "required")


class Offer(msgspec.Struct, frozen=True):
    """What a request says of tools."""

    tools: list[Tool]
    wanted: Wanted
    is_legacy: bool = False
    """It says `functions`: one call at a time, answered as `function_call`."""


class _Location(msgspec.Struct):
    type: str = "approximate"
    approximate: Place | None = None


class _Search(msgspec.Struct):
    search_context_size: str | None = None
    user_location: _Location | None = None


class _Named(msgspec.Struct):
    name: str


class _Allowed(msgspec.Struct):
    mode: str
    tools: list[Json]


class _Choice(msgspec.Struct):
    type: str = "function"
    function: _Named | None = None
    custom: _Named | None = None
    allowed_tools: _Allowed | None = None


def read_tools(fields: Mapping[str, object], notes: Notes) -> Offer:
    """The tools of a request.

    Raises:
        Refusal: A tool of a type that is not there, or a choice that cannot be.
    """
    functions = fields.get("functions")
    if functions is not None and fields.get("tools") is None:
        tools = [_legacy(one, f"functions[{place}]") for place, one in enumerate(listed(functions, "functions"))]
        wanted = _legacy_choice(fields.get("function_call"), tools)
        return Offer(tools, wanted, is_legacy=True)
    given = fields.get("tools")
    tools = [] if given is None else [_tool(one, f"tools[{n}]", notes) for n, one in enumerate(listed(given, "tools"))]
    is_single = flag(fields.get("parallel_tool_calls"), "parallel_tool_calls") is False
    return _chosen(fields.get("tool_choice"), tools, notes, is_single=is_single)


def search_tool(fields: Mapping[str, object], notes: Notes) -> Block | None:
    """The upstream's own search of the web, where the client wants it.

    Raises:
        Refusal: It is described in a way that is not known.
    """
    given = fields.get("web_search_options")
    if given is None:
        return None
    options = typed(given, _Search, "web_search_options")
    if options.search_context_size not in (None, "medium"):
        notes.add("ignored", "web_search_options.search_context_size")
    location = options.user_location
    place = None if location is None or location.approximate is None else msgspec.to_builtins(location.approximate)
    return search_block(place)


def _tool(raw: object, where: str, notes: Notes) -> Tool:
    given = typed(raw, ToolParam, where)
    if given.type == "custom" and given.custom is not None:
        return _custom(given, where, notes)
    if given.type != "function":
        hint = "tools of the types function and custom are"
        raise Refusal(
            f"{where}.type", f"tools of the type {given.type[:40]!r} are not served", "unsupported_value", hint=hint
        )
    if given.function is None:
        raise Refusal(f"{where}.function", "it is missing", "missing_required_parameter")
    return _function(given.function, where, given.cache_control)


def _function(function: FunctionTool, where: str, control: Json | None) -> Tool:
    if not function.name:
        raise Refusal(f"{where}.function.name", "it is empty")
    marked = {"cache_control": control or function.cache_control}
    return Tool(
        name=function.name,
        where=where,
        inside=".function",
        description=function.description,
        schema=function.parameters,
        is_strict=bool(function.strict),
        cache_control=marker(marked, where, Notes()),
    )


def _custom(given: ToolParam, where: str, notes: Notes) -> Tool:
    custom = given.custom
    assert custom is not None  # noqa: S101  # `_tool` has looked
    description = custom.description or ""
    form = custom.format
    if form is not None and form.type == "grammar" and form.grammar is not None:
        notes.add("not_enforced", f"{where}.custom.format", "grammar")
        grammar = f"The text must follow this {form.grammar.syntax} grammar:\n{form.grammar.definition}"
        description = f"{description}\n\n{grammar}".strip()
    control = marker({"cache_control": given.cache_control}, where, notes)
    return Tool(name=custom.name, where=where, description=description, is_custom=True, cache_control=control)


def _chosen(raw: object, tools: list[Tool], notes: Notes, *, is_single: bool) -> Offer:
    known = {tool.name for tool in tools}
    if raw is None:
        return Offer(tools, Wanted(is_single=is_single))
    if isinstance(raw, str):
        if raw not in _CHOICES:
            raise Refusal("tool_choice", f"{raw[:40]!r} is no choice; {', '.join(_CHOICES)} are")
        if raw == "required" and not tools:
            raise Refusal("tool_choice", "a tool is required, and there is none")
        how = "any" if raw == "required" else raw
        return Offer(tools, Wanted(how=how, is_single=is_single, is_said=True))  # type: ignore[arg-type]  # one of _CHOICES
    choice = typed(raw, _Choice, "tool_choice")
    if choice.allowed_tools is not None:
        return _allowed(choice.allowed_tools, tools, notes, is_single=is_single)
    named = choice.function or choice.custom
    if named is None:
        raise Refusal("tool_choice", "expected the name of a tool", "unsupported_value")
    if named.name not in known:
        raise Refusal("tool_choice", f"there is no tool {named.name[:64]!r} among tools")
    return Offer(tools, Wanted(how="tool", name=named.name, is_single=is_single, is_said=True))


def _allowed(allowed: _Allowed, tools: list[Tool], notes: Notes, *, is_single: bool) -> Offer:
    names = set()
    for place, raw in enumerate(allowed.tools):
        one = typed(raw, _Choice, f"tool_choice.allowed_tools.tools[{place}]")
        named = one.function or one.custom
        if named is not None:
            names.add(named.name)
    kept = [tool for tool in tools if tool.name in names]
    if not kept:
        raise Refusal("tool_choice.allowed_tools.tools", "it names none of the tools")
    if len(kept) < len(tools):
        # What was cached of the whole list of tools does not fit any more.
        notes.add("mapped", "tool_choice", "tools_filtered")
    how = "any" if allowed.mode == "required" else "auto"
    return Offer(kept, Wanted(how=how, is_single=is_single, is_said=True))  # type: ignore[arg-type]  # one of both


def _legacy(raw: object, where: str) -> Tool:
    return _function(typed(raw, FunctionTool, where), where, None)


def _legacy_choice(raw: object, tools: list[Tool]) -> Wanted:
    if raw is None or raw == "auto":
        return Wanted(is_single=True, is_said=True)
    if raw == "none":
        return Wanted(how="none")
    named = typed(raw, _Named, "function_call")
    if named.name not in {tool.name for tool in tools}:
        raise Refusal("function_call", f"there is no function {named.name[:64]!r} among functions")
    return Wanted(how="tool", name=named.name, is_single=True, is_said=True)
