"""What both sides can express survives the way to the client and back."""

from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearway.wire.hub.answer import Answer
from clearway.wire.hub.events import read_event
from clearway.wire.responses.stream import Telling
from clearway.wire.sse import DataScanner
from tests.chat.test_round_trips import ARGUMENTS, THOUGHTS, WORDS, said_of
from tests.responses.answering import events_of
from tests.responses.requesting import ENVELOPE, Json, ask, function, message, output, sent

MODEL = "claude-sonnet-5-5"
LONG = "a very long name " * 9
PATCH = {"type": "custom", "name": "apply_patch", "description": "", "format": {"type": "text"}}
TEAM = {"type": "namespace", "name": "team", "description": "d", "tools": [function("spawn")]}
TOOLS = [function("f"), function("g.h"), function(LONG), PATCH, TEAM]
CALLED = ("f", "g.h", LONG, "apply_patch", "team.spawn")
CALLS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["f", "g.h", LONG, "team.spawn"]), ARGUMENTS),
        st.tuples(st.just("apply_patch"), st.builds(lambda patch: {"input": patch}, WORDS)),
    ),
    max_size=3,
)
SEGMENTS = st.lists(st.tuples(THOUGHTS.filter(bool), st.one_of(st.none(), WORDS), CALLS), min_size=1, max_size=3)


@pytest.mark.timeout(120)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(SEGMENTS)
def test_there_and_back(segments: list[tuple[list[Json], str | None, list[tuple[str, Json]]]]) -> None:
    """R15, b5, b6, b16: a turn of Claude's, told in items and sent back by the client, is the same turn: thoughts to
    the byte and each in its place, text, calls of every kind under their names.
    """
    asked = ask(MODEL, tools=TOOLS)
    names = dict(
        zip(("f", "g.h", LONG, "apply_patch", "team.spawn"), [one["name"] for one in sent(asked)["tools"]], strict=True)
    )
    blocks: list[Json] = []
    for thoughts, words, calls in segments:
        blocks += thoughts
        blocks += [{"type": "text", "text": words}] if words else []
        blocks += [
            {"type": "tool_use", "id": f"toolu_{len(blocks)}_{place}", "name": names[name], "input": given}
            for place, (name, given) in enumerate(calls)
        ]
    if blocks[-1]["type"] not in ("text", "tool_use"):
        blocks.append({"type": "text", "text": "."})

    answer, telling = Answer(asked.plan), Telling(asked.form, partial(ENVELOPE.seal, model=MODEL))
    pieces = [piece for seen in DataScanner().feed_all(said_of(blocks)) for piece in answer.feed(read_event(seen))]
    items = events_of(b"".join(map(telling.write, pieces)))[-1]["response"]["output"]
    outputs = [_output(item) for item in items if "call" in item["type"]]
    back: Any = sent(
        ask(MODEL, tools=TOOLS, input=[message("user", "hi"), *items, *(outputs or [message("user", "so?")])])
    )

    assert blocks == back["messages"][1]["content"]


def _output(item: Json) -> Json:
    kind = "custom_tool_call_output" if item["type"] == "custom_tool_call" else "function_call_output"
    return {**output(item["call_id"], "done"), "type": kind}
