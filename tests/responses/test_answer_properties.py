"""Properties of answers in Responses: cuts, interleavings, recorded streams."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.wire.hub.plan import Plan
from clearway.wire.responses.form import Called, Form
from tests.chat.telling import end, event, start, text, thinking, tool_use
from tests.recordings.recorded import read
from tests.responses.answering import Json, events_of, folded, told, whole

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
    """b8: however a stream is cut, the events are the same."""
    assert told(STREAM) == told(STREAM, *cuts)


@settings(deadline=None)
@given(st.data(), st.lists(ARGUMENTS, min_size=1, max_size=4))
def test_any_interleaving(data: st.DataObject, arguments: list[dict[str, object]]) -> None:
    """b3: fragments of several calls in any order make each call whole, in the order in which they began."""
    queues = []
    for index, given_ in enumerate(arguments, 1):
        words = json.dumps(given_)
        cut = data.draw(st.integers(0, len(words)))
        block = {"type": "tool_use", "id": f"t{index}", "name": f"f{index}", "input": {}}
        pieces = [{"type": "input_json_delta", "partial_json": part} for part in (words[:cut], words[cut:])]
        queues.append(
            [
                event("content_block_start", index=index, content_block=block),
                *(event("content_block_delta", index=index, delta=delta) for delta in pieces),
                event("content_block_stop", index=index),
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

    events = events_of(told(stream))
    output = events[-1]["response"]["output"]
    assert output == folded(events) == whole(stream)["output"]
    calls = output[1:]
    assert began == [call["call_id"] for call in calls]
    assert arguments == [json.loads(call["arguments"]) for call in sorted(calls, key=lambda call: str(call["call_id"]))]
    assert {"completed"} == {call["status"] for call in calls}


BLOCKS = st.lists(
    st.one_of(
        st.tuples(st.just("text"), st.lists(st.text(max_size=4), max_size=3)),
        st.tuples(st.just("thinking"), st.lists(st.text(max_size=4), max_size=3)),
        st.tuples(st.just("tool_use"), st.lists(st.text(max_size=4), max_size=3)),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(BLOCKS, st.sampled_from(["end_turn", "tool_use", "max_tokens", "refusal", "of_2027"]))
def test_any_blocks(blocks: list[tuple[str, list[str]]], stop_reason: str) -> None:
    """Whatever blocks come in whatever order: numbers have no gaps, pieces make the done items, these make the end,
    and nothing of text, thoughts and arguments is lost.
    """
    stream = start()
    for index, (kind, parts) in enumerate(blocks):
        match kind:
            case "text":
                stream += text(index, *parts)
            case "thinking":
                stream += thinking(index, *parts)
            case _:
                stream += tool_use(index, f"t{index}", "f", *parts)
    stream += end(stop_reason)

    events = events_of(told(stream))
    output = events[-1]["response"]["output"]
    assert output == folded(events)
    done = sorted((event for event in events if event["type"] == "response.output_item.done"), key=_place)
    assert output == [event["item"] for event in done]
    assert _joined(blocks, "text") == _text(output)
    assert _joined(blocks, "thinking") == "".join(
        part["text"] for item in output if item["type"] == "reasoning" for part in item["summary"]
    )
    calls = [item for item in output if item["type"] == "function_call"]
    expected = ["".join(parts) or "{}" for kind, parts in blocks if kind == "tool_use"]
    assert expected == [call["arguments"] for call in calls]
    assert all(call["status"] == "incomplete" or _is_json(call["arguments"]) for call in calls)


def _place(event: Json) -> int:
    place: int = event["output_index"]
    return place


def _joined(blocks: list[tuple[str, list[str]]], kind: str) -> str:
    return "".join(part for of, parts in blocks for part in parts if of == kind)


def _text(output: list[Json]) -> str:
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    return "".join(part.get("text", "") for part in parts)


def _is_json(words: str) -> bool:
    try:
        json.loads(words)
    except ValueError:
        return False
    return True


@pytest.mark.recordings
@pytest.mark.timeout(180)
def test_recorded_streams(recordings: Path) -> None:
    """RR1, RR2: every recorded stream gives valid events, the same however it is cut, and holds the same text, thoughts
    and calls as the blocks that it was made of.
    """
    count = 0
    for one in read(recordings):
        if not one.is_model_call or one.sse is None or one.status != 200:
            continue
        stream = one.sse.encode()
        starts = stream.count(b'"type":"message_start"') + stream.count(b'"type": "message_start"')
        if starts != 1 or (b'"message_stop"' not in stream and b"event: message_stop" not in stream):
            continue
        plan = Plan(cites=True)
        said = told(stream, plan=plan)
        step = max(1, len(stream) // 7)
        assert said == told(stream, *range(1, len(stream), step), plan=plan)
        events = events_of(said)
        output = events[-1]["response"]["output"]
        assert output == folded(events)
        _compare(_blocks(stream), output)
        count += 1
    assert count > 100


def _compare(blocks: list[Json], output: list[Json]) -> None:
    assert "".join(block["text"] for block in blocks if block["type"] == "text") == _text(output)
    calls = [item for item in output if item["type"] == "function_call"]
    uses = [block for block in blocks if block["type"] == "tool_use"]
    assert [(block["id"], block["name"], block["json"] or "{}") for block in uses] == [
        (call["call_id"], call["name"], call["arguments"]) for call in calls
    ]
    searches = [block for block in blocks if block["type"] == "server_tool_use" and block["name"] == "web_search"]
    actions = [item["action"] for item in output if item["type"] == "web_search_call"]
    assert [json.loads(block["json"])["query"] for block in searches] == [
        action["query"] for action in actions if action["type"] == "search"
    ]
    sealed = [item["encrypted_content"] for item in output if "encrypted_content" in item]
    thoughts = [block for kept in sealed for block in json.loads(kept)]
    assert [block["thinking"] for block in blocks if block["type"] == "thinking" and block["signature"]] == [
        block["thinking"] for block in thoughts if block["type"] == "thinking"
    ]
    for part in (part for item in output if item["type"] == "message" for part in item["content"]):
        for annotation in part.get("annotations", ()):
            assert 0 <= annotation["start_index"] < annotation["end_index"] <= len(part["text"])


def _blocks(stream: bytes) -> list[Json]:
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
            block["signature"] += delta.get("signature", "")
            block["thinking"] = block.get("thinking", "") + delta.get("thinking", "")
    return list(blocks.values())


INDEX = st.integers(0, 3)
WORDS = st.text(max_size=4)
STARTS = st.one_of(
    st.just({"type": "text", "text": ""}),
    st.just({"type": "thinking", "thinking": "", "signature": ""}),
    st.just({"type": "redacted_thinking", "data": "xx"}),
    st.builds(lambda name: {"type": "tool_use", "id": f"t{name}", "name": name, "input": {}}, WORDS),
    st.just({"type": "tool_use", "id": "c", "name": "custom", "input": {}}),
    st.just({"type": "tool_use", "id": "p", "name": "patch", "input": {"path": "x"}}),
    st.just({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
    st.just({"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "web_search_result"}]}),
    st.just({"type": "web_search_tool_result", "tool_use_id": "s", "content": "?"}),
    st.just({"type": "of_2027"}),
)
DELTAS = st.one_of(
    st.builds(lambda word: {"type": "text_delta", "text": word}, WORDS),
    st.builds(lambda word: {"type": "thinking_delta", "thinking": word}, WORDS),
    st.builds(lambda word: {"type": "signature_delta", "signature": word}, WORDS),
    st.builds(
        lambda word: {"type": "input_json_delta", "partial_json": word}, st.sampled_from(["{", "}", '"input":', '"a"'])
    ),
    st.just({"type": "citations_delta", "citation": {"type": "web_search_result_location", "url": None}}),
)
EVENTS = st.lists(
    st.one_of(
        st.builds(lambda index, block: event("content_block_start", index=index, content_block=block), INDEX, STARTS),
        st.builds(lambda index, delta: event("content_block_delta", index=index, delta=delta), INDEX, DELTAS),
        st.builds(lambda index: event("content_block_stop", index=index), INDEX),
        st.just(start()),
        st.just(event("ping")),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(EVENTS, st.sampled_from(["end_turn", "max_tokens", "refusal"]))
def test_events_in_any_order(events: list[bytes], stop_reason: str) -> None:
    """Whatever an upstream makes of the order of events, the client's are valid, fit together and have an end."""
    tools = {"custom": Called(kind="custom", name="custom"), "patch": Called(kind="apply_patch", name="patch")}
    form = Form(model="gpt-5", created=1, seals=True, tools=tools)
    stream = b"".join(events) + end(stop_reason)

    said = events_of(told(stream, plan=Plan(wrapped={"custom": "input"}, cites=True), form=form))
    output = said[-1]["response"]["output"]
    assert output == folded(said)
    assert all(item["status"] in ("completed", "incomplete", "failed") for item in output)
