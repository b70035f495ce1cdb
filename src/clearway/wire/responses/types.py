"""Items and tools of Responses, as far as they are read.

Source: `ResponseInputItemParam`, `ToolParam` and what they are made of in the `openai`
SDK 3.x; what Codex adds was measured (read 2026-11-21). Used by the other modules here.
"""

import msgspec

from clearway.wire.hub.typed import Json


class InputItem(msgspec.Struct):
    """One of `input`, of any type."""

    type: str | None = None
    id: str | None = None
    role: str | None = None
    content: str | list[Json] | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: object = None
    input: str | None = None
    output: str | list[Json] | None = None
    action: Json | None = None
    operation: Json | None = None
    status: str | None = None
    execution: str | None = None
    tools: list[object] | None = None
    encrypted_content: str | None = None
    cache_control: Json | None = None
    caller: Json | None = None


KNOWN_MEMBERS = frozenset(InputItem.__struct_fields__) | {
    # An answer's own members, sent back as they came: nothing is lost without them.
    "summary",
    "phase",
    "created_by",
    "created_at",
    "object",
    "environment",
    "max_output_length",
    "internal_chat_message_metadata_passthrough",
}


class FunctionTool(msgspec.Struct, rename={"is_async": "async"}):
    """A tool of the type `function`, or one of a namespace."""

    name: str
    description: str | None = None
    parameters: object = None
    strict: bool | None = None
    defer_loading: bool | None = None
    is_async: bool | None = None
    allowed_callers: list[str] | None = None
    output_schema: Json | None = None
    cache_control: Json | None = None


class CustomFormat(msgspec.Struct):
    """`format` of a custom tool."""

    type: str = "text"
    syntax: str = ""
    definition: str = ""


class CustomTool(msgspec.Struct, rename={"is_async": "async"}):
    """A tool of the type `custom`."""

    name: str
    description: str | None = None
    format: CustomFormat | None = None
    defer_loading: bool | None = None
    is_async: bool | None = None
    allowed_callers: list[str] | None = None
    cache_control: Json | None = None


class NamespaceTool(msgspec.Struct):
    """A tool of the type `namespace`."""

    name: str
    tools: list[Json]
    description: str | None = None


class TypedTool(msgspec.Struct):
    """Any tool."""

    type: str


class SearchTool(msgspec.Struct):
    """A tool of the type `tool_search`."""

    execution: str | None = None
    description: str | None = None
    parameters: object = None


class ShellTool(msgspec.Struct):
    """A tool of the type `shell`."""

    environment: Json | None = None


class Filters(msgspec.Struct):
    """`filters` of a search of the web."""

    allowed_domains: list[str] | None = None


class WebSearchTool(msgspec.Struct):
    """A tool of a type that begins with `web_search`."""

    filters: Filters | None = None
    user_location: Json | None = None
    search_context_size: str | None = None
    search_content_types: list[str] | None = None
    external_web_access: bool | None = None
