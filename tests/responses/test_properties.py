"""Properties of the translator of requests: whatever the SDK's types let a client say."""

import itertools
from typing import Any

import msgspec
import pytest
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.responses.input_token_count_params import InputTokenCountParams
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter

from clearway.wire.hub.notes import Refusal
from tests.responses.requesting import ENVELOPE, PNG, Json, ask, call, counted, message, output, sent
from tests.sdk_values import Maker

MODELS = st.sampled_from(
    [
        "claude-sonnet-5-5",
        "claude-opus-5",
        "claude-opus-4-8",
        "claude-sonnet-4-5",
        "claude-3-5-haiku",
        "glm-5",
        "claude-9",
    ]
)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
"""Whole requests take a while to be drawn on a machine that is busy."""
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
IDS = st.sampled_from(["a", "b", "c.d", "e"])
NAMES = st.sampled_from(["f", "g.h", "i", "shell"])
SCHEMAS = st.sampled_from(
    [
        {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False},
        {"type": "object"},
        {"anyOf": [{"type": "object"}]},
    ]
)
LIKELY = {
    "model": MODELS,
    "call_id": IDS,
    "name": NAMES,
    "arguments": st.sampled_from(["", "{}", '{"x": 1}', "[", "null"]),
    "parameters": SCHEMAS,
    "schema": SCHEMAS,
    "image_url": st.sampled_from([PNG, "https://example.com/a.png"]),
    "file_data": st.sampled_from(["JVBERi0xLjcgeA==", "data:text/plain;base64,aGk="]),
    "file_url": st.just("https://example.com/a.pdf"),
    "encrypted_content": st.sampled_from([ENVELOPE.seal([dict(THOUGHT)], model="claude-sonnet-4-5"), "gAAAA"]),
    "max_output_tokens": st.integers(1, 200_000),
    "max_tool_calls": st.integers(1, 3),
}
_REFUSED_ITEMS = (
    "ResponseComputerToolCallParam",
    "ComputerCallOutput",
    "ImageGenerationCall",
    "ResponseCompactionItemParamParam",
    "CompactionTrigger",
    "ResponseConfigurationUpdateItemParamParam",
    "Program",
    "ProgramOutput",
    "ItemReference",
    "McpApprovalRequest",
    "McpApprovalResponse",
)
ANY = Maker({"model": MODELS}).of(ResponseCreateParamsNonStreaming)
SERVED = Maker(
    LIKELY
    | {
        # What is refused by a row of its own in test_told.py.
        "file_id": st.none(),
        "include": st.none(),
        "top_logprobs": st.none(),
        "background": st.sampled_from([False]),
        "tool_choice": st.sampled_from(["auto", "none"]),
        **dict.fromkeys(("conversation", "prompt", "moderation", "access_programs"), st.none()),
    },
    without=_REFUSED_ITEMS,
).of(ResponseCreateParamsNonStreaming)
COUNTED = Maker(LIKELY | {"conversation": st.none(), "previous_response_id": st.none()}).of(InputTokenCountParams)
_counts: TypeAdapter[Any] = TypeAdapter(MessageCountTokensParams)


@pytest.mark.timeout(120)
@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(ANY)
def test_requests_of_any_kind(fields: Json) -> None:
    """Whatever keeps to the SDK's types is refused by name, or becomes a request that Messages takes."""
    try:
        translated = ask(history=[], **{"input": None, **fields})
    except Refusal as refused:
        # Never without a name.
        if not refused.param:
            raise
        return
    _is_right(sent(translated))


@pytest.mark.timeout(120)
@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(SERVED, st.booleans())
def test_requests_of_served_kinds(fields: Json, is_codex: bool) -> None:  # noqa: FBT001  # drawn
    """So is what is served; and it begins with the user, turns alternate, each call has its result behind it."""
    told: Json = {"history": [message("user", "before")], "drops_hosted": True, "codex": is_codex}
    try:
        translated = ask(**told, **fields)
    except Refusal as refused:
        if not refused.param:
            raise
        return
    _is_right(sent(translated))
    assert translated.body == ask(**told, **fields).body


def _is_right(body: Json) -> None:
    turns = body["messages"]
    assert "user" == turns[0]["role"]
    assert 1 <= body["max_tokens"]
    assert body.get("thinking", {}).get("budget_tokens", 0) < body["max_tokens"]
    assert all(turn["content"] for turn in turns)
    assert not [block for turn in turns for block in turn["content"] if block.get("text", "x").strip() == ""]
    names = [one["name"] for one in body.get("tools", ())]
    assert len(names) == len(set(names))
    for turn, behind in zip(turns, [*turns[1:], {"role": "", "content": []}], strict=True):
        assert turn["role"] != behind["role"]
        if turn["role"] != "assistant":
            continue
        assert turn["content"][-1]["type"] not in ("thinking", "redacted_thinking")
        calls = [block["id"] for block in turn["content"] if block["type"] == "tool_use"]
        results = [block["tool_use_id"] for block in behind["content"] if block["type"] == "tool_result"]
        assert calls == results
        kinds = [block["type"] for block in behind["content"]]
        assert kinds[: len(calls)] == ["tool_result"] * len(calls)


@pytest.mark.timeout(120)
@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(COUNTED)
def test_counts_of_any_kind(fields: Json) -> None:
    """R19: so is a request for the number of tokens, by the types of `count_tokens`."""
    try:
        body = msgspec.json.decode(counted(**{"input": None, **fields}).body)
    except Refusal as refused:
        if not refused.param:
            raise
        return
    assert set(body) <= set(MessageCountTokensParams.__annotations__)
    _counts.validate_python(body)


def _turn(number: int, thinks: bool, says: bool, calls: int) -> list[Json]:  # noqa: FBT001  # drawn
    made: list[Json] = [message("user", f"ask {number}")]
    if thinks:
        sealed = ENVELOPE.seal([dict(THOUGHT)], model="claude-sonnet-5-5")
        made.append({"type": "reasoning", "id": f"rs_{number}", "summary": [], "encrypted_content": sealed})
    ids = [f"call_{number}_{place}" for place in range(calls)]
    if says or not calls:
        made.append(message("assistant", [{"type": "output_text", "text": f"say {number}", "annotations": []}]))
    made += [call(call_id, "f.x", '{"n": 1}') for call_id in ids]
    made += [output(call_id, f"done {number}") for call_id in reversed(ids)]
    if calls:
        made.append(message("assistant", f"so {number}"))
    return made


TURNS = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 3)), min_size=1, max_size=5)


@settings(deadline=None)
@given(TURNS, st.booleans())
def test_a_turn_more_changes_nothing_before(turns: list[tuple[bool, bool, int]], is_kept: bool) -> None:  # noqa: FBT001  # drawn
    """G8, G9: a conversation that goes on keeps its beginning, whether the client sends it or it was kept here."""
    instructions = message("developer", "s")
    before: list[Json] = [instructions]
    bodies = []
    for number, (thinks, says, calls) in enumerate(turns):
        turn = _turn(number, thinks, says, calls)
        whole = [*before, turn[0]]
        translated = ask(history=before, input=turn[:1]) if is_kept else ask(input=whole)
        assert translated.body == ask(input=whole).body
        bodies.append(sent(translated))
        before += turn

    for shorter, longer in itertools.pairwise(bodies):
        assert shorter["messages"] == longer["messages"][: len(shorter["messages"])]
        assert shorter["system"] == longer["system"]
