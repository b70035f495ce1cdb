"""Properties of Chat Completions' translator: cuts, interleavings, recorded streams, requests of any kind."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.wire.hub.kept import name_of, put_back
from clearway.wire.hub.notes import Refusal
from tests.chat.asking import PNG, Json, ask, sent, tool
from tests.chat.telling import (
    as_stream,
    as_whole,
    chunks_of,
    end,
    event,
    folded,
    kept_of,
    start,
    text,
    thinking,
    tool_use,
)
from tests.recordings.recorded import read

STREAM = (
    start()
    + thinking(0, "h\u20ac", "m")
    + text(1, "a\U0001f326", '\\"')
    + tool_use(2, "t", "f", '{"x"', ": 1}")
    + end()
)
ARGUMENTS = st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=9), st.integers(), st.none()), max_size=3)


@settings(deadline=None)
@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_any_cut(cuts: list[int]) -> None:
    """b8: however a stream is cut, the chunks are the same."""
    assert as_stream(STREAM) == as_stream(STREAM, *cuts)


@settings(deadline=None)
@given(st.data(), st.lists(ARGUMENTS, min_size=1, max_size=4))
def test_any_interleaving(data: st.DataObject, arguments: list[dict[str, object]]) -> None:
    """b3: fragments of several calls in any order make each call whole, counted from 0 as they began."""
    queues = []
    for index, given_ in enumerate(arguments):
        whole = json.dumps(given_)
        cut = data.draw(st.integers(0, len(whole)))
        queues.append(
            [
                event(
                    "content_block_start",
                    index=index + 1,
                    content_block={"type": "tool_use", "id": f"t{index}", "name": f"f{index}", "input": {}},
                ),
                *(
                    event(
                        "content_block_delta", index=index + 1, delta={"type": "input_json_delta", "partial_json": part}
                    )
                    for part in (whole[:cut], whole[cut:])
                ),
                event("content_block_stop", index=index + 1),
            ]
        )
    stream, began = b"", []
    while queues:
        place = data.draw(st.integers(0, len(queues) - 1))
        if len(queues[place]) == 4:
            began.append(json.loads(queues[place][0].split(b"data: ")[1])["content_block"]["id"])
        stream += queues[place].pop(0)
        queues = [queue for queue in queues if queue]
    stream = start() + text(0, "x") + stream + end("tool_use")

    told = folded(chunks_of(as_stream(stream)))["tool_calls"]
    assert began == [call["id"] for call in told]
    assert arguments == [json.loads(call["arguments"]) for call in sorted(told, key=lambda call: call["id"])]
    whole_calls = as_whole(stream)["choices"][0]["message"]["tool_calls"]
    assert [call["arguments"] for call in told] == [call["function"]["arguments"] for call in whole_calls]


@pytest.mark.recordings
@pytest.mark.timeout(120)
def test_recorded_streams(recordings: Path) -> None:
    """CS10: every recorded stream gives the same however it is cut, and the same text and calls as it holds."""
    count = 0
    for one in read(recordings):
        if not one.is_model_call or one.sse is None or "several_messages" in str(one) or one.status != 200:
            continue
        stream = one.sse.encode()
        if b'"message_stop"' not in stream and b"event: message_stop" not in stream:
            continue
        if stream.count(b'"type":"message_start"') + stream.count(b'"type": "message_start"') > 1:
            continue
        said = as_stream(stream)
        step = max(1, len(stream) // 7)
        assert said == as_stream(stream, *range(1, len(stream), step))
        told = folded(chunks_of(said))
        blocks = _blocks(stream)
        assert "".join(block["text"] for block in blocks if block["type"] == "text") == (told["content"] or "")
        assert [(block["id"], block["name"]) for block in blocks if block["type"] == "tool_use"] == [
            (call["id"], call["name"]) for call in told["tool_calls"]
        ]
        for block, call in zip([b for b in blocks if b["type"] == "tool_use"], told["tool_calls"], strict=True):
            assert (block["json"] or "{}") == call["arguments"]
        count += 1
    assert count > 100


@pytest.mark.recordings
@pytest.mark.timeout(120)
def test_recorded_thoughts_are_put_back(recordings: Path) -> None:
    """C50: of every recorded stream that thinks, a client that keeps text and calls alone gets the whole turn back."""
    count = 0
    for one in read(recordings):
        if not one.is_model_call or one.sse is None or one.status != 200 or '"thinking"' not in one.sse:
            continue
        stream = one.sse.encode()
        blocks = [_sent_back(block) for block in _blocks(stream)]
        kinds = {block["type"] for block in blocks}
        if stream.count(b"event: message_start") > 1 or not kinds <= _SENT_BACK:
            continue
        kept = kept_of(stream)
        if kept is None:
            assert any("signature" in block and not block["signature"] for block in blocks) or "thinking" not in kinds
            continue
        text = "".join(block["text"] for block in blocks if block["type"] == "text")
        turn: list[dict[str, object]] = [{"type": "text", "text": text}] if text.strip() else []
        turn += [block for block in blocks if block["type"] == "tool_use"]
        expected = [block for block in blocks if block["type"] != "text" or block["text"].strip()]
        assert expected == put_back({name_of(kept): kept}.get, kept.model, turn)
        count += 1
    assert count > 20


_SENT_BACK = {"thinking", "redacted_thinking", "text", "tool_use"}


def _sent_back(block: dict[str, Any]) -> dict[str, Any]:
    """A block of the answer as one of a request."""
    match block["type"]:
        case "thinking":
            return {name: block[name] for name in ("type", "thinking", "signature")}
        case "redacted_thinking":
            return {name: block[name] for name in ("type", "data")}
        case "text":
            return {name: block[name] for name in ("type", "text")}
        case "tool_use":
            return {"type": "tool_use", "id": block["id"], "name": block["name"], "input": block["json"]}
        case _:
            return block


def _blocks(stream: bytes) -> list[dict[str, Any]]:
    """The blocks of a stream, put together in the plainest way."""
    blocks: dict[int, dict[str, Any]] = {}
    for line in stream.decode().splitlines():
        if not line.startswith("data:") or line.removeprefix("data:").strip() == "[DONE]":
            continue
        seen = json.loads(line.removeprefix("data:"))
        if seen["type"] == "content_block_start":
            blocks[seen["index"]] = {"text": "", "json": "", "signature": "", **seen["content_block"]}
        elif seen["type"] == "content_block_delta":
            delta, block = seen["delta"], blocks[seen["index"]]
            block["text"] += delta.get("text", "")
            block["json"] += delta.get("partial_json", "")
            if block["type"] == "thinking":
                block["thinking"] += delta.get("thinking", "")
                block["signature"] = delta.get("signature", block["signature"])
    return list(blocks.values())


WORDS = st.text(alphabet="ab \n\u20ac", max_size=6)
PARTS = st.lists(
    st.one_of(
        st.builds(lambda word: {"type": "text", "text": word}, WORDS),
        st.just({"type": "image_url", "image_url": {"url": PNG}}),
    ),
    max_size=3,
)
IDS = st.sampled_from(["a", "b", "c.d"])
CALLS = st.lists(
    st.builds(
        lambda call_id, args: {"id": call_id, "type": "function", "function": {"name": "f", "arguments": args}},
        IDS,
        st.sampled_from(["", "{}", '{"x": 1}', "[", "null"]),
    ),
    max_size=2,
)
MESSAGES = st.lists(
    st.one_of(
        st.builds(lambda content: {"role": "user", "content": content}, st.one_of(WORDS, PARTS)),
        st.builds(lambda content: {"role": "system", "content": content}, WORDS),
        st.builds(
            lambda content, calls: {"role": "assistant", "content": content, "tool_calls": calls},
            st.one_of(st.none(), WORDS),
            CALLS,
        ),
        st.builds(lambda call_id, content: {"role": "tool", "tool_call_id": call_id, "content": content}, IDS, WORDS),
    ),
    min_size=1,
    max_size=7,
)
MODELS = st.sampled_from(
    [
        "claude-sonnet-5-5",
        "claude-opus-4-8",
        "claude-sonnet-4-5",
        "claude-haiku-4-5",
        "claude-3-5-haiku",
        "glm-5",
        "claude-9",
    ]
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2),
        "max_tokens": st.integers(1, 200_000),
        "reasoning_effort": st.sampled_from(["none", "minimal", "low", "high", "xhigh", "max"]),
        "tools": st.just([tool("f"), tool("g.h")]),
        "parallel_tool_calls": st.booleans(),
        "response_format": st.sampled_from(
            [
                {"type": "json_object"},
                {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
            ]
        ),
        "stop": WORDS,
        "user": WORDS,
    },
)


@settings(max_examples=300, deadline=None)
@given(MODELS, MESSAGES, FIELDS)
def test_requests_of_any_kind(model: str, messages: list[Json], fields: Json) -> None:
    """Whatever a client says within the SDK's types is refused by name, or becomes a request that Messages
    takes: it begins with the user, turns alternate, and each call has its result directly behind it.
    """
    try:
        translated = ask(model, messages=messages, **fields)
    except Refusal as refused:
        # Never without a name.
        if not refused.param:
            raise
        return
    body: dict[str, Any] = sent(translated)
    turns = body["messages"]
    assert "user" == turns[0]["role"]
    assert translated.max_tokens == body["max_tokens"] >= 1
    assert all(turn["content"] for turn in turns)
    assert not [block for turn in turns for block in turn["content"] if block.get("text", "x").strip() == ""]
    thinking = body.get("thinking", {})
    assert thinking.get("budget_tokens", 0) < body["max_tokens"]
    for turn, behind in zip(turns, [*turns[1:], {"role": "", "content": []}], strict=True):
        assert turn["role"] != behind["role"]
        if turn["role"] != "assistant":
            continue
        calls = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
        results = [block["tool_use_id"] for block in behind["content"] if block["type"] == "tool_result"]
        assert calls == results
        kinds = [block["type"] for block in behind["content"]]
        assert kinds[: len(calls)] == ["tool_result"] * len(calls)
