"""Answers of Messages, and what is made of them for a client of Responses.

`told` feeds any stream, cut anywhere, through the very pieces that the gateway uses.
Events are checked against the types of the official SDK wherever they are read.
"""

import itertools
import json
from collections.abc import Iterable
from typing import Any

from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from clearway.wire.hub.answer import Answer
from clearway.wire.hub.events import read_event
from clearway.wire.hub.plan import NO_PLAN, Plan
from clearway.wire.responses.form import Form
from clearway.wire.responses.stream import Telling
from clearway.wire.sse import DataScanner

FORM = Form(model="gpt-5", created=1_795_800_000, seals=True)
Json = dict[str, Any]
_OTHER_CODES = ("insufficient_quota", "context_length_exceeded")
_EVENT: TypeAdapter[object] = TypeAdapter(ResponseStreamEvent)


def seal(blocks: list[dict[str, object]]) -> str:
    """An envelope that can be looked into."""
    return json.dumps(blocks)


def told(stream: bytes, *cuts: int, plan: Plan = NO_PLAN, form: Form = FORM) -> bytes:
    """What a client that streams is sent."""
    return _run(stream, cuts, plan, form)[0]


def whole(stream: bytes, *cuts: int, plan: Plan = NO_PLAN, form: Form = FORM) -> Json:
    """What a client that does not is sent, valid by the SDK's type."""
    response: Json = json.loads(_run(stream, cuts, plan, form)[1])
    Response.model_validate(response)
    return response


def _run(stream: bytes, cuts: Iterable[int], plan: Plan, form: Form) -> tuple[bytes, bytes]:
    answer, telling, scanner = Answer(plan), Telling(form, seal), DataScanner()
    places = sorted({0, *cuts, len(stream)})
    said = b"".join(
        telling.write(piece)
        for first, last in itertools.pairwise(places)
        for seen in scanner.feed_all(stream[first:last])
        for piece in answer.feed(read_event(seen))
    )
    if answer.is_paused:
        said += b"".join(telling.write(piece) for piece in answer.give_up())
    return said, telling.body


def events_of(said: bytes) -> list[Json]:
    """The events of a stream, which must be named, numbered from 0 without a gap, and of the SDK's types."""
    *frames, last = said.split(b"\n\n")
    events: list[Json] = []
    for number, frame in enumerate(frames):
        name, data = frame.split(b"\n")
        event = json.loads(data.removeprefix(b"data: "))

        assert name == b"event: " + event["type"].encode()
        assert number == event["sequence_number"]
        _EVENT.validate_python(_in_its_words(event))
        events.append(event)
    assert b"" == last
    return events


def _in_its_words(event: Json) -> Json:
    """The event with a code that the SDK's type has: Codex knows others that OpenAI sends, and the SDK reads any."""
    if event["type"] == "response.failed" and event["response"]["error"]["code"] in _OTHER_CODES:
        return {**event, "response": {**event["response"], "error": {"code": "server_error", "message": ""}}}
    return event


def types_of(events: Iterable[Json]) -> list[str]:
    """Their types, without the word that all begin with."""
    return [event["type"].removeprefix("response.") for event in events]


def folded(events: list[Json]) -> list[Json]:
    """The items that the events make, by the rules of a client that trusts nothing but pieces; each must agree with
    the events that tell it whole.
    """
    items: dict[int, Json] = {}
    for event in events:
        fold = _FOLDS.get(event["type"].removeprefix("response."))
        if fold is not None:
            fold(items, event)
    return [items[index] for index in sorted(items)]


def _item_added(items: dict[int, Json], event: Json) -> None:
    assert event["output_index"] == len(items)
    assert "in_progress" == event["item"]["status"]
    items[event["output_index"]] = event["item"]


def _item_done(items: dict[int, Json], event: Json) -> None:
    mine, item = items[event["output_index"]], event["item"]
    assert mine["id"] == item["id"]
    for name in ("content", "summary", "arguments", "input"):
        if name in mine and mine["type"] != "tool_search_call":
            assert mine[name] == item[name]
    items[event["output_index"]] = item


def _part_added(items: dict[int, Json], event: Json) -> None:
    content = _of(items, event)["content"]
    assert event["content_index"] == len(content)
    content.append(event["part"])


def _part_done(items: dict[int, Json], event: Json) -> None:
    assert _of(items, event)["content"][event["content_index"]] == event["part"]


def _text(items: dict[int, Json], event: Json) -> None:
    _of(items, event)["content"][event["content_index"]]["text"] += event["delta"]


def _text_done(items: dict[int, Json], event: Json) -> None:
    assert _of(items, event)["content"][event["content_index"]]["text"] == event["text"]


def _annotation(items: dict[int, Json], event: Json) -> None:
    annotations = _of(items, event)["content"][event["content_index"]]["annotations"]
    assert event["annotation_index"] == len(annotations)
    annotations.append(event["annotation"])


def _refusal(items: dict[int, Json], event: Json) -> None:
    _of(items, event)["content"][event["content_index"]]["refusal"] += event["delta"]


def _summary_added(items: dict[int, Json], event: Json) -> None:
    summary = _of(items, event)["summary"]
    assert event["summary_index"] == len(summary)
    summary.append(event["part"])


def _summary(items: dict[int, Json], event: Json) -> None:
    _of(items, event)["summary"][event["summary_index"]]["text"] += event["delta"]


def _summary_done(items: dict[int, Json], event: Json) -> None:
    assert _of(items, event)["summary"][event["summary_index"]] == event["part"]


def _argument(items: dict[int, Json], event: Json) -> None:
    _of(items, event)["arguments"] += event["delta"]


def _argument_done(items: dict[int, Json], event: Json) -> None:
    assert _of(items, event)["arguments"] == event["arguments"]


def _input(items: dict[int, Json], event: Json) -> None:
    _of(items, event)["input"] += event["delta"]


def _of(items: dict[int, Json], event: Json) -> Json:
    item = items[event["output_index"]]
    assert item["id"] == event["item_id"]
    return item


_FOLDS = {
    "output_item.added": _item_added,
    "output_item.done": _item_done,
    "content_part.added": _part_added,
    "content_part.done": _part_done,
    "output_text.delta": _text,
    "output_text.done": _text_done,
    "output_text.annotation.added": _annotation,
    "refusal.delta": _refusal,
    "reasoning_summary_part.added": _summary_added,
    "reasoning_summary_text.delta": _summary,
    "reasoning_summary_part.done": _summary_done,
    "function_call_arguments.delta": _argument,
    "function_call_arguments.done": _argument_done,
    "custom_tool_call_input.delta": _input,
}
