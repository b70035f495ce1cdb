"""Messages and tools of Chat Completions, as far as they are read.

Source: `ChatCompletionMessageParam` and what it is made of in the `openai` SDK 3.x; the
members in which thoughts and cache breakpoints travel are those of the programs in
use (read 2026-11-21). Used by the other modules here.
"""

import msgspec

from clearway.wire.hub.typed import Json


class FunctionCall(msgspec.Struct):
    """`function` of a call, or the older `function_call`."""

    name: str
    arguments: str | Json | None = None


class CustomCall(msgspec.Struct):
    """`custom` of a call."""

    name: str
    input: str = ""


class ToolCall(msgspec.Struct):
    """One of `tool_calls`."""

    id: str | None = None
    type: str | None = None
    function: FunctionCall | None = None
    custom: CustomCall | None = None


class Message(msgspec.Struct):
    """One of `messages`, of any role."""

    role: str
    content: str | list[Json] | Json | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None
    refusal: str | None = None
    audio: Json | None = None
    reasoning_details: list[Json] | None = None
    thinking_blocks: list[Json] | None = None
    cache_control: Json | None = None
    is_error: bool | None = None


KNOWN_MEMBERS = frozenset(Message.__struct_fields__) | {
    # An answer's own members, sent back as they came: nothing is lost without them.
    "annotations",
    "reasoning_content",
    "reasoning",
    "id",
    "provider_specific_fields",
    # Of Gemini and other vendors' own, meaningless here but harmless.
    "tool_call_index",
}


class FunctionTool(msgspec.Struct):
    """`function` of a tool, or one of the older `functions`."""

    name: str
    description: str | None = None
    parameters: object = None
    strict: bool | None = None
    cache_control: Json | None = None


class GrammarFormat(msgspec.Struct):
    """`grammar` of a custom tool's format."""

    syntax: str = ""
    definition: str = ""


class CustomFormat(msgspec.Struct):
    """`format` of a custom tool."""

    type: str
    grammar: GrammarFormat | None = None


class CustomTool(msgspec.Struct):
    """`custom` of a tool."""

    name: str
    description: str | None = None
    format: CustomFormat | None = None


class ToolParam(msgspec.Struct):
    """One of `tools`."""

    type: str = "function"
    function: FunctionTool | None = None
    custom: CustomTool | None = None
    cache_control: Json | None = None
