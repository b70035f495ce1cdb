"""A request of Chat Completions as one of Messages, row by row.

Ids are those of the acceptance list of `docs/chat-completions.md`. Every body that is sent is checked
by the types of the `anthropic` SDK.
"""

import base64
import itertools
import json
import time

import pytest

from clearway.wire.hub.notes import Refusal
from clearway.wire.hub.turns import GO_ON, NO_RESULT, OPERATOR, RESUMED
from tests.chat.asking import PNG, USER, Json, ask, call, called, result, sent, tool, warnings
from tests.upstream_types import MISSING, at

ASSISTANT: Json = {"role": "assistant", "content": "hello "}
TEXT = {"type": "text", "text": "hi"}
EPHEMERAL = {"type": "ephemeral"}
DETAIL = {"type": "reasoning.text", "text": "hm", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 0}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
PDF = base64.b64encode(b"%PDF-1.7 x").decode()
TWO_CALLS = [
    USER,
    called(call("a", "f"), call("b", "f")),
    result("b", "second"),
    result("a", "first"),
    {"role": "user", "content": "and?"},
]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def _form(schema: Json, **members: object) -> Json:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, **members}}


def _forced(name: str = "f") -> Json:
    return {"type": "function", "function": {"name": name}}


def _parts(*parts: Json, role: str = "user") -> list[Json]:
    return [{"role": role, "content": list(parts)}]


Expected = dict[str, object]
ROWS = [
    # The shape of a request.
    pytest.param(
        "claude-sonnet-5-5", {}, {"system": MISSING, "messages": [{"role": "user", "content": [TEXT]}]}, id="C1"
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}, USER]},
        {"system.0.text": "a", "system.1.text": "b", "system.2": MISSING},
        id="C2",
    ),
    pytest.param(
        "claude-opus-4-8",
        {"messages": [USER, ASSISTANT, USER, {"role": "system", "content": "x"}]},
        {"messages.3.role": "system", "messages.3.content.0.text": "x", "messages.4": MISSING},
        id="C3",
    ),
    pytest.param(
        "claude-opus-4-8",
        {"messages": [USER, {"role": "system", "content": "x"}, USER, ASSISTANT, USER]},
        {"messages.0.content.1": TEXT, "messages.1.role": "system", "messages.2.role": "assistant"},
        id="C3-slides-behind-the-user",
    ),
    pytest.param(
        "claude-opus-4-8",
        {"messages": [USER, called(call("a", "f")), {"role": "system", "content": "x"}, result("a"), ASSISTANT, USER]},
        {"messages.2.content.0.type": "tool_result", "messages.3.role": "system"},
        id="C3-behind-the-results",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {"messages": [{"role": "system", "content": "s"}, USER, ASSISTANT, {"role": "system", "content": "x"}, USER]},
        {"system.0.text": "s", "system.1": MISSING, "messages.2.content.0.text": f"{OPERATOR}x"},
        id="C4",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [USER, USER]},
        {"messages.0.content": [TEXT, TEXT], "messages.1": MISSING},
        id="C6",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [ASSISTANT, USER]},
        {"messages.0.content.0.text": RESUMED, "messages.2.role": "user"},
        id="C7",
    ),
    pytest.param(
        "claude-opus-5-5",
        {"messages": [USER, ASSISTANT]},
        {"messages.2.content.0.text": GO_ON, "messages.3": MISSING},
        id="C8",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {"messages": [USER, ASSISTANT]},
        {"messages.1.content.0.text": "hello", "messages.2": MISSING},
        id="C9",
    ),
    # Calls and results.
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": TWO_CALLS},
        {
            "messages.2.content.0.tool_use_id": "a",
            "messages.2.content.0.content": "first",
            "messages.2.content.1.tool_use_id": "b",
            "messages.2.content.2.text": "and?",
            "messages.3": MISSING,
        },
        id="C10",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [USER, called(call("a", "f")), USER]},
        {
            "messages.2.content.0.content": NO_RESULT,
            "messages.2.content.0.is_error": True,
            "messages.2.content.1": TEXT,
        },
        id="C11",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [USER, result("zz", "lost")]},
        {"messages.0.content.1.text": "[Result of an earlier tool call zz]", "messages.0.content.2.text": "lost"},
        id="C12",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [USER, called(call("a", "f")), result("a", "old"), result("a", "new")]},
        {"messages.2.content.0.content": "new", "messages.2.content.1": MISSING},
        id="C13",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [USER, called(call("a", "f")), result("a", "1"), called(call("a", "f")), result("a", "2")]},
        {
            "messages.2.content.0.content": "1",
            "messages.3.content.0.id": "a_2",
            "messages.4.content.0.tool_use_id": "a_2",
            "messages.4.content.0.content": "2",
        },
        id="C13-an-id-of-two-turns",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [USER, called(call("a", "f")), USER, ASSISTANT, result("a", "late"), USER]},
        {"messages.2.content.0.content": "late", "messages.3.role": "assistant", "messages.4.content": [TEXT]},
        id="C10-a-late-result",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [USER, called(call("a", "f")), result("a", [{"type": "image_url", "image_url": {"url": PNG}}])]},
        {"messages.2.content.0.content.0.type": "image"},
        id="b15-image-in-a-result",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"tools.0.input_schema": {"type": "object", "properties": {}}},
        id="C17",
    ),
    pytest.param(
        "claude-sonnet-5-5", {"tools": [], "tool_choice": "auto"}, {"tools": MISSING, "tool_choice": MISSING}, id="C18"
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"tools": [tool("f")], "tool_choice": "none"},
        {"tool_choice": {"type": "none"}, "tools.0.name": "f"},
        id="C19",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {"tools": [tool("f")], "tool_choice": "required"},
        {"tool_choice.type": "any"},
        id="C20-any",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"tools": [tool("f")], "tool_choice": "required"},
        {"tool_choice.type": "auto", "system.0.text": "Call at least one tool."},
        id="C20-auto",
    ),
    pytest.param(
        "claude-opus-5-5",
        {"tools": [tool("f")], "tool_choice": _forced()},
        {"tools": MISSING, "tool_choice": MISSING, "output_config.format.schema.required": ["city"]},
        id="C21",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {"tools": [tool("f")], "tool_choice": _forced(), "reasoning_effort": "high"},
        {"tool_choice": {"type": "tool", "name": "f"}, "thinking": MISSING},
        id="C22",
    ),
    pytest.param(
        "claude-opus-5",
        {"tools": [tool("f")], "tool_choice": _forced()},
        {"tool_choice": {"type": "tool", "name": "f"}, "thinking": {"type": "disabled"}},
        id="C22-thinks-by-itself",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"tools": [tool("f")], "tool_choice": "auto", "parallel_tool_calls": False},
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        id="C23",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"tools": [tool("f")], "parallel_tool_calls": False},
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        id="C23-without-a-choice",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "tools": [tool("f"), tool("g")],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [_forced("g")]}},
        },
        {"tools.0.name": "g", "tools.1": MISSING},
        id="C24",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "tools": [
                {
                    "type": "custom",
                    "custom": {
                        "name": "c",
                        "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: X"}},
                    },
                }
            ]
        },
        {"tools.0.input_schema.required": ["input"]},
        id="C25",
    ),
    # Numbers and switches.
    pytest.param(
        "claude-sonnet-4-5",
        {
            "frequency_penalty": 0,
            "presence_penalty": 0,
            "n": 1,
            "logprobs": False,
            "top_p": 1,
            "logit_bias": {},
            "seed": None,
        },
        {"top_p": MISSING},
        id="C28",
    ),
    pytest.param("claude-sonnet-4-5", {"temperature": 1.7}, {"temperature": 1}, id="C29-clamped"),
    pytest.param("claude-opus-5", {"temperature": 0.2}, {"temperature": MISSING}, id="C29-ignored"),
    pytest.param("claude-sonnet-4-5", {"temperature": 0.2}, {"temperature": 0.2}, id="C29-taken"),
    pytest.param("claude-sonnet-5-5", {"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}, id="C31"),
    pytest.param("claude-sonnet-5-5", {"max_tokens": 5, "max_completion_tokens": 7}, {"max_tokens": 7}, id="C32"),
    pytest.param("claude-3-5-haiku", {"max_tokens": 99999}, {"max_tokens": 8192}, id="C32-over-the-model"),
    # Thinking.
    pytest.param(
        "claude-haiku-4-5",
        {"reasoning_effort": "low"},
        {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 10240},
        id="C33-budget",
    ),
    pytest.param(
        "claude-opus-4-6",
        {"reasoning_effort": "low"},
        {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config.effort": "low"},
        id="C33-adaptive",
    ),
    pytest.param(
        "claude-opus-5-5",
        {"reasoning_effort": "low"},
        {"thinking.display": "summarized", "output_config.effort": "low"},
        id="C33-always",
    ),
    pytest.param("claude-opus-5", {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}, id="C34-disabled"),
    pytest.param(
        "claude-sonnet-5-5", {"reasoning_effort": "none"}, {"thinking": {"type": "between_tools"}}, id="C34-between"
    ),
    pytest.param("claude-opus-5-5", {"reasoning_effort": "none"}, {"output_config.effort": "low"}, id="C34-always"),
    pytest.param("claude-sonnet-4-6", {"reasoning_effort": "xhigh"}, {"output_config.effort": "max"}, id="C35"),
    pytest.param(
        "claude-haiku-4-5",
        {"reasoning_effort": "high", "max_tokens": 900},
        {"thinking": MISSING, "max_tokens": 900},
        id="b18-no-room-to-think",
    ),
    pytest.param("claude-opus-4-8", {}, {"thinking": MISSING, "output_config": MISSING}, id="C33-nothing-asked"),
    pytest.param(
        "claude-sonnet-5-5",
        {},
        {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": MISSING},
        id="C33-on-by-itself",
    ),
    pytest.param(
        "claude-opus-5-5",
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        {"output_config.effort": "low"},
        id="C33-budget-as-effort",
    ),
    # Forms.
    pytest.param(
        "claude-sonnet-4-6",
        {"response_format": _form(SCHEMA)},
        {"output_config.format": {"type": "json_schema", "schema": {**SCHEMA, "additionalProperties": False}}},
        id="C38",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "response_format": _form(
                {
                    "type": "object",
                    "properties": {
                        "a": {
                            "oneOf": [
                                {"type": "integer", "minimum": 3},
                                {"type": "array", "items": {"type": "string"}, "maxItems": 2},
                            ]
                        }
                    },
                    "required": ["a"],
                }
            )
        },
        {
            "output_config.format.schema.properties.a.anyOf.0": {"type": "integer", "description": "(minimum: 3)"},
            "output_config.format.schema.properties.a.anyOf.1.description": "(maxItems: 2)",
            "output_config.format.schema.properties.a.oneOf": MISSING,
        },
        id="C39",
    ),
    pytest.param(
        "claude-haiku-5-5",
        {"response_format": _form({"type": "object", "additionalProperties": {"type": "string"}})},
        {"tools.0.name": "json_output", "tool_choice.name": "json_output", "output_config": MISSING},
        id="C40-tool",
    ),
    pytest.param(
        "claude-3-5-sonnet",
        {"response_format": _form(SCHEMA)},
        {"tool_choice.name": "json_output"},
        id="b19-without-native-schemas",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"response_format": {"type": "json_object"}},
        {"system.0.text": "Reply with one JSON object only."},
        id="C41",
    ),
    # Images and documents.
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": _parts({"type": "image_url", "image_url": {"url": PNG}})},
        {"messages.0.content.0.source.type": "base64", "messages.0.content.0.source.media_type": "image/png"},
        id="C42-data",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": _parts({"type": "image_url", "image_url": {"url": PNG.replace("png", "jpeg"), "detail": "low"}})},
        {"messages.0.content.0.source.media_type": "image/png"},
        id="C42-type-corrected",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": _parts({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}})},
        {"messages.0.content.0.source": {"type": "url", "url": "https://example.org/a.png"}},
        id="C42-url",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "messages": _parts(
                {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"}}
            )
        },
        {"messages.0.content.0.source.media_type": "application/pdf", "messages.0.content.0.title": "a.pdf"},
        id="C43",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": _parts({"type": "file", "file": {"file_data": PDF}})},
        {"messages.0.content.0.type": "document"},
        id="C43-bare",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": _parts({"type": "file", "file": {"file_data": "data:text/plain;base64,w7w="}})},
        {"messages.0.content.0.source": {"type": "text", "media_type": "text/plain", "data": "ü"}},
        id="C43-text",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": _parts({"type": "text", "text": " \n"}, {"type": "text", "text": "x"})},
        {"messages.0.content": [{"type": "text", "text": "x"}]},
        id="C45",
    ),
    # Caching.
    pytest.param(
        "claude-sonnet-5-5",
        {
            "tools": [tool("f", cache_control=EPHEMERAL)],
            "messages": [
                {
                    "role": "system",
                    "content": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
                },
                {"role": "user", "content": "a", "cache_control": EPHEMERAL},
            ],
        },
        {
            "tools.0.cache_control": EPHEMERAL,
            "system.0.cache_control": {"type": "ephemeral", "ttl": "1h"},
            "messages.0.content.0.cache_control": EPHEMERAL,
        },
        id="C46",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": _parts({"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}})},
        {"messages.0.content.0.cache_control": EPHEMERAL},
        id="C47",
    ),
    pytest.param(
        "claude-sonnet-5-5", {"user": "a@b.c"}, {"metadata.user_id": "usr_00000000000000000000000000000005"}, id="C48"
    ),
    # Thinking that comes back.
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [USER, called(call("a", "f"), reasoning_details=[DETAIL], content="so"), result("a")]},
        {"messages.1.content.0": THOUGHT, "messages.1.content.1.text": "so", "messages.1.content.2.type": "tool_use"},
        id="C49",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "messages": [
                USER,
                called(
                    call("a", "f"),
                    reasoning_details=[
                        {"type": "reasoning.text", "text": "h", "format": "anthropic-claude-v1", "index": 0},
                        {"type": "reasoning.text", "text": "m", "index": 0},
                        {"type": "reasoning.text", "signature": "c2ln", "index": 0},
                        {
                            "type": "reasoning.text",
                            "text": "x",
                            "signature": "y",
                            "format": "google-gemini-v1",
                            "index": 1,
                        },
                    ],
                ),
                result("a"),
            ]
        },
        {"messages.1.content.0": THOUGHT, "messages.1.content.1.type": "tool_use"},
        id="C49-in-pieces",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "messages": [
                USER,
                # What the stream helper of the SDK for Node keeps of a thought: its last piece.
                called(call("a", "f"), reasoning_details=[{"type": "reasoning.text", "signature": "c2ln", "index": 0}]),
                result("a"),
            ]
        },
        {"messages.1.content.0.type": "tool_use"},
        id="C49-last-piece-alone",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "messages": [
                USER,
                # A thought that was not shown; some clients leave its empty text away.
                called(
                    call("a", "f"),
                    reasoning_details=[{k: v for k, v in DETAIL.items() if k != "text"}],
                ),
                result("a"),
            ]
        },
        {"messages.1.content.0": {**THOUGHT, "thinking": ""}},
        id="C49-not-shown",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [USER, {"role": "assistant", "content": "a", "reasoning_content": "hm"}, USER]},
        {"messages.1.content": [{"type": "text", "text": "a"}]},
        id="C51",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "messages": [
                USER,
                {
                    "role": "assistant",
                    "content": "a",
                    "thinking_blocks": [THOUGHT, {"type": "redacted_thinking", "data": "x"}],
                },
                USER,
            ]
        },
        {"messages.1.content.0": THOUGHT, "messages.1.content.1": {"type": "redacted_thinking", "data": "x"}},
        id="C52",
    ),
    pytest.param(
        "claude-haiku-4-5",
        {"messages": [USER, called(call("a", "f")), result("a")], "reasoning_effort": "high"},
        {"thinking": MISSING},
        id="b5-lost-where-it-is-needed",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [USER, called(call("a", "f", '{"x": ')), result("a")]},
        {"messages.1.content.0.input": {"__invalid_json__": '{"x": '}},
        id="C53",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "messages": [
                USER,
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t.1", "name": "f", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t.1", "content": "ok"}]},
            ]
        },
        {"messages.2.content.0.content": "ok", "messages.2.content.1": MISSING},
        id="C54",
    ),
    pytest.param("claude-sonnet-5-5", {"foo": 1}, {"foo": MISSING}, id="C55"),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "web_search_options": {
                "user_location": {"type": "approximate", "approximate": {"city": "Utrecht", "country": "NL"}}
            }
        },
        {
            "tools.0.name": "web_search",
            "tools.0.user_location": {"type": "approximate", "city": "Utrecht", "country": "NL"},
        },
        id="C56",
    ),
    pytest.param(
        "claude-haiku-5-5",
        {"functions": [{"name": "f", "parameters": SCHEMA}], "function_call": {"name": "f"}},
        {"tools.0.name": "f", "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
        id="C57",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {
            "functions": [{"name": "f"}],
            "messages": [
                USER,
                {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
                {"role": "function", "name": "f", "content": "r"},
            ],
        },
        {"messages.1.content.0.id": "call_1_f", "messages.2.content.0.tool_use_id": "call_1_f"},
        id="C57-history",
    ),
]


@pytest.mark.parametrize(("model", "fields", "expected"), ROWS)
def test_what_is_sent(model: str, fields: Json, expected: Expected) -> None:
    """Each field becomes what the row says, in a body that is a request by the SDK's types."""
    body = sent(ask(model, **fields))

    assert expected == {path: at(body, path) for path in expected}


TOOLS_IN_THE_HISTORY = [USER, called(call("a", "f")), result("a"), USER]


def test_tools_of_the_history() -> None:
    """b16: calls in the history are named as tools, though none may be called any more."""
    body = sent(ask(messages=TOOLS_IN_THE_HISTORY))
    forced = sent(ask("claude-opus-5-5", messages=TOOLS_IN_THE_HISTORY, tools=[tool("f")], tool_choice=_forced()))

    assert [{"name": "f", "input_schema": {"type": "object"}}] == body["tools"]
    assert {"type": "none"} == body["tool_choice"] == forced["tool_choice"]
    assert "f" == at(forced, "tools.0.name")
    assert at(forced, "output_config.format") is not MISSING


def test_much_of_the_same_is_no_burden() -> None:
    """Many calls of one id, many turns of one role, many names that become one: work grows with the size alone."""
    many = 20_000
    same = [USER, *([called(call("a", "f")), result("a")] * many), *([ASSISTANT] * many)]
    tools = [{"type": "function", "function": {"name": "." * 200 + chr(0x4E00 + number)}} for number in range(many)]
    began = time.process_time()
    translated = ask(messages=same, tools=tools)

    assert time.process_time() - began < 5
    assert many == len(translated.plan.names)


TOLD = [
    pytest.param("claude-sonnet-5-5", {"seed": 1}, ["ignored:seed"], id="G11"),
    pytest.param(
        "claude-sonnet-5-5", {"messages": [ASSISTANT, USER]}, ["repaired:messages=begins_with_assistant"], id="C7"
    ),
    pytest.param(
        "claude-opus-5-5", {"messages": [USER, ASSISTANT]}, ["repaired:messages=ends_with_assistant"], id="C8"
    ),
    pytest.param("claude-sonnet-4-5", {"messages": [USER, ASSISTANT]}, ["mapped:messages=prefill"], id="C9"),
    pytest.param("claude-sonnet-5-5", {"messages": TWO_CALLS}, [], id="C10"),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [USER, called(call("a", "f")), USER]},
        ["repaired:messages[1]=call_without_result"],
        id="C11",
    ),
    pytest.param(
        "claude-sonnet-5-5", {"messages": [USER, result("z")]}, ["repaired:messages[1]=result_without_call"], id="C12"
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [USER, called(call("a", "f")), result("a"), result("a")]},
        ["repaired:messages[3]=second_result"],
        id="C13",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"tools": [tool("f")], "tool_choice": "required"},
        ["downgraded:tool_choice=auto"],
        id="C20",
    ),
    pytest.param(
        "claude-opus-5-5",
        {"tools": [tool("f")], "tool_choice": _forced()},
        ["mapped:tool_choice=output_config.format"],
        id="C21",
    ),
    pytest.param(
        "claude-sonnet-4-5",
        {"tools": [tool("f")], "tool_choice": _forced(), "reasoning_effort": "high"},
        ["ignored:reasoning_effort=a call is forced"],
        id="C22",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"frequency_penalty": 0, "n": 1, "logprobs": False, "top_p": 1, "temperature": 1},
        [],
        id="C28",
    ),
    pytest.param("claude-sonnet-4-5", {"temperature": 1.7}, ["clamped:temperature=1.7->1"], id="C29-clamped"),
    pytest.param("claude-opus-5", {"temperature": 0.2}, ["ignored:temperature"], id="C29-ignored"),
    pytest.param(
        "claude-opus-5-5", {"reasoning_effort": "minimal"}, ["mapped:reasoning_effort=minimal->low"], id="C33"
    ),
    pytest.param(
        "claude-opus-5-5", {"reasoning_effort": "none"}, ["approximated:reasoning_effort=cannot_disable"], id="C34"
    ),
    pytest.param("claude-sonnet-4-6", {"reasoning_effort": "xhigh"}, ["mapped:reasoning_effort=xhigh->max"], id="C35"),
    pytest.param("claude-haiku-4-5", {"reasoning_effort": "high", "max_tokens": 900}, ["clamped"], id="C37"),
    pytest.param(
        "claude-sonnet-5-5",
        {"response_format": {"type": "json_object"}},
        ["not_enforced:response_format=json_object"],
        id="C41",
    ),
    pytest.param(
        "claude-opus-5-5",
        {"response_format": _form({"type": "object", "additionalProperties": True})},
        ["approximated:response_format.json_schema.schema=open objects are closed"],
        id="C40",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [USER, called(call("a", "f", "[")), result("a")]},
        ["repaired:messages[1].tool_calls[0].function.arguments=no_json_object"],
        id="C53",
    ),
    pytest.param("claude-sonnet-5-5", {"foo": 1}, ["ignored:foo"], id="C55"),
    pytest.param(
        "claude-sonnet-5-5",
        {"messages": [{"role": "user", "content": "x", "foo": 1}]},
        ["ignored:messages[0].foo"],
        id="C55-in-a-message",
    ),
    pytest.param(
        "claude-sonnet-5-5",
        {"service_tier": "flex", "store": True, "verbosity": "low", "prediction": {"type": "content", "content": "x"}},
        ["ignored:prediction", "ignored:service_tier=flex", "ignored:store", "ignored:verbosity"],
        id="scalars",
    ),
]


@pytest.mark.parametrize(("model", "fields", "expected"), TOLD)
def test_what_is_told(model: str, fields: Json, expected: list[str]) -> None:
    """What is ignored or approximated is told, nothing else is; for a strict key it is refused instead."""
    told = warnings(ask(model, **fields))
    if expected == ["clamped"]:
        expected = ["ignored:reasoning_effort=max_tokens is too small to think"]

    assert expected == sorted(told)
    if expected:
        with pytest.raises(Refusal) as refused:
            ask(model, strict=True, **fields)
        assert refused.value.param in {note.split(":", 1)[1].split("=")[0] for note in expected}
    else:
        ask(model, strict=True, **fields)


REFUSED = [
    pytest.param({"messages": [{"role": "system", "content": "x"}]}, "messages", "invalid_value", id="C5"),
    pytest.param({"messages": []}, "messages", "invalid_value", id="C5-empty"),
    pytest.param({"messages": [{"role": "user", "content": " "}]}, "messages", "invalid_value", id="C45-nothing-left"),
    pytest.param(
        {"messages": [{"role": "tool", "content": "x"}]},
        "messages[0].tool_call_id",
        "missing_required_parameter",
        id="C12",
    ),
    pytest.param({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role", "invalid_value", id="b11-role"),
    pytest.param({"n": 2}, "n", "unsupported_value", id="C26"),
    pytest.param({"logprobs": True}, "logprobs", "unsupported_parameter", id="C27-logprobs"),
    pytest.param({"top_logprobs": 3}, "top_logprobs", "unsupported_parameter", id="C27-top"),
    pytest.param({"logit_bias": {"1": -100}}, "logit_bias", "unsupported_parameter", id="C27-bias"),
    pytest.param({"temperature": 3}, "temperature", "invalid_value", id="C30"),
    pytest.param({"stop": "\n"}, "stop", "unsupported_value", id="C31"),
    pytest.param({"max_tokens": 0}, "max_tokens", "invalid_value", id="C32-none"),
    pytest.param({"reasoning_effort": "huge"}, "reasoning_effort", "invalid_value", id="C36"),
    pytest.param(
        {"messages": _parts({"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,PHN2Zz4="}})},
        "messages[0].content[0].image_url",
        "invalid_value",
        id="C42",
    ),
    pytest.param(
        {"messages": _parts({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}})},
        "messages[0].content[0].image_url",
        "invalid_value",
        id="C42-scheme",
    ),
    pytest.param(
        {"messages": _parts({"type": "file", "file": {"file_id": "file_1"}})},
        "messages[0].content[0].file.file_id",
        "unsupported_value",
        id="C43",
    ),
    pytest.param(
        {"messages": _parts({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}})},
        "messages[0].content[0]",
        "invalid_value",
        id="C44",
    ),
    pytest.param(
        {"messages": _parts({"type": "image_url", "image_url": {"url": PNG}}, role="system")},
        "messages[0].content[0]",
        "invalid_value",
        id="b11-image-in-system",
    ),
    pytest.param(
        {"tools": [tool("f"), {"type": "function", "function": {"name": "f"}}]},
        "tools[1]",
        "invalid_value",
        id="b16-two-of-a-name",
    ),
    pytest.param({"tools": [{"type": "file_search"}]}, "tools[0].type", "unsupported_value", id="b16-hosted"),
    pytest.param({"tools": [], "tool_choice": "required"}, "tool_choice", "invalid_value", id="C18-required"),
    pytest.param(
        {"tools": [tool("f")], "tool_choice": _forced("g")}, "tool_choice", "invalid_value", id="b16-choice-of-none"
    ),
    pytest.param(
        {"stream_options": {"include_usage": True}}, "stream_options", "invalid_value", id="CS2-without-stream"
    ),
    pytest.param({"audio": {"voice": "x"}}, "audio", "unsupported_parameter", id="audio"),
    pytest.param({"modalities": ["text", "audio"]}, "modalities", "unsupported_parameter", id="modalities"),
    pytest.param({"moderation": {"model": "m"}}, "moderation", "unsupported_parameter", id="moderation"),
    *(
        pytest.param({name: "http://127.0.0.1:1/x"}, name, "unsupported_parameter", id=f"never-obeyed-{name}")
        for name in ("api_base", "api_key", "base_url", "extra_headers", "custom_llm_provider")
    ),
    pytest.param({"temperature": "hot"}, "temperature", "invalid_value", id="type-of-a-field"),
    pytest.param(
        {"messages": [{"role": "user", "content": 3}]}, "messages[0].content", "invalid_value", id="type-of-content"
    ),
]


@pytest.mark.parametrize(("fields", "param", "why"), REFUSED)
def test_what_is_refused(fields: Json, param: str, why: str) -> None:
    """What cannot be served is refused by the name that the client knows it by."""
    with pytest.raises(Refusal) as refused:
        ask(**fields)

    assert (param, why) == (refused.value.param, refused.value.why)


def test_ids_fit_on_both_sides() -> None:
    """C14: an id that Messages would refuse is changed alike in the call and in the result."""
    body = sent(ask(messages=[USER, called(call("functions.f:0", "f")), result("functions.f:0")]))

    sent_id = at(body, "messages.1.content.0.id")
    assert sent_id == at(body, "messages.2.content.0.tool_use_id")
    assert "functions_f_0_" == str(sent_id)[:-8]


def test_names_go_and_come_back() -> None:
    """C15, C16: names that Messages refuses are sent as others, each as one of its own, in the history too."""
    names = ["mcp.server/tool", "mcp_server_tool", "mcp:server:tool"]
    translated = ask(tools=[tool(name) for name in names], messages=[USER, called(call("a", names[0])), result("a")])
    body = sent(translated)

    sent_names = [at(body, f"tools.{place}.name") for place in range(3)]
    assert 3 == len(set(sent_names))
    assert "mcp_server_tool" == sent_names[1]
    assert names == [translated.plan.names.get(str(name), name) for name in sent_names]
    assert sent_names[0] == at(body, "messages.1.content.0.name")


def test_at_most_four_breakpoints() -> None:
    """C46, b13: of six breakpoints the first of the system prompt and the last three stay, and it is told."""
    part = {"type": "text", "text": "x", "cache_control": EPHEMERAL}
    translated = ask(messages=[{"role": "system", "content": [part]}, {"role": "user", "content": [part] * 5}])
    body = sent(translated)

    marked = ["cache_control" in block for block in body["messages"][0]["content"]]
    assert [False, False, True, True, True] == marked
    assert EPHEMERAL == at(body, "system.0.cache_control")
    assert ["dropped:cache_control=2 of 6 breakpoints"] == warnings(translated)


def test_breakpoints_of_our_own() -> None:
    """A client that knows nothing of caching gets two: behind the system prompt, and at the end of all."""
    messages = [{"role": "system", "content": "s"}, USER]
    body = sent(ask(caches=True, messages=messages))
    explicit = sent(ask(caches=True, messages=messages, prompt_cache_options={"mode": "explicit"}))
    vendors = sent(ask("glm-5", caches=True, messages=messages))

    assert EPHEMERAL == at(body, "system.0.cache_control") == at(body, "cache_control")
    assert "cache_control" not in json.dumps(body["messages"])
    assert "cache_control" not in json.dumps([explicit, vendors])


def test_a_turn_more_changes_nothing_before() -> None:
    """G8, G9: the same request is the same bytes, and a conversation that goes on keeps its beginning."""
    history = [{"role": "system", "content": "s"}, USER, called(call("a", "f.x")), result("a"), ASSISTANT, USER]
    bodies = [sent(ask(messages=history[:length], tools=[tool("f.x")])) for length in (2, 4, 6)]

    for shorter, longer in itertools.pairwise(bodies):
        ours = shorter["messages"]
        assert isinstance(ours, list)
        assert ours == longer["messages"][: len(ours)]
        assert shorter["system"] == longer["system"]
    assert ask(messages=history).body == ask(messages=history).body


def test_warnings_fit_into_a_field() -> None:
    """However much is told, the field stays within 2 KiB of printable ASCII and says how much more there is."""
    fields: Json = {f"unknown_ü_{number}": 1 for number in range(300)}
    told = ask(**fields).warnings

    assert len(told) <= 2048
    assert told.isascii()
    assert b"; ...+" in told


def test_unions_at_the_top_of_a_tool() -> None:
    """b16: Messages refuses `anyOf` at the top of a tool's schema; its arguments go into one member and come back."""
    union = {
        "anyOf": [{"type": "object", "properties": {"$ref": {"type": "string"}}}, {"$ref": "#/$defs/b"}],
        "$defs": {"b": {"type": "object"}},
    }
    translated = ask(
        tools=[{"type": "function", "function": {"name": "f", "parameters": union}}],
        messages=[USER, called(call("a", "f", '{"x": 1}')), result("a")],
    )
    body = sent(translated)

    assert {"f": "value"} == translated.plan.wrapped
    assert ["value"] == at(body, "tools.0.input_schema.required")
    assert {"b": {"type": "object"}} == at(body, "tools.0.input_schema.$defs")
    assert {"value": {"x": 1}} == at(body, "messages.1.content.0.input")
