"""What a request of Responses loses is told, and what cannot be served is refused by name.

Ids are those of `acceptance.py`.
"""

import pytest

from clearway.wire.hub.notes import Refusal
from clearway.wire.hub.typed import read
from tests.responses.requesting import Json, ask, call, function, message, output, sealed, sent, warnings
from tests.responses.test_sent import AGENTS, FINDS, PATCH_TOOL, SCHEMA, THOUGHT, USER
from tests.upstream_types import MISSING, at

FILES: Json = {"type": "file_search", "vector_store_ids": ["v"]}
MCP: Json = {"type": "mcp", "server_label": "s", "server_url": "https://example.com"}
SAID = message("assistant", "x")
SHOWN = {"reasoning": {"summary": "auto"}}

TOLD = [
    # What is served whole is silent.
    pytest.param(
        {
            "metadata": {"a": "b"},
            "prompt_cache_key": "k",
            "client_metadata": {"x": "y"},
            "stream": True,
            "stream_options": {"include_obfuscation": False},
            "truncation": "disabled",
            "store": False,
            "background": False,
            "top_logprobs": 0,
            "temperature": 1,
            "top_p": 1,
            "service_tier": "auto",
            "include": ["reasoning.encrypted_content", "web_search_call.action.sources"],
            "text": {"verbosity": "medium"},
            "reasoning": {"effort": "high", "summary": "detailed", "context": "all_turns"},
        },
        [],
        id="b18-silent",
    ),
    pytest.param({"truncation": "auto"}, ["ignored:truncation=a prompt that is too long is refused"], id="R18"),
    pytest.param({"store": True}, ["ignored:store=responses are not kept"], id="R14-nothing-is-kept"),
    pytest.param({"foo": 1}, ["ignored:foo"], id="b18-unknown"),
    pytest.param({"text": {"verbosity": "low"}}, ["ignored:text.verbosity"], id="b18-verbosity"),
    pytest.param({"max_tool_calls": 2}, ["ignored:max_tool_calls"], id="b18-max-tool-calls"),
    pytest.param({"service_tier": "ultrafast"}, ["ignored:service_tier=ultrafast"], id="b18-tier"),
    pytest.param({"prompt_cache_retention": "24h"}, ["ignored:prompt_cache_retention"], id="b13-retention"),
    pytest.param(
        {"context_management": [{"type": "compaction", "compact_threshold": 1000}]},
        ["ignored:context_management"],
        id="b18-context-management",
    ),
    pytest.param(
        {"reasoning": {"context": "current_turn", "mode": "pro"}},
        ["ignored:reasoning.context=current_turn", "ignored:reasoning.mode=pro"],
        id="b18-reasoning",
    ),
    pytest.param({"include": ["a.b"]}, ["ignored:include[0]=a.b"], id="b18-include"),
    pytest.param({"text": {"format": {"type": "json_object"}}}, ["not_enforced:text.format=json_object"], id="b19"),
    # Items.
    pytest.param(
        {"input": [USER, {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "gAAAA"}, SAID, USER]},
        ["dropped:input[1]=reasoning of another key, model or service"],
        id="R16",
    ),
    pytest.param(
        {
            "input": [
                USER,
                {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "x"}]},
                SAID,
                USER,
            ]
        },
        ["dropped:input[1]=reasoning without encrypted_content"],
        id="R16-text-alone",
    ),
    pytest.param({"input": [USER, sealed([THOUGHT]), call("a", "f"), output("a")]}, [], id="R15"),
    pytest.param(
        {"input": [USER, sealed([THOUGHT]), USER]},
        ["dropped:input[1]=reasoning that nothing follows"],
        id="b5-nothing-follows",
    ),
    pytest.param(
        {"input": [USER, call("a", "f"), USER]}, ["repaired:input[1]=call_without_result"], id="b4-call-without-output"
    ),
    pytest.param(
        {"input": [USER, output("z")]}, ["repaired:input[1]=result_without_call"], id="b4-output-without-call"
    ),
    pytest.param(
        {"input": [USER, call("a", "f", "["), output("a")]},
        ["repaired:input[1].arguments=no_json_object"],
        id="b16-arguments",
    ),
    pytest.param({"input": [USER, SAID]}, ["repaired:input=ends_with_assistant"], id="b11-ends-with-assistant"),
    pytest.param(
        {"input": [message("user", "hi", odd=1, status="completed", id="m", phase="commentary")]},
        ["ignored:input[0].odd"],
        id="b18-unknown-member",
    ),
    pytest.param(
        {"input": [USER, {"type": "web_search_call", "id": "w", "status": "completed", "action": {}}, SAID, USER]},
        ["dropped:input[1]=web_search_call"],
        id="b20-search-of-before",
    ),
    pytest.param(
        {"input": [USER, {"type": "mcp_call", "id": "m", "server_label": "s", "name": "n", "arguments": "{}"}, USER]},
        ["approximated:input[1]=mcp_call"],
        id="b20-mcp",
    ),
    # Tools.
    pytest.param({"tools": [PATCH_TOOL]}, ["not_enforced:tools[0].format=grammar"], id="R10"),
    pytest.param({"tools": [AGENTS, FINDS, {"type": "shell"}]}, [], id="R7"),
    pytest.param(
        {"tools": [{"type": "web_search", "external_web_access": False}]},
        ["dropped:tools[0]=external_web_access is false"],
        id="R12",
    ),
    pytest.param(
        {"tools": [{"type": "web_search", "search_context_size": "high", "search_content_types": ["text", "image"]}]},
        ["ignored:tools[0].search_content_types", "ignored:tools[0].search_context_size"],
        id="b20-search",
    ),
    pytest.param(
        {"tools": [{"type": "tool_search"}, function("f", defer_loading=True)]},
        ["approximated:tools[0]=all tools are loaded", "ignored:tools[1].defer_loading"],
        id="R9-of-the-service",
    ),
    pytest.param(
        {"tools": [function("f", **{"async": True, "allowed_callers": ["programmatic"], "output_schema": SCHEMA})]},
        ["ignored:tools[0].allowed_callers", "ignored:tools[0].async", "ignored:tools[0].output_schema"],
        id="b16-members",
    ),
    pytest.param({"tools": [function("f", strict=True)]}, ["ignored:tools[0].strict"], id="b16-strict"),
    pytest.param(
        {"tools": [function("f")], "tool_choice": "required"}, ["downgraded:tool_choice=auto"], id="b16-required"
    ),
    pytest.param(
        {"tools": [function("f")], "tool_choice": {"type": "function", "name": "f"}},
        ["mapped:tool_choice=output_config.format"],
        id="b16-by-name",
    ),
    pytest.param(
        {
            "tools": [function("f"), function("g")],
            "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "g"}]},
        },
        ["mapped:tool_choice=tools_filtered"],
        id="b16-allowed-tools",
    ),
    pytest.param(
        {"tools": [{"type": "web_search", "external_web_access": False}], "tool_choice": {"type": "web_search"}},
        ["downgraded:tool_choice=auto", "dropped:tools[0]=external_web_access is false"],
        id="R12-but-chosen",
    ),
]


@pytest.mark.parametrize(("fields", "expected"), TOLD)
def test_what_is_told(fields: Json, expected: list[str]) -> None:
    """What is ignored or approximated is told, nothing else is; for a strict key it is refused instead."""
    assert expected == sorted(warnings(ask(**fields)))
    if not expected:
        ask(strict=True, **fields)
        return
    with pytest.raises(Refusal) as refused:
        ask(strict=True, **fields)
    assert refused.value.param in {note.split(":", 1)[1].split("=")[0] for note in expected}


UNSUPPORTED, VALUE, INVALID, MISSED = (
    "unsupported_parameter",
    "unsupported_value",
    "invalid_value",
    "missing_required_parameter",
)
REFUSED = [
    pytest.param({"background": True}, "background", UNSUPPORTED, id="R13-background"),
    pytest.param({"conversation": "conv_1"}, "conversation", UNSUPPORTED, id="R13-conversation"),
    pytest.param({"prompt": {"id": "p"}}, "prompt", UNSUPPORTED, id="R13-prompt"),
    pytest.param({"previous_response_id": "resp_1"}, "previous_response_id", UNSUPPORTED, id="R14"),
    pytest.param({"include": ["message.output_text.logprobs"]}, "include[0]", VALUE, id="R17"),
    pytest.param({"top_logprobs": 3}, "top_logprobs", UNSUPPORTED, id="R17-top-logprobs"),
    pytest.param({"tools": [FILES]}, "tools[0].type", VALUE, id="R11"),
    pytest.param({"tools": [function("f"), MCP]}, "tools[1].type", VALUE, id="R11-mcp"),
    pytest.param(
        {"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]},
        "tools[0].environment.type",
        VALUE,
        id="R11-shell-of-the-service",
    ),
    pytest.param({"moderation": {"model": "m"}}, "moderation", UNSUPPORTED, id="b18-moderation"),
    pytest.param({"access_programs": {"cyber": {}}}, "access_programs", UNSUPPORTED, id="b18-access-programs"),
    pytest.param({"truncation": "some"}, "truncation", INVALID, id="R18-word"),
    pytest.param({"max_output_tokens": 0}, "max_output_tokens", INVALID, id="b18-no-output"),
    pytest.param({"max_tool_calls": 0}, "max_tool_calls", INVALID, id="b18-no-calls"),
    pytest.param({"temperature": 3}, "temperature", INVALID, id="b18-temperature"),
    pytest.param({"reasoning": {"effort": "huge"}}, "reasoning.effort", INVALID, id="b18-effort"),
    pytest.param({"reasoning": {"summary": "long"}}, "reasoning.summary", INVALID, id="b18-summary"),
    pytest.param({"text": {"verbosity": "loud"}}, "text.verbosity", INVALID, id="b18-verbosity"),
    pytest.param({"text": {"format": {"type": "xml"}}}, "text.format.type", INVALID, id="b19-format"),
    pytest.param({"text": {"format": {"type": "json_schema"}}}, "text.format.schema", MISSED, id="b19-schema"),
    pytest.param({"service_tier": "gold"}, "service_tier", INVALID, id="b18-tier"),
    pytest.param({"prompt_cache_options": {"prewarm": True}}, "prompt_cache_options.prewarm", VALUE, id="b13-prewarm"),
    pytest.param({"api_key": "x"}, "api_key", UNSUPPORTED, id="b24"),
    # Items.
    pytest.param({"input": None}, "input", MISSED, id="R1-nothing"),
    pytest.param({"input": 1}, "input", INVALID, id="R1-number"),
    pytest.param({"input": []}, "input", INVALID, id="R1-empty"),
    pytest.param({"input": " "}, "input", INVALID, id="R1-white-space"),
    pytest.param({"input": [message("developer", "x")]}, "input", INVALID, id="b11-only-developer"),
    pytest.param({"input": ["x"]}, "input[0]", INVALID, id="R3-no-object"),
    pytest.param({"input": [{"role": "robot", "content": "x"}]}, "input[0].role", INVALID, id="b11-role"),
    pytest.param({"input": [{"type": "computer_call", "id": "c"}]}, "input[0].type", VALUE, id="b20-computer"),
    pytest.param(
        {"input": [{"type": "compaction", "encrypted_content": "x"}]}, "input[0].type", VALUE, id="b20-compaction"
    ),
    pytest.param({"input": [USER, {"type": "item_reference", "id": "msg_1"}]}, "input[1]", VALUE, id="R14-reference"),
    pytest.param({"input": [USER, {"id": "msg_1"}]}, "input[1]", VALUE, id="R14-reference-without-type"),
    pytest.param(
        {"input": [USER, {"type": "function_call", "call_id": "a"}]}, "input[1].name", MISSED, id="R4-no-name"
    ),
    pytest.param(
        {"input": [USER, call("a", "f"), {"type": "function_call_output"}]},
        "input[2].output",
        MISSED,
        id="R4-no-output",
    ),
    pytest.param(
        {"input": [message("user", [{"type": "input_audio", "input_audio": {}}])]},
        "input[0].content[0]",
        VALUE,
        id="b15-audio",
    ),
    pytest.param(
        {"input": [message("user", [{"type": "input_image", "file_id": "f"}])]},
        "input[0].content[0].file_id",
        VALUE,
        id="b15-image-id",
    ),
    pytest.param(
        {"input": [message("user", [{"type": "input_file", "file_id": "f"}])]},
        "input[0].content[0].file_id",
        VALUE,
        id="b15-file-id",
    ),
    pytest.param(
        {
            "input": [
                USER,
                call("a", "f"),
                output("a", [{"type": "input_image", "image_url": "data:image/svg+xml,<svg/>"}]),
            ]
        },
        "input[2].output[0].image_url",
        INVALID,
        id="b15-svg",
    ),
    pytest.param(
        {"input": [message("assistant", [{"type": "input_image", "image_url": "https://example.com"}]), USER]},
        "input[0].content[0]",
        VALUE,
        id="b15-image-of-the-assistant",
    ),
    # Tools and choices.
    pytest.param({"tools": {}}, "tools", INVALID, id="b16-no-list"),
    pytest.param({"tools": [{"type": "function", "parameters": {}}]}, "tools[0]", INVALID, id="b16-no-name"),
    pytest.param({"tools": [{"name": "f"}]}, "tools[0]", INVALID, id="b16-no-type"),
    pytest.param({"tools": [function("f"), function("f", description="x")]}, "tools[1]", INVALID, id="b16-twice"),
    pytest.param({"tools": [function("f", parameters={"type": "string"})]}, "tools[0]", INVALID, id="b16-schema"),
    pytest.param(
        {"tools": [{"type": "web_search"}, function("web_search")]}, "tools[1]", INVALID, id="b20-name-of-the-search"
    ),
    pytest.param(
        {"tools": [{"type": "namespace", "name": "n", "description": "", "tools": [FILES]}]},
        "tools[0].tools[0].type",
        INVALID,
        id="R7-hosted-within",
    ),
    pytest.param({"tool_choice": "required"}, "tool_choice", INVALID, id="b16-required-of-nothing"),
    pytest.param({"tool_choice": "maybe"}, "tool_choice", INVALID, id="b16-word"),
    pytest.param(
        {"tools": [function("f")], "tool_choice": {"type": "function", "name": "g"}},
        "tool_choice",
        INVALID,
        id="b16-other",
    ),
    pytest.param({"tools": [function("f")], "tool_choice": {"type": "mcp"}}, "tool_choice", INVALID, id="b16-hosted"),
    pytest.param(
        {
            "tools": [function("f")],
            "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]},
        },
        "tool_choice.tools",
        INVALID,
        id="b16-allowed-none",
    ),
]


@pytest.mark.parametrize(("fields", "param", "why"), REFUSED)
def test_what_is_refused(fields: Json, param: str, why: str) -> None:
    """What cannot be served is refused by the name that the client knows it by."""
    with pytest.raises(Refusal) as refused:
        ask(**fields)

    assert (param, why) == (refused.value.param, refused.value.why)


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b'{"a":' * 5000])
def test_no_object(body: bytes) -> None:
    """What is no JSON object is refused as that."""
    with pytest.raises(Refusal) as refused:
        read(body)

    assert "invalid_json" == refused.value.why


def test_hosted_tools_of_codex_are_left_out() -> None:
    """R11: Codex offers tools of OpenAI's that it can do without: they are left out and told, a choice of one too."""
    tools = [function("f"), FILES, {"type": "image_generation"}]
    translated = ask(codex=True, tools=tools, tool_choice={"type": "image_generation"})
    by_rule = ask(drops_hosted=True, tools=tools)

    expected = ["dropped:tools[1]=file_search", "dropped:tools[2]=image_generation"]
    assert ["downgraded:tool_choice=auto", *expected] == sorted(warnings(translated))
    assert expected == warnings(by_rule)
    for one in (translated, by_rule):
        assert "f" == at(sent(one), "tools.0.name")
        assert MISSING is at(sent(one), "tools.1")


def test_only_hosted_tools_and_one_is_required() -> None:
    """R11: where nothing is left of the tools, none can be required, and it is told."""
    translated = ask(codex=True, tools=[FILES], tool_choice="required")

    assert {"dropped:tools[0]=file_search", "downgraded:tool_choice=auto"} == set(warnings(translated))
    assert MISSING is at(sent(translated), "tool_choice")
