"""What the simulated model says, whole and as a stream."""

import json

import pytest

from tests.sim.asking import MODEL, Json, ask, make_sim, post, prompt, send
from tests.sim.grammar import fold

TOOLS: list[Json] = [
    {
        "name": "read",
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    },
    {"name": "now", "input_schema": {"type": "object"}},
]
RESULT: list[Json] = [
    {"role": "user", "content": 'sim:tool read {"path": "a"}'},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "a"}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "seven b"}]},
]
SCHEMA: Json = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}

REQUESTS = [
    pytest.param(prompt("hello"), id="plain"),
    pytest.param(prompt(""), id="nothing-to-read"),
    pytest.param(prompt("grüß \U0001f600 “dich”\n\n\n" + "ö" * 200), id="not-ascii"),
    pytest.param(prompt("hello", thinking={"type": "adaptive"}), id="thinking-adaptive"),
    pytest.param(prompt("hello", thinking={"type": "enabled", "budget_tokens": 1024}), id="thinking-enabled"),
    pytest.param(prompt("hello", thinking={"type": "adaptive", "display": "omitted"}), id="thinking-omitted"),
    pytest.param(prompt("hello", thinking={"type": "disabled"}), id="thinking-disabled"),
    pytest.param(prompt("sim:thinking"), id="thinking-ordered"),
    pytest.param(prompt("sim:text 50"), id="words"),
    pytest.param(prompt("sim:text 0"), id="no-words"),
    pytest.param(prompt("sim:text 50", max_tokens=7), id="max-tokens"),
    pytest.param(prompt("sim:text 50", max_tokens=0), id="max-tokens-0"),
    pytest.param(prompt("sim:text 50\nsim:thinking", max_tokens=5), id="max-tokens-in-thinking"),
    pytest.param(prompt("hello", stop_sequences=["model", "Clearway"]), id="stop-sequence"),
    pytest.param(prompt('sim:tool read {"path": "/etc/hosts"}', tools=TOOLS), id="tool"),
    pytest.param(prompt('sim:tool read {"path":"ä"}\nsim:tool now', tools=TOOLS), id="tools-parallel"),
    pytest.param(prompt('sim:text 5\nsim:tool read {"path":"b"}\nsim:thinking', tools=TOOLS), id="everything"),
    pytest.param(prompt("sim:tool now", tools=TOOLS, max_tokens=0), id="tool-does-not-fit"),
    pytest.param(prompt("sim:tool gone {}", tools=TOOLS), id="tool-not-offered"),
    pytest.param({**prompt(""), "messages": RESULT, "tools": TOOLS}, id="tool-result"),
    pytest.param(prompt("sim:refusal"), id="refusal"),
    pytest.param(prompt("hello", output_config={"format": {"type": "json_schema", "schema": SCHEMA}}), id="schema"),
    pytest.param(prompt("hello", context_management={"edits": []}), id="context-management"),
    pytest.param(prompt("hello", cache_control={"type": "ephemeral"}), id="cached"),
    pytest.param(prompt("hello", speed="fast"), id="fast"),
]


@pytest.mark.parametrize("fields", REQUESTS)
async def test_stream_equals_whole(fields: Json) -> None:
    """A folded stream is the message that comes without a stream, and the SDK's types accept both."""
    whole = await send(make_sim(), post(fields))
    streamed = await send(make_sim(), post({**fields, "stream": True}))

    whole.message()
    assert whole.headers["content-type"] == "application/json"
    assert whole.headers["content-length"] == str(len(whole.body))
    assert whole.headers["request-id"].startswith("req_")
    assert whole.json() == fold(streamed)


@pytest.mark.parametrize("fields", REQUESTS)
async def test_same_request_same_bytes(fields: Json) -> None:
    """Two simulated models answer one request with the same bytes."""
    first = await send(make_sim(), post(fields))
    second = await send(make_sim(), post(fields))

    assert first == second


async def test_answer_depends_on_the_text() -> None:
    """Another text gets another answer under another id."""
    one, other = await ask(make_sim(), "one"), await ask(make_sim(), "other")

    assert one.json()["content"] != other.json()["content"]
    assert one.message().id != other.message().id


async def test_thinking_comes_first() -> None:
    """Thinking is a signed block before the text, and part of the output."""
    message = (await ask(make_sim(), "hello", thinking={"type": "adaptive"})).message()
    details = message.usage.output_tokens_details

    assert ["thinking", "text"] == [block.type for block in message.content]
    assert details is not None
    assert 0 < details.thinking_tokens < message.usage.output_tokens


async def test_omitted_thinking_is_signed_and_billed() -> None:
    """`display: omitted` hides the thoughts, not their price."""
    shown = (await ask(make_sim(), "hello", thinking={"type": "adaptive"})).message()
    hidden = (await ask(make_sim(), "hello", thinking={"type": "adaptive", "display": "omitted"})).message()

    assert hidden.content[0].type == "thinking"
    assert hidden.content[0].thinking == ""
    assert hidden.content[0].signature
    assert hidden.usage.output_tokens_details == shown.usage.output_tokens_details


async def test_notes_between_tools() -> None:
    """`between_tools` thinks after a tool result only."""
    mode = {"type": "between_tools"}
    before = (await ask(make_sim(), "hello", thinking=mode)).message()
    after = (await send(make_sim(), post({**prompt(""), "messages": RESULT, "thinking": mode}))).message()

    assert ["text"] == [block.type for block in before.content]
    assert ["thinking", "text"] == [block.type for block in after.content]


@pytest.mark.parametrize("most", [1, 2, 3, 10, 33])
async def test_max_tokens(most: int) -> None:
    """An answer that is cut has exactly `max_tokens` tokens and says so."""
    message = (await ask(make_sim(), "sim:text 500", max_tokens=most)).message()

    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == most


async def test_stop_sequence_earliest_wins() -> None:
    """The text ends before the first stop sequence that it would hold, and names it."""
    free = (await ask(make_sim(), "hello")).message()
    stopped = (await ask(make_sim(), "hello", stop_sequences=["simulated", "Clearway", "nowhere"])).message()

    assert free.content[0].type == stopped.content[0].type == "text"
    assert stopped.stop_reason == "stop_sequence"
    assert stopped.stop_sequence == "Clearway"
    assert stopped.content[0].text.endswith("I am ")


async def test_tool_calls() -> None:
    """Each directive is one call with its input; without one, with the least that fits."""
    message = (await ask(make_sim(), 'sim:tool now {"a": [1, 2.5]}\nsim:tool read', tools=TOOLS)).message()
    calls = [block for block in message.content if block.type == "tool_use"]

    assert message.stop_reason == "tool_use"
    assert [("now", {"a": [1, 2.5]}), ("read", {"path": "text"})] == [(call.name, call.input) for call in calls]
    assert len({call.id for call in calls}) == 2
    assert all(call.id.startswith("toolu_") for call in calls)


CHOICES = [
    pytest.param("hello", {"type": "auto"}, [], id="auto"),
    pytest.param("hello", {"type": "any"}, ["read"], id="any"),
    pytest.param("hello", {"type": "tool", "name": "now"}, ["now"], id="tool"),
    pytest.param("sim:tool now", {"type": "any"}, ["now"], id="any-with-directive"),
    pytest.param("sim:tool now", {"type": "none"}, [], id="none"),
    pytest.param(
        "sim:tool now\nsim:tool read", {"type": "auto", "disable_parallel_tool_use": True}, ["now"], id="not-parallel"
    ),
]


@pytest.mark.parametrize(("text", "choice", "expected"), CHOICES)
async def test_tool_choice(text: str, choice: Json, expected: list[str]) -> None:
    """`tool_choice` is obeyed."""
    message = (await ask(make_sim(), text, tools=TOOLS, tool_choice=choice)).message()

    assert expected == [block.name for block in message.content if block.type == "tool_use"]


async def test_tool_results_are_weighed() -> None:
    """The answer to tool results names their sizes."""
    results = [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "seven b"},
        {"type": "tool_result", "tool_use_id": "toolu_2", "content": [{"type": "text", "text": "ä"}], "is_error": True},
        {"type": "tool_result", "tool_use_id": "toolu_3"},
    ]
    fields = {**prompt(""), "messages": [*RESULT[:2], {"role": "user", "content": results}]}
    message = (await send(make_sim(), post(fields))).message()

    assert message.content[0].type == "text"
    assert "3 tool results: 7 bytes, an error of 2 bytes, 0 bytes." in message.content[0].text


async def test_json_schema() -> None:
    """With a format, the text is JSON that fits the schema; the older field works too."""
    shape = {"type": "json_schema", "schema": SCHEMA}
    for fields in ({"output_config": {"format": shape}}, {"output_format": shape}):
        message = (await ask(make_sim(), "weather in Paris?", **fields)).message()

        assert message.content[0].type == "text"
        assert {"title": "text"} == json.loads(message.content[0].text)


async def test_refusal() -> None:
    """A refusal has a stop reason with details and no content."""
    message = (await ask(make_sim(), "sim:refusal")).message()

    assert message.stop_reason == "refusal"
    assert message.stop_details is not None
    assert message.content == []


async def test_as_claude_code_sends_it() -> None:
    """System-role messages, empty contents, unknown fields and 50 kB are no obstacle."""
    fields: Json = {
        "model": MODEL,
        "max_tokens": 128000,
        "stream": True,
        "system": [
            {"type": "text", "text": "x-billing: none"},
            {"type": "text", "text": "s" * 50_000, "cache_control": {"type": "ephemeral"}},
        ],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "<system-reminder>\nsim:refusal\n</system-reminder>"},
                    {"type": "text", "text": "sim:tool read"},
                ],
            },
            {"role": "system", "content": []},
            {"role": "system", "content": [{"type": "text", "text": "e", "cache_control": {"type": "ephemeral"}}]},
        ],
        "tools": [
            *TOOLS,
            {"name": "later", "defer_loading": True},
            {"type": "web_search_20260318", "name": "web_search"},
        ],
        "thinking": {"type": "adaptive", "display": "omitted"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "medium"},
        "metadata": {"user_id": "{}"},
        "from_the_future": [{"type": "unknown"}],
    }
    folded = fold(await send(make_sim(), post(fields, "/v1/messages?beta=true")))

    assert folded["stop_reason"] == "tool_use"
    assert folded["context_management"] == {"applied_edits": []}
