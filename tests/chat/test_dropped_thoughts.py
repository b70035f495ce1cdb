"""Clients that drop what was thought: the gateway puts it back (C50)."""

import json
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.chat.conftest import Bench, connected
from tests.chat.telling import end, event, start, text, thinking, tool_use
from tests.fake_upstream import stream_answer

pytestmark = [pytest.mark.client, pytest.mark.timeout(60)]

MODEL = "claude-sonnet-5-5"
BUDGETED = "claude-haiku-4-5"
HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
TOOLS: Any = [{"type": "function", "function": {"name": name}} for name in ("weather", "a.b")]
HIDDEN = event("content_block_start", index=1, content_block={"type": "redacted_thinking", "data": "ZW5j"}) + event(
    "content_block_stop", index=1
)
LOOP = (
    start(), thinking(0, "h", "\u00e4\\n", signature="c2ln"), HIDDEN, text(2, "So", ": "),
    tool_use(3, "toolu_1", "weather", '{"city":"Oslo"}'), thinking(4, signature="bm8="), text(5, "And"),
    tool_use(6, "toolu_2", "a_b"), end("tool_use"),
)  # fmt: skip
TURN = [
    {"type": "thinking", "thinking": "h\u00e4\\n", "signature": "c2ln"},
    {"type": "redacted_thinking", "data": "ZW5j"},
    {"type": "text", "text": "So: "},
    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
    {"type": "thinking", "thinking": "", "signature": "bm8="},
    {"type": "text", "text": "And"},
    {"type": "tool_use", "id": "toolu_2", "name": "a_b", "input": {}},
]
"""The upstream's turn, in its order."""


def _loop(bench: Bench, client: openai.OpenAI, *, stream: bool = False, model: str = MODEL) -> dict[str, Any]:
    """The assistant's message as a client keeps it that knows nothing of thoughts."""
    bench.script = lambda _: stream_answer(LOOP)
    if stream:
        with client.chat.completions.stream(model=model, messages=HI, tools=TOOLS) as streamed:
            message = streamed.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(model=model, messages=HI, tools=TOOLS).choices[0].message  # type: ignore[assignment]  # of one form
    calls = [call.model_dump(include={"id", "type", "function"}) for call in message.tool_calls or ()]
    for call in calls:
        call["function"] = {name: call["function"][name] for name in ("name", "arguments")}
    return {"role": "assistant", "content": message.content, "tool_calls": calls}


def _sent_on(bench: Bench, client: openai.OpenAI, turn: dict[str, Any], model: str = MODEL, **more: Any) -> Any:  # noqa: ANN401  # JSON
    """The next request, as it goes upstream."""
    bench.script = lambda _: stream_answer([start(), text(0, "Rain."), end()])
    results: Any = [{"role": "tool", "tool_call_id": call["id"], "content": "rain"} for call in turn["tool_calls"]]
    client.chat.completions.create(model=model, messages=[*HI, turn, *results], tools=TOOLS, **more)  # type: ignore[list-item]  # as programs send it
    return bench.upstream.received[-1].json()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_put_back(bench: Bench, client: openai.OpenAI, *, stream: bool) -> None:
    """C50: the turn goes back as it came, hidden and empty thoughts too, each in its place."""
    turn = _loop(bench, client, stream=stream)

    assert TURN == _sent_on(bench, client, turn)["messages"][1]["content"]


def test_text_alone_is_told_by_itself(bench: Bench, client: openai.OpenAI) -> None:
    """C50: a turn without calls is known by its words; `reasoning_content` alone does not replace it."""
    bench.script = lambda _: stream_answer([start(), thinking(0, "hm"), text(1, "Hel", "lo"), end()])
    said = client.chat.completions.create(model=MODEL, messages=HI).choices[0].message.content
    turn: Any = {"role": "assistant", "content": said, "reasoning_content": "hm"}
    client.chat.completions.create(model=MODEL, messages=[*HI, turn, *HI])
    asked: Any = bench.upstream.received[-1].json()

    block = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    assert [block, {"type": "text", "text": "Hello"}] == asked["messages"][1]["content"]


def test_a_budget_model_thinks_on(bench: Bench, client: openai.OpenAI) -> None:
    """b5, C50: a model that insists on its thoughts before results has them, and goes on thinking."""
    turn = _loop(bench, client, model=BUDGETED)
    asked = _sent_on(bench, client, turn, BUDGETED, reasoning_effort="low")

    assert "enabled" == asked["thinking"]["type"]
    assert TURN == asked["messages"][1]["content"]


@pytest.mark.parametrize("said", ["h\u00e4\n", ""])
def test_instead_of_text_in_tags(bench: Bench, client: openai.OpenAI, said: str) -> None:
    """C50: a client that says a thought as text has it replaced by the thought itself; where none is kept, it stays."""
    turn = _loop(bench, client)
    tagged = {"type": "text", "text": f"<think>\n{said}\n</think>"}
    turn["content"] = [tagged, {"type": "text", "text": turn["content"]}]
    asked = _sent_on(bench, client, turn)
    with connected(bench.gateway.url, bench.gateway.new_key(f"tags of another {len(said)}")) as another:
        lost = _sent_on(bench, another, turn)

    assert TURN == asked["messages"][1]["content"]
    assert tagged == lost["messages"][1]["content"][0]


@pytest.mark.parametrize("how", ["edited", "other-model", "other-key", "fewer-calls"])
def test_not_put_back(bench: Bench, client: openai.OpenAI, how: str) -> None:
    """C50: only the very turn gets its thoughts, from the same model and for the same key."""
    turn = _loop(bench, client)
    model = "claude-opus-5-5" if how == "other-model" else MODEL
    if how == "edited":
        turn["content"] += " but"
    if how == "fewer-calls":
        turn["tool_calls"] = turn["tool_calls"][:1]
    with connected(bench.gateway.url, bench.gateway.new_key(f"another for {how}")) as another:
        asked = _sent_on(bench, another if how == "other-key" else client, turn, model)

    assert "thinking" not in {block["type"] for block in asked["messages"][1]["content"]}
    assert "sig" not in json.dumps(asked)


def test_what_comes_from_the_client_wins(bench: Bench, client: openai.OpenAI) -> None:
    """C49: thoughts that the client brings are not replaced."""
    turn = _loop(bench, client)
    details = [{"type": "reasoning.text", "text": "mine", "signature": "bWluZQ==", "index": 0}]
    asked = _sent_on(bench, client, {**turn, "reasoning_details": details})

    assert {"type": "thinking", "thinking": "mine", "signature": "bWluZQ=="} == asked["messages"][1]["content"][0]
    assert "c2ln" not in json.dumps(asked)
