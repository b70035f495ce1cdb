"""A request of Responses as one of Messages, row by row.

Ids are those of `acceptance.py`; a row's comment or its group says where the rule is from. Every
body that is sent is checked by the types of the `anthropic` SDK.
"""

import base64
import json

import pytest

from clearway.wire.hub.calls import BROKEN
from clearway.wire.hub.turns import GO_ON, NO_RESULT, RESUMED
from tests.responses.requesting import PNG, Json, ask, call, function, message, output, sealed, sent
from tests.upstream_types import MISSING, at

EPHEMERAL = {"type": "ephemeral"}
USER = message("user", "hi")
SAID = message("assistant", [{"type": "output_text", "text": "hello ", "annotations": []}])
TEXT = {"type": "text", "text": "hi"}
THOUGHT = {"type": "thinking", "thinking": "hm \u20ac", "signature": "c2ln"}
HIDDEN = {"type": "redacted_thinking", "data": "ZGF0YQ=="}
PDF = base64.b64encode(b"%PDF-1.7 x").decode()
IMAGE_PART = {"type": "input_image", "image_url": PNG, "detail": "high"}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
PATCH_TOOL: Json = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}
AGENTS: Json = {
    "type": "namespace",
    "name": "multi_agent_v1",
    "description": "Agents.",
    "tools": [function("spawn_agent"), function("close_agent")],
}
FINDS: Json = {"type": "tool_search", "execution": "client", "parameters": SCHEMA}


def _text(**members: object) -> Json:
    return {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True, **members}}}


Expected = dict[str, object]
ITEMS = [
    # Source: `input` of `ResponseCreateParamsBase`, `ResponseInputItemParam` (openai SDK 3.52).
    pytest.param({"input": "hi"}, {"system": MISSING, "messages": [{"role": "user", "content": [TEXT]}]}, id="R1"),
    pytest.param(
        {"instructions": "a", "input": [message("developer", "b"), message("system", "c"), USER]},
        {"system.0.text": "a", "system.1.text": "b", "system.2.text": "c", "messages.0.content.0": TEXT},
        id="R2",
    ),
    pytest.param(
        {
            "input": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": "x"},
                {"role": "user", "content": "y"},
            ]
        },
        {"messages.0.content": [TEXT], "messages.1.content.0.text": "x", "messages.2.content.0.text": "y"},
        id="R3",
    ),
    pytest.param(
        {"input": [message("user", [{"type": "input_text", "text": "hi"}, IMAGE_PART])]},
        {"messages.0.content.0": TEXT, "messages.0.content.1.source.media_type": "image/png"},
        id="R3-parts",
    ),
    pytest.param(
        {"input": [USER, message("developer", "x"), USER]},
        {
            "messages.0.content": [TEXT, TEXT],
            "messages.1": {"role": "system", "content": [{"type": "text", "text": "x"}]},
        },
        id="b11-developer-in-the-middle",
    ),
    pytest.param(
        {"input": [message("user", [{"type": "input_text", "text": " "}]), USER]},
        {"messages.0.content": [TEXT]},
        id="b11-no-empty-text",
    ),
    pytest.param({"input": [SAID, USER]}, {"messages.0.content.0.text": RESUMED}, id="b11-begins-with-assistant"),
    pytest.param(
        {"input": [USER, SAID]},
        {"messages.2.content.0.text": GO_ON, "messages.3": MISSING},
        id="b11-ends-with-assistant",
    ),
    pytest.param(
        {"input": [USER, message("assistant", [{"type": "refusal", "refusal": "no"}], phase="final_answer"), USER]},
        {"messages.1.content.0.text": "no"},
        id="b11-refusal",
    ),
    # Calls and outputs.
    pytest.param(
        {"input": [USER, call("a", "f", '{"x": 1}'), output("a", [{"type": "input_text", "text": "t"}, IMAGE_PART])]},
        {
            "messages.1.content": [{"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}],
            "messages.2.content.0.type": "tool_result",
            "messages.2.content.0.tool_use_id": "a",
            "messages.2.content.0.content.0.text": "t",
            "messages.2.content.0.content.1.source.media_type": "image/png",
        },
        id="R4",
    ),
    pytest.param(
        {"input": [USER, call("a", "f"), message("user", "and?"), call("b", "f"), output("b", "2"), output("a", "1")]},
        {
            "messages.1.content.0.id": "a",
            "messages.2.content.0.tool_use_id": "a",
            "messages.2.content.0.content": "1",
            "messages.2.content.1.text": "and?",
            "messages.4.content.0.content": "2",
        },
        id="R5-text-before-the-output",
    ),
    pytest.param(
        {"input": [USER, call("a", "f"), call("b", "f"), output("b", "2"), output("a", "1"), message("user", "and?")]},
        {
            "messages.2.content.0.content": "1",
            "messages.2.content.1.content": "2",
            "messages.2.content.2.text": "and?",
            "messages.3": MISSING,
        },
        id="R5",
    ),
    pytest.param(
        {"input": [USER, call("a", "f"), USER]},
        {"messages.2.content.0.content": NO_RESULT, "messages.2.content.0.is_error": True},
        id="b4-call-without-output",
    ),
    pytest.param(
        {"input": [USER, output("z", "late")]},
        {"messages.0.content.1.text": "[Result of an earlier tool call z]", "messages.0.content.2.text": "late"},
        id="b4-output-without-call",
    ),
    pytest.param(
        {"input": [USER, call("a", "f", '{"x": '), output("a")]},
        {"messages.1.content.0.input": {BROKEN: '{"x": '}},
        id="b16-broken-arguments",
    ),
    pytest.param(
        {"input": [USER, call("a", "f", ""), output("a", "")]},
        {"messages.1.content.0.input": {}, "messages.2.content.0.content": MISSING},
        id="b16-empty-arguments",
    ),
    pytest.param(
        {
            "input": [
                USER,
                call("a", "f"),
                call("b", "g"),
                {"type": "function_call_output", "name": "g", "output": "x"},
                output("a"),
            ]
        },
        {"messages.2.content.1.tool_use_id": "b", "messages.2.content.1.content": "x"},
        id="b4-output-by-name",
    ),
    # Images and files: `ResponseInputFileParam`, `ResponseInputImageParam`.
    pytest.param(
        {
            "input": [
                message(
                    "user",
                    [{"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}],
                )
            ]
        },
        {"messages.0.content.0.source.media_type": "application/pdf", "messages.0.content.0.title": "a.pdf"},
        id="b15-file-data",
    ),
    pytest.param(
        {"input": [message("user", [{"type": "input_file", "file_url": "https://example.com/a.pdf"}])]},
        {"messages.0.content.0.source": {"type": "url", "url": "https://example.com/a.pdf"}},
        id="b15-file-url",
    ),
    pytest.param(
        {"input": [message("user", [{"type": "input_image", "image_url": "https://example.com/a.png"}])]},
        {"messages.0.content.0.source": {"type": "url", "url": "https://example.com/a.png"}},
        id="b15-image-url",
    ),
    pytest.param(
        {
            "input": [
                USER,
                call("a", "f"),
                output("a", [{"type": "input_file", "file_data": f"data:application/pdf;base64,{PDF}"}]),
            ]
        },
        {"messages.2.content.0.content.0.source.media_type": "application/pdf"},
        id="b15-file-in-an-output",
    ),
    # Thinking: spec 3.7.
    pytest.param(
        {"input": [USER, sealed([THOUGHT, HIDDEN]), call("a", "f"), output("a")]},
        {"messages.1.content.0": THOUGHT, "messages.1.content.1": HIDDEN, "messages.1.content.2.type": "tool_use"},
        id="R15",
    ),
    pytest.param(
        {
            "input": [
                USER,
                sealed([THOUGHT]),
                call("a", "f"),
                sealed([HIDDEN]),
                call("b", "f"),
                output("a"),
                output("b"),
            ]
        },
        {
            "messages.1.content.1.id": "a",
            "messages.1.content.2": HIDDEN,
            "messages.1.content.3.id": "b",
            "messages.2.content.1.tool_use_id": "b",
        },
        id="R15-in-the-order-of-items",
    ),
    pytest.param(
        {"input": [USER, {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "gAAAAfo"}, SAID, USER]},
        {"messages.1.content": [{"type": "text", "text": "hello "}]},
        id="R16",
    ),
    pytest.param(
        {"input": [USER, sealed([THOUGHT], "claude-opus-5-5"), SAID, USER]},
        {"messages.1.content.0.type": "text"},
        id="R16-of-another-model",
    ),
    pytest.param(
        {"input": [USER, sealed([THOUGHT]), USER]}, {"messages.0.content": [TEXT, TEXT]}, id="b5-nothing-follows"
    ),
    # Custom tools, tool search, namespaces, additional tools: spec 3.5, Codex measured.
    pytest.param(
        {
            "tools": [PATCH_TOOL],
            "input": [
                USER,
                {"type": "custom_tool_call", "call_id": "a", "name": "apply_patch", "input": "*** Begin"},
                {"type": "custom_tool_call_output", "call_id": "a", "output": "ok"},
            ],
        },
        {
            "tools.0.name": "apply_patch",
            "tools.0.input_schema.required": ["input"],
            "messages.1.content.0.input": {"input": "*** Begin"},
            "messages.2.content.0.content": "ok",
        },
        id="R10",
    ),
    pytest.param(
        {
            "tools": [AGENTS],
            "input": [USER, call("a", "close_agent", namespace="multi_agent_v1"), output("a")],
        },
        {
            "tools.0.name": "multi_agent_v1__spawn_agent",
            "tools.0.description": "multi_agent_v1: Agents.",
            "tools.1.name": "multi_agent_v1__close_agent",
            "messages.1.content.0.name": "multi_agent_v1__close_agent",
        },
        id="R7",
    ),
    pytest.param(
        {"input": [{"type": "additional_tools", "role": "developer", "tools": [function("f"), AGENTS]}, USER]},
        {"tools.0.name": "f", "tools.2.name": "multi_agent_v1__close_agent", "messages.0.content": [TEXT]},
        id="R8",
    ),
    pytest.param(
        {
            "tools": [function("f", description="top")],
            "input": [
                {"type": "additional_tools", "role": "developer", "tools": [function("f")]},
                message("developer", "d"),
                USER,
            ],
        },
        {"tools.0.description": "top", "tools.1": MISSING, "system.0.text": "d"},
        id="R8-the-request-wins",
    ),
    pytest.param(
        {
            "tools": [FINDS],
            "input": [
                USER,
                {"type": "tool_search_call", "call_id": "a", "execution": "client", "arguments": {"n": 1}},
                {
                    "type": "tool_search_output",
                    "call_id": "a",
                    "execution": "client",
                    "tools": [function("g", defer_loading=True)],
                },
            ],
        },
        {
            "tools.0.name": "tool_search",
            "tools.0.input_schema.required": ["n"],
            "tools.1.name": "g",
            "messages.1.content.0.input": {"n": 1},
            "messages.2.content.0.content": "Found: g",
        },
        id="R9",
    ),
    # Tools that the client runs by a form of OpenAI's: `LocalShellCall`, `ShellCall`, `ApplyPatchCall`.
    pytest.param(
        {
            "tools": [{"type": "local_shell"}],
            "input": [
                USER,
                {
                    "type": "local_shell_call",
                    "id": "lsh_1",
                    "call_id": "a",
                    "status": "completed",
                    "action": {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": None},
                },
                {"type": "local_shell_call_output", "id": "lsh_1", "output": "x"},
            ],
        },
        {
            "tools.0.name": "local_shell",
            "messages.1.content.0.input": {"command": ["ls"]},
            "messages.2.content.0.content": "x",
        },
        id="R4-local-shell",
    ),
    pytest.param(
        {
            "tools": [{"type": "shell", "environment": {"type": "local"}}],
            "input": [
                USER,
                {"type": "shell_call", "call_id": "a", "action": {"commands": ["ls", "false"], "timeout_ms": 5}},
                {
                    "type": "shell_call_output",
                    "call_id": "a",
                    "output": [
                        {"stdout": "x\n", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}},
                        {"stdout": "", "stderr": "no", "outcome": {"type": "timeout"}},
                    ],
                },
            ],
        },
        {
            "tools.0.name": "shell",
            "messages.1.content.0.input": {"commands": ["ls", "false"], "timeout_ms": 5},
            "messages.2.content.0.content.0.text": "x\n(exit code 0)",
            "messages.2.content.0.content.1.text": "no\n(timed out)",
        },
        id="R4-shell",
    ),
    pytest.param(
        {
            "tools": [{"type": "apply_patch"}],
            "input": [
                USER,
                {
                    "type": "apply_patch_call",
                    "call_id": "a",
                    "status": "completed",
                    "operation": {"type": "delete_file", "path": "x"},
                },
                {"type": "apply_patch_call_output", "call_id": "a", "status": "failed", "output": "gone"},
            ],
        },
        {
            "tools.0.input_schema.required": ["type", "path"],
            "messages.1.content.0.input": {"type": "delete_file", "path": "x"},
            "messages.2.content.0.content": "gone",
            "messages.2.content.0.is_error": True,
        },
        id="R4-apply-patch",
    ),
    # What others did.
    pytest.param(
        {
            "input": [
                USER,
                {
                    "type": "web_search_call",
                    "id": "ws",
                    "status": "completed",
                    "action": {"type": "search", "query": "q"},
                },
                {"type": "mcp_call", "id": "m", "server_label": "s", "name": "n", "arguments": "{}", "output": "o"},
                {"type": "file_search_call", "id": "f", "queries": ["q"], "results": [{"filename": "a", "text": "t"}]},
                {"type": "code_interpreter_call", "id": "c", "code": "1", "outputs": [{"type": "logs", "logs": "2"}]},
                USER,
            ]
        },
        {
            "messages.1.content.0.text": "[Called s.n({})]\no",
            "messages.1.content.1.text": "[Called file search: q]\na\nt",
            "messages.1.content.2.text": "[Called code:\n1]\n2",
            "messages.1.content.3": MISSING,
        },
        id="b20",
    ),
]


@pytest.mark.parametrize(("fields", "expected"), ITEMS)
def test_items(fields: Json, expected: Expected) -> None:
    """Each item becomes what the row says, in a body that is a request by the SDK's types."""
    body = sent(ask(**fields))

    assert expected == {path: at(body, path) for path in expected}


FIELDS = [
    # Bounds and sampling: `docs/chat-completions.md`, the same in both formats.
    pytest.param("claude-sonnet-5-5", {}, {"max_tokens": 64_000, "stream": True}, id="b18-no-bound"),
    pytest.param("claude-sonnet-5-5", {"max_output_tokens": 7}, {"max_tokens": 7}, id="b18-bound"),
    pytest.param("claude-sonnet-4-5", {"temperature": 1.7}, {"temperature": 1}, id="b18-clamped"),
    pytest.param("claude-opus-5", {"temperature": 0.2}, {"temperature": MISSING}, id="b18-not-taken"),
    # `reasoning`: spec 3.4.
    pytest.param(
        "claude-opus-5",
        {"reasoning": {"effort": "high", "summary": "auto"}},
        {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config.effort": "high"},
        id="b18-effort-and-summary",
    ),
    pytest.param(
        "claude-opus-5", {"reasoning": {"effort": "low"}}, {"thinking": {"type": "adaptive"}}, id="b18-no-summary"
    ),
    pytest.param(
        "claude-opus-5-5", {}, {"thinking": {"type": "adaptive", "display": "summarized"}}, id="b18-always-shown"
    ),
    pytest.param("claude-opus-5", {"reasoning": {"effort": "none"}}, {"thinking.type": "disabled"}, id="b18-none"),
    pytest.param(
        "claude-sonnet-4-5",
        {"reasoning": {"effort": "medium"}},
        {"thinking": {"type": "enabled", "budget_tokens": 8192}, "max_tokens": 16_384},
        id="b18-budget",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {"reasoning": {"effort": "high"}, "tools": [function("f")], "input": [USER, call("a", "f"), output("a")]},
        {"thinking": MISSING},
        id="b5-thoughts-that-were-lost",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {
            "reasoning": {"effort": "high"},
            "tools": [function("f")],
            "input": [USER, call("a", "f"), output("a"), USER],
        },
        {"thinking": MISSING},
        id="b5-thoughts-that-were-lost-and-a-word-behind",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {"reasoning": {"effort": "high"}, "tools": [function("f")], "input": [USER, call("a", "f"), USER]},
        {"thinking": MISSING},
        id="b5-thoughts-that-were-lost-and-no-output",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {
            "reasoning": {"effort": "high"},
            "tools": [function("f")],
            "input": [USER, call("a", "f"), output("a"), SAID, USER],
        },
        {"thinking.type": "enabled"},
        id="b5-a-loop-that-is-over",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {
            "reasoning": {"effort": "high"},
            "tools": [function("f")],
            "input": [USER, sealed([THOUGHT], "claude-sonnet-4-5"), call("a", "f"), output("a")],
        },
        {"thinking.type": "enabled", "messages.1.content.0": THOUGHT},
        id="b5-thoughts-that-came-back",
    ),
    # `text.format`: spec 3.6.
    pytest.param(
        "claude-sonnet-5-5",
        _text(description="a number"),
        {
            "output_config.format.type": "json_schema",
            "output_config.format.schema.additionalProperties": False,
            "output_config.format.schema.description": "a number",
        },
        id="R6",
    ),
    pytest.param(
        "claude-3-haiku",
        _text(),
        {"tools.0.name": "json_output", "tool_choice.name": "json_output"},
        id="b19-by-a-tool",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"text": {"format": {"type": "json_object"}}},
        {"system.0.text": "Reply with one JSON object only."},
        id="b19-json-object",
    ),
    pytest.param(
        "claude-sonnet-5-5", {"text": {"format": {"type": "text"}}}, {"output_config": MISSING}, id="b19-text"
    ),
    # Tools and `tool_choice`: spec 3.5.
    pytest.param(
        "claude-sonnet-5-5",
        {"tools": [], "tool_choice": "auto"},
        {"tools": MISSING, "tool_choice": MISSING},
        id="b16-no-tools",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {"tools": [function("f")], "tool_choice": "required"},
        {"tool_choice": {"type": "any"}},
        id="b16-required",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {"tools": [function("f"), function("g")], "tool_choice": {"type": "function", "name": "g"}},
        {"tool_choice": {"type": "tool", "name": "g"}},
        id="b16-by-name",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {"tools": [AGENTS], "tool_choice": {"type": "function", "name": "close_agent"}},
        {"tool_choice.name": "multi_agent_v1__close_agent"},
        id="b16-by-name-of-a-namespace",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {"tools": [PATCH_TOOL], "tool_choice": {"type": "custom", "name": "apply_patch"}},
        {"tool_choice.name": "apply_patch"},
        id="b16-custom-by-name",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {"tools": [{"type": "shell"}], "tool_choice": {"type": "shell"}},
        {"tool_choice.name": "shell"},
        id="b16-shell-by-type",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search_preview"}},
        {"tool_choice.name": "web_search"},
        id="b20-search-by-type",
    ),
    pytest.param(
        "claude-opus-5-5",
        {"tools": [function("f")], "tool_choice": {"type": "function", "name": "f"}},
        {"output_config.format.schema.required": ["city"], "tools": MISSING},
        id="b16-answered-as-a-call",
    ),
    pytest.param(
        "claude-opus-5-5",
        {"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}},
        {"tool_choice": {"type": "auto"}, "system.0.text": "Call at least one tool."},
        id="b20-search-that-cannot-be-forced",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "tools": [function("f"), AGENTS, {"type": "web_search"}],
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "namespace", "name": "multi_agent_v1"}],
            },
        },
        {"tools.0.name": "multi_agent_v1__spawn_agent", "tools.2": MISSING, "tool_choice": {"type": "auto"}},
        id="b16-allowed-tools",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"tools": [function("f")], "tool_choice": "none"},
        {"tool_choice": {"type": "none"}, "tools.0.name": "f"},
        id="b16-none",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"tools": [function("f")], "parallel_tool_calls": False},
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        id="b16-one-at-a-time",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"tools": [function("f", strict=True)]},
        {"tools.0.strict": MISSING},
        id="b16-strict-but-open",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "tools": [
                {
                    "type": "function",
                    "name": "f",
                    "parameters": {**SCHEMA, "additionalProperties": False},
                    "strict": True,
                }
            ]
        },
        {"tools.0.strict": True},
        id="b16-strict",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"tools": [{"type": "function", "name": "f", "parameters": None, "strict": None}]},
        {"tools.0.input_schema": {"type": "object", "properties": {}}},
        id="b16-no-parameters",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "tools": [
                {
                    "type": "web_search_2025_08_26",
                    "filters": {"allowed_domains": ["example.com"]},
                    "user_location": {"type": "approximate", "city": "Bern", "country": None},
                }
            ],
            "max_tool_calls": 3,
        },
        {
            "tools.0.name": "web_search",
            "tools.0.allowed_domains": ["example.com"],
            "tools.0.user_location": {"type": "approximate", "city": "Bern"},
            "tools.0.max_uses": 3,
        },
        id="b20-search",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"tools": [function("f"), {"type": "web_search", "external_web_access": False}]},
        {"tools.0.name": "f", "tools.1": MISSING},
        id="R12",
    ),
    # Who asks, how fast, what is kept in the cache.
    pytest.param("claude-sonnet-5-5", {"user": "a@b.c"}, {"metadata.user_id": f"usr_{5:032d}"}, id="b18-user"),
    pytest.param(
        "claude-sonnet-5-5",
        {"user": "a@b.c", "safety_identifier": "x"},
        {"metadata.user_id": f"usr_{1:032d}"},
        id="b18-safety-identifier",
    ),
    pytest.param("claude-sonnet-5-5", {"service_tier": "default"}, {"service_tier": "standard_only"}, id="b18-tier"),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "input": [
                message("user", [{"type": "input_text", "text": "hi", "prompt_cache_breakpoint": {"mode": "explicit"}}])
            ]
        },
        {"messages.0.content.0.cache_control": EPHEMERAL},
        id="b13-breakpoint",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "input": [
                USER,
                call("a", "f"),
                output("a", [{"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}]),
            ]
        },
        {"messages.2.content.0.cache_control": EPHEMERAL},
        id="b13-breakpoint-in-an-output",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"caches": True, "instructions": "s"},
        {"system.0.cache_control": EPHEMERAL, "cache_control": EPHEMERAL},
        id="b13-our-own",
    ),
]


@pytest.mark.parametrize(("model", "fields", "expected"), FIELDS)
def test_fields(model: str, fields: Json, expected: Expected) -> None:
    """Each field becomes what the row says, in a body that is a request by the SDK's types."""
    body = sent(ask(model, **fields))

    assert expected == {path: at(body, path) for path in expected}


def test_a_grammar_is_told_to_the_model() -> None:
    """R10: a custom tool's grammar stands in its description, and the plan knows that its text is wrapped."""
    translated = ask(tools=[PATCH_TOOL])

    assert "lark grammar:\nstart: /.+/" in str(at(sent(translated), "tools.0.description"))
    assert {"apply_patch": "input"} == translated.plan.wrapped
    assert "custom" == translated.form.tools["apply_patch"].kind


def test_thoughts_come_back_to_the_byte() -> None:
    """R15, b6: what was sealed is the same JSON when it goes upstream again, empty thoughts and hidden ones too."""
    blocks = [{"type": "thinking", "thinking": "", "signature": "x=="}, HIDDEN, THOUGHT]
    translated = ask(input=[USER, sealed(blocks), SAID, USER])

    assert blocks == at(sent(translated), "messages.1.content")[:3]  # type: ignore[index]  # a list
    for block in blocks:
        assert json.dumps(block, ensure_ascii=False, separators=(",", ":")).encode() in translated.body
