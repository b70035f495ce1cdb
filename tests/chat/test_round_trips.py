"""What both sides can express survives the way to the client and back; and whatever the SDK's types allow is read."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

from clearway.wire.hub.notes import Refusal
from clearway.wire.hub.plan import Plan
from tests.chat.asking import USER, Json, ask, result, sent, tool
from tests.chat.asking import call as called
from tests.chat.telling import (
    as_stream,
    as_whole,
    chunks_of,
    deltas_of,
    end,
    event,
    folded,
    start,
    text,
    thinking,
    tool_use,
)
from tests.chat.test_properties import MODELS
from tests.sdk_values import Maker

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
WORDS = st.text(min_size=1, max_size=8).filter(lambda word: word.strip() and "\0" not in word)
ARGUMENTS = st.dictionaries(WORDS, st.one_of(WORDS, st.integers(-9, 9), st.none(), st.booleans()), max_size=3)
THOUGHTS = st.lists(
    st.one_of(
        st.builds(
            lambda said, mark: {"type": "thinking", "thinking": said, "signature": mark}, st.text(max_size=8), WORDS
        ),
        st.builds(lambda data: {"type": "redacted_thinking", "data": data}, WORDS),
    ),
    max_size=3,
)
NAMES = st.sampled_from(["f", "g.h", "a very long name " * 9])
CALLS = st.lists(st.tuples(NAMES, ARGUMENTS), max_size=3)
ANY = Maker({"model": MODELS}).of(CompletionCreateParamsNonStreaming)


def said_of(blocks: list[Json]) -> bytes:
    """The answer that has these blocks, as the upstream streams it."""
    stream = start()
    for index, block in enumerate(blocks):
        match block["type"]:
            case "thinking":
                stream += thinking(index, block["thinking"], signature=block["signature"])
            case "redacted_thinking":
                stream += event("content_block_start", index=index, content_block=block)
                stream += event("content_block_stop", index=index)
            case "text":
                stream += text(index, block["text"])
            case _:
                stream += tool_use(index, block["id"], block["name"], json.dumps(block["input"]))
    return stream + end("tool_use" if blocks[-1]["type"] == "tool_use" else "end_turn")


def _streamed(said: bytes, plan: Plan) -> Json:
    """The message that a client makes of a stream, its pieces of thoughts kept as they came."""
    chunks = chunks_of(as_stream(said, plan=plan))
    message = folded(chunks)
    message["tool_calls"] = [called(call["id"], call["name"], call["arguments"]) for call in message["tool_calls"]]
    message["reasoning_details"] = [
        entry for delta in deltas_of(chunks) for entry in delta.get("reasoning_details", ())
    ]
    return message


@pytest.mark.timeout(120)
@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(THOUGHTS, st.one_of(st.none(), WORDS), CALLS, st.booleans())
def test_there_and_back(
    thoughts: list[Json],
    words: str | None,
    calls: list[tuple[str, Json]],
    stream: bool,  # noqa: FBT001  # drawn
) -> None:
    """b5, b6, b16, C49: a turn of Claude's, told to the client and sent back by it, is the same turn: thoughts to the
    byte, hidden ones too, text, calls under their names.
    """
    tools = [tool(name) for name in ("f", "g.h", "a very long name " * 9)]
    asked = ask(messages=[USER], tools=tools)
    sent_names = {
        name: given["name"]
        for name, given in zip(("f", "g.h", "a very long name " * 9), sent(asked)["tools"], strict=True)
    }
    blocks: list[Json] = [*thoughts, *([{"type": "text", "text": words}] if words else [])]
    blocks += [
        {"type": "tool_use", "id": f"toolu_{place}", "name": sent_names[name], "input": given}
        for place, (name, given) in enumerate(calls)
    ]
    if not blocks or blocks[-1]["type"] not in ("text", "tool_use"):
        blocks.append({"type": "text", "text": "."})

    said = said_of(blocks)
    told = _streamed(said, asked.plan) if stream else as_whole(said, plan=asked.plan)["choices"][0]["message"]
    kept = ("content", "tool_calls", "reasoning_details")
    turn = {"role": "assistant", **{name: told[name] for name in kept if told.get(name)}}
    results = [result(call["id"]) for call in turn.get("tool_calls", ())]
    back: Any = sent(ask(messages=[USER, turn, *(results or [USER])], tools=tools))

    assert blocks == back["messages"][1]["content"]
    assert [name for name, _ in calls] == [call["function"]["name"] for call in turn.get("tool_calls", ())]


@pytest.mark.timeout(120)
@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(ANY)
def test_requests_of_the_types(fields: Json) -> None:
    """Whatever keeps to the SDK's types is refused by name, or becomes a request that Messages takes."""
    try:
        translated = ask(**fields)
    except Refusal as refused:
        if not refused.param:  # never without a name
            raise
        return
    body = sent(translated)

    assert "user" == body["messages"][0]["role"]
    assert translated.body == ask(**fields).body
