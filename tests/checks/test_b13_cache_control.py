"""b13: Every cache breakpoint reaches the upstream where the client put it, with all that is written in it.

Elsewhere `cache_control` was dropped, moved, limited in number, or its `ttl` and `scope` were refused:
Portkey#1589, #1140; litellm PR #15801; cline#5067; kodus-ai#1828; inference-gateway#478.
Formats: messages
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import anthropic
import pytest

from tests.clients.answers import HEADERS, USAGE, events
from tests.clients.sdk import connect
from tests.fake_upstream import error_answer, json_answer, stream_answer
from tests.recordings.asking import spell
from tests.recordings.recorded import read
from tests.relay.stage import PAYERS, Payer, Stage
from tests.relay.wire_client import MODEL, prompt

HOUR = {"type": "ephemeral", "ttl": "1h"}
FIVE = {"type": "ephemeral"}
SCOPED = {"type": "ephemeral", "ttl": "5m", "scope": "global"}
UNKNOWN = {"x_of_2027": [1.0, None], "type": "ephemeral", "ttl": "7d"}
CONTROLS = [
    pytest.param(FIVE, id="plain"),
    pytest.param(HOUR, id="hour"),
    pytest.param(SCOPED, id="scope"),
    pytest.param(UNKNOWN, id="unknown-members"),
    pytest.param(None, id="null"),
]

Json = dict[str, object]
PLACES: dict[str, Callable[[object], Json]] = {
    "top-level": lambda control: {"cache_control": control},
    "system": lambda control: {"system": [{"type": "text", "text": "be kind", "cache_control": control}]},
    "tools": lambda control: {
        "tools": [
            {"name": "a", "input_schema": {"type": "object"}},
            {"name": "b", "cache_control": control, "input_schema": {"type": "object"}, "x_of_2027": {}},
            {"type": "web_search_20260318", "name": "web_search", "cache_control": control},
        ]
    },
    "user": lambda control: _user({"type": "text", "text": "hi", "cache_control": control}),
    "image": lambda control: _user(
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "AA=="},
            "cache_control": control,
        }
    ),
    "document": lambda control: _user(
        {"type": "document", "source": {"type": "text", "data": "d"}, "cache_control": control}
    ),
    "assistant": lambda control: _messages(
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "text", "text": "hello", "cache_control": control}]},
    ),
    "tool_use": lambda control: _messages(
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "b", "input": {}, "cache_control": control}],
        },
    ),
    "tool_result": lambda control: _user(
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain", "cache_control": control}
    ),
    "within-a-tool_result": lambda control: _user(
        {
            "type": "tool_result",
            "tool_use_id": "toolu_1",
            "content": [{"type": "text", "text": "rain", "cache_control": control}],
        }
    ),
    "system-within-messages": lambda control: _messages(
        {"role": "system", "content": [{"type": "text", "text": "be brief", "cache_control": control}]}
    ),
    "unknown-block": lambda control: _user({"type": "of_2027", "cache_control": control, "x": [{"y": control}]}),
}


def _messages(*messages: Json) -> Json:
    return {"messages": list(messages)}


def _user(*blocks: Json) -> Json:
    return _messages({"role": "user", "content": list(blocks)})


def _body(members: Json) -> Json:
    return {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **members}


def _breakpoints(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], object]]:
    """Where each `cache_control` stands, and what it says."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in members:
        if name == "cache_control":
            yield path, inner
        yield from _breakpoints(inner, (*path, name))


@pytest.fixture
def answering(stage: Stage) -> Stage:
    """Its upstream takes everything."""
    stage.play(json_answer({"type": "message"}))
    return stage


@pytest.mark.parametrize("target", ["/v1/messages", "/v1/messages?beta=true", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("payer", PAYERS)
@pytest.mark.parametrize("control", CONTROLS)
def test_in_every_place(answering: Stage, control: object, payer: Payer, target: str) -> None:
    """b13: Wherever a breakpoint can stand it stays, and the body around it is the same to the byte."""
    bodies = [spell(_body(make(control)), place) for place, make in enumerate(PLACES.values())]
    with answering.client() as client:
        for body in bodies:
            client.ask(body, [answering.credential(payer)], target=target)

            assert 200 == client.read_whole().head.status
    assert bodies == [received.body for received in answering.received]
    found = [[kept for _, kept in _breakpoints(received.json())] for received in answering.received]
    assert all(found)
    assert [[control] * len(kept) for kept in found] == found


@pytest.mark.parametrize("payer", PAYERS)
def test_more_than_the_api_takes(stage: Stage, payer: Payer) -> None:
    """b13: Five of them are the upstream's to refuse, and its refusal is what the client hears."""
    refusal = error_answer(400, "invalid_request_error", "A maximum of 4 blocks with cache_control may be provided.")
    stage.play(refusal)
    blocks: list[Json] = [{"type": "text", "text": str(number), "cache_control": FIVE} for number in range(5)]
    body = spell(_body(_user(*blocks)), 0)

    whole = stage.ask(payer, body)

    assert body == stage.received[0].body
    assert (400, None) == (whole.head.status, whole.head.header("x-clearway-error"))
    assert "maximum of 4" in whole.error()[1]


def test_where_an_alias_changes_the_model(answering: Stage) -> None:
    """b13: Another model's name in the bytes moves no breakpoint."""
    everything: Json = {}
    for make in PLACES.values():
        made = make(UNKNOWN)
        messages = made.pop("messages", [])
        assert isinstance(messages, list)
        kept = everything.setdefault("messages", [])
        assert isinstance(kept, list)
        kept += messages
        everything |= made
    for place in range(3):
        body = spell({"model": "swift", "max_tokens": 9, **everything}, place)

        assert 200 == answering.ask("gateway", body).head.status
        assert body.replace(b'"swift"', b'"claude-haiku-4-5"') == answering.received[-1].body


@pytest.mark.client
@pytest.mark.usefixtures("_no_machine")
def test_as_the_sdk_writes_them(answering: Stage) -> None:
    """b13: What the official SDK writes is what the upstream reads."""
    answering.play(stream_answer(events("kept", MODEL), headers=HEADERS))
    hour: anthropic.types.CacheControlEphemeralParam = {"type": "ephemeral", "ttl": "1h"}
    written: list[bytes] = []
    with (
        connect(
            answering.gateway.url, answering.key_field[1], seen=lambda request: written.append(request.content)
        ) as client,
        client.messages.stream(
            model=MODEL,
            max_tokens=9,
            system=[{"type": "text", "text": "be kind", "cache_control": hour}],
            tools=[{"name": "a", "input_schema": {"type": "object"}, "cache_control": hour}],
            messages=[{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": hour}]}],
        ) as stream,
    ):
        usage = stream.get_final_message().usage

    assert written == [received.body for received in answering.received]
    assert 3 == len(list(_breakpoints(answering.received[0].json())))
    assert (USAGE["cache_read_input_tokens"], USAGE["cache_creation_input_tokens"]) == (
        usage.cache_read_input_tokens,
        usage.cache_creation_input_tokens,
    )


def test_none_is_added(answering: Stage) -> None:
    """b13: A request without one stays without one."""
    for payer in ("client", "gateway"):
        answering.ask(payer, prompt(stream=False))

    assert [[], []] == [list(_breakpoints(received.json())) for received in answering.received]


@pytest.mark.recordings
@pytest.mark.parametrize("payer", PAYERS)
def test_recorded_requests(answering: Stage, recordings: Path, payer: Payer) -> None:
    """b13: Recorded requests that hold breakpoints arrive with all of them, byte for byte."""
    asked = [one.request_body for one in read(recordings) if b"cache_control" in json.dumps(one.request_body).encode()]
    bodies = [spell(body, place) for place, body in enumerate(asked)]
    with answering.client() as client:
        for body in bodies:
            client.ask(body, [answering.credential(payer)])

            assert 200 == client.read_whole().head.status
    assert len(bodies) > 50
    assert bodies == [received.body for received in answering.received]
    assert [list(_breakpoints(body)) for body in asked] == [
        list(_breakpoints(received.json())) for received in answering.received
    ]
