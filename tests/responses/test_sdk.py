"""The official OpenAI SDK for Python, a real gateway and a scripted upstream, in Responses.

Ids are those of the acceptance list of `docs/responses.md`.
"""

import gzip
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
import pytest
from pydantic import BaseModel

from tests.chat.conftest import CREDENTIAL, Bench, Rows, connected
from tests.chat.telling import end, event, start, text, thinking, tool_use
from tests.fake_upstream import Cut, Gate, Piece, Script, error_answer, json_answer, stream_answer

pytestmark = [pytest.mark.client, pytest.mark.timeout(60)]

MODEL = "claude-sonnet-5-5"
TOOL: Any = {
    "type": "function",
    "name": "weather",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
LOOP = (
    start(),
    thinking(0, "hm", signature="c2ln"),
    tool_use(1, "toolu_1", "weather", '{"city": "Oslo"}'),
    end("tool_use"),
)
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}


def _says(*pieces: Piece) -> Script:
    return lambda _: stream_answer(pieces, headers=[("request-id", "req_scripted")])


def test_whole(bench: Bench, client: openai.OpenAI, rows: Rows) -> None:
    """G1, RR8, RR9, b1, b2: a response under the client's name of the model, counted in the ledger; nothing of the
    client's credential goes upstream.
    """
    bench.script = _says(start(), text(0, "Hi", " you"), end())
    raw = client.responses.with_raw_response.create(model="gpt-4o", input="hi", instructions="Be brief.", user="a@b.c")
    said = raw.parse()

    received = bench.upstream.received[-1]
    asked: Any = received.json()
    assert ("Hi you", "completed", "gpt-4o") == (said.output_text, said.status, said.model)
    assert said.model_extra
    assert False is said.model_extra["store"]
    assert said.usage
    assert (910, 700, 50, 20, 960) == (
        said.usage.input_tokens,
        said.usage.input_tokens_details.cached_tokens,
        said.usage.output_tokens,
        said.usage.output_tokens_details.reasoning_tokens,
        said.usage.total_tokens,
    )
    assert ("/v1/messages", True, MODEL, "Be brief.") == (
        received.target, asked["stream"], asked["model"], asked["system"][0]["text"],
    )  # fmt: skip
    assert "a@b.c" not in received.body.decode()
    assert (CREDENTIAL, None) == (received.header("x-api-key"), received.header("authorization"))
    (row,) = rows(1)
    assert (row["id"], MODEL) == (raw.headers["x-request-id"], raw.headers["x-clearway-model"])
    assert ("ok", "responses", "gpt-4o") == (row["outcome"], row["wire"], row["request_model"])


class Weather(BaseModel):
    """A form."""

    city: str
    degrees: int


def test_stream_and_parse(bench: Bench, client: openai.OpenAI) -> None:
    """RR1, b19: the helper makes of a stream what a whole answer is, and parses what was asked for in a form."""
    bench.script = _says(start(), thinking(0, "hm"), text(1, '{"city": "Oslo",', ' "degrees": 3}'), end())
    whole = client.responses.parse(model=MODEL, input="hi", text_format=Weather)
    with client.responses.stream(model=MODEL, input="hi", text_format=Weather) as stream:
        streamed = stream.get_final_response()

    assert Weather(city="Oslo", degrees=3) == whole.output_parsed == streamed.output_parsed
    asked: Any = bench.upstream.received[-1].json()
    assert ["city", "degrees"] == asked["output_config"]["format"]["schema"]["required"]


@pytest.mark.parametrize("how", ["sealed", "dropped"])
def test_tool_loop(bench: Bench, client: openai.OpenAI, how: str) -> None:
    """R15, b4, b5: what was thought goes back to the byte, whether the client sends its items back or drops them."""
    bench.script = _says(*LOOP)
    first = client.responses.create(model=MODEL, input="hi", tools=[TOOL])
    items: Any = [item.model_dump(exclude_none=True) for item in first.output]
    assert ["reasoning", "function_call"] == [item["type"] for item in items]
    if how == "dropped":
        del items[0]
    bench.script = _says(start(), text(0, "Rain."), end())
    output: Any = {"type": "function_call_output", "call_id": "toolu_1", "output": "rain"}
    client.responses.create(model=MODEL, tools=[TOOL], input=[{"role": "user", "content": "hi"}, *items, output])

    asked: Any = bench.upstream.received[-1].json()
    assert [THOUGHT, CALL] == asked["messages"][1]["content"]
    assert [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}] == asked["messages"][2]["content"]


@pytest.mark.parametrize("stream", [False, True])
def test_items_by_their_ids(bench: Bench, client: openai.OpenAI, *, stream: bool) -> None:
    """R14, R15: a client that sends only the ids of the items it was told of gets the same turn, under its own key."""
    bench.script = _says(start(), thinking(0, "hm", signature="c2ln"), text(1, "So"), end())
    if stream:
        with client.responses.stream(model=MODEL, input="hi") as streamed:
            items = streamed.get_final_response().output
    else:
        items = client.responses.create(model=MODEL, input="hi").output  # type: ignore[assignment]  # likewise
    ids = [item.to_dict()["id"] for item in items]
    talk: Any = [{"type": "item_reference", "id": one} for one in ids] + [{"role": "user", "content": "on"}]
    bench.script = _says(start(), text(0, "Yes."), end())
    client.responses.create(model=MODEL, input=[{"role": "user", "content": "hi"}, *talk])
    asked: Any = bench.upstream.received[-1].json()
    other = bench.gateway.new_key(f"not the one of the items {stream}")
    with connected(bench.gateway.url, other) as another, pytest.raises(openai.BadRequestError) as refused:
        another.responses.create(model=MODEL, input=talk)

    assert [THOUGHT, {"type": "text", "text": "So"}] == [
        {name: value for name, value in block.items() if name != "cache_control"}
        for block in asked["messages"][1]["content"]
    ]
    assert "input[1]" == refused.value.param


def test_items_that_are_not_stored(bench: Bench, client: openai.OpenAI) -> None:
    """R14: `store: false` is kept to: the item is not there, which is told as what to do about it."""
    bench.script = _says(start(), text(0, "So"), end())
    (item,) = client.responses.create(model=MODEL, input="hi", store=False).output
    with pytest.raises(openai.BadRequestError, match="send the item itself"):
        client.responses.create(model=MODEL, input=[{"type": "item_reference", "id": str(item.id)}])


def test_sealed_for_one_key(bench: Bench, client: openai.OpenAI) -> None:
    """R16: what was sealed for one key is opened for no other; the turn works all the same, and it is told."""
    bench.script = _says(*LOOP)
    items: Any = [
        item.model_dump(exclude_none=True)
        for item in client.responses.create(model=MODEL, input="hi", tools=[TOOL]).output
    ]
    output: Any = {"type": "function_call_output", "call_id": "toolu_1", "output": "rain"}
    with connected(bench.gateway.url, bench.gateway.new_key("not the one that it was sealed for")) as another:
        raw = another.responses.with_raw_response.create(
            model=MODEL, tools=[TOOL], input=[{"role": "user", "content": "hi"}, *items, output]
        )

    assert "c2ln" not in bench.upstream.received[-1].body.decode()
    assert "dropped:input[1]" in raw.headers["x-clearway-warnings"]


def test_counted(bench: Bench, client: openai.OpenAI, rows: Rows) -> None:
    """R19: the tokens of a prompt are counted by the upstream, tools and system prompt included, at no cost."""
    bench.script = lambda _: json_answer({"input_tokens": 42})
    said = client.responses.input_tokens.count(model="gpt-4o", input="hi", instructions="Be brief.", tools=[TOOL])

    received = bench.upstream.received[-1]
    asked: Any = received.json()
    assert ("response.input_tokens", 42) == (said.object, said.input_tokens)
    assert ("/v1/messages/count_tokens", MODEL) == (received.target, asked["model"])
    assert {"model", "system", "tools", "messages"} <= asked.keys()
    assert not {"max_tokens", "stream"} & asked.keys()
    (row,) = rows(1)
    assert ("count_tokens", "responses", 0) == (row["endpoint"], row["wire"], row["cost_nano"] or 0)


def test_counting_fails(bench: Bench, client: openai.OpenAI) -> None:
    """R19, E7, E8: what the upstream refuses is told in this format, and an answer without a number is none."""
    bench.script = lambda _: error_answer(529, "overloaded_error", "Overloaded")
    with pytest.raises(openai.InternalServerError) as busy:
        client.responses.input_tokens.count(model=MODEL, input="hi")
    bench.script = lambda _: json_answer({"no": "number"})
    with pytest.raises(openai.InternalServerError) as nothing:
        client.responses.input_tokens.count(model=MODEL, input="hi")

    assert (503, "server_is_overloaded") == (busy.value.status_code, busy.value.code)
    assert (502, "upstream_error") == (nothing.value.status_code, nothing.value.code)


def test_nothing_is_kept(client: openai.OpenAI) -> None:
    """R13, R14: what would need responses that are kept is refused by name, and says what to do instead."""
    with pytest.raises(openai.BadRequestError) as before:
        client.responses.create(model=MODEL, input="hi", previous_response_id="resp_1")
    with pytest.raises(openai.BadRequestError) as background:
        client.responses.create(model=MODEL, input="hi", background=True)
    with pytest.raises(openai.NotFoundError) as got:
        client.responses.retrieve("resp_1")
    with pytest.raises(openai.NotFoundError):
        client.responses.delete("resp_1")

    assert ("previous_response_id", "unsupported_parameter") == (before.value.param, before.value.code)
    assert "background" == background.value.param
    assert "not kept" in got.value.message


FAILURES = [
    pytest.param((400, "invalid_request_error", "prompt is too long: 9"), (400, "context_length_exceeded"), id="E2"),
    pytest.param((401, "authentication_error", "no"), (502, "upstream_auth_failed"), id="E3"),
    pytest.param((404, "not_found_error", "model: x"), (404, "model_not_found"), id="E4"),
    pytest.param((413, "request_too_large", "big"), (413, "request_too_large"), id="E5"),
    pytest.param((429, "rate_limit_error", "slow"), (429, "rate_limit_exceeded"), id="E6"),
    pytest.param((529, "overloaded_error", "busy"), (503, "server_is_overloaded"), id="E7"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("failure", "told"), FAILURES)
def test_errors(
    bench: Bench, client: openai.OpenAI, failure: tuple[int, str, str], told: tuple[int, str], *, stream: bool
) -> None:
    """b9: what fails before its first word has the status and code that OpenAI's clients know."""
    bench.script = lambda _: error_answer(*failure, headers=[("retry-after", "7")])
    with pytest.raises(openai.APIStatusError) as raised:
        client.responses.create(model=MODEL, input="hi", stream=stream)

    assert told == (raised.value.status_code, raised.value.code)
    if told[0] != 502:
        assert "7" == raised.value.response.headers["retry-after"]


def test_refused_place(bench: Bench, client: openai.OpenAI) -> None:
    """E1: the place of a refusal is one of the client's own items."""
    bench.script = lambda _: error_answer(400, "invalid_request_error", "messages.0.content.1.text: no")
    content: Any = [{"type": "input_text", "text": text} for text in ("a", "", "b")]
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model=MODEL, input=[{"role": "user", "content": content}])

    assert "input[0].content[2]" == raised.value.param


def test_refused_thoughts(bench: Bench, client: openai.OpenAI, rows: Rows) -> None:
    """E9: a refusal of old thoughts is tried once more without them, and both tries are in the ledger."""
    bench.script = _says(*LOOP)
    items: Any = [
        item.model_dump(exclude_none=True)
        for item in client.responses.create(model=MODEL, input="hi", tools=[TOOL]).output
    ]
    answers = iter([
        error_answer(400, "invalid_request_error", "messages.1.content.0: Invalid `signature` in `thinking` block"),
        stream_answer([start(), text(0, "Rain."), end()]),
    ])  # fmt: skip
    bench.script = lambda _: next(answers)
    output: Any = {"type": "function_call_output", "call_id": "toolu_1", "output": "rain"}
    said = client.responses.create(model=MODEL, tools=[TOOL], input=[{"role": "user", "content": "hi"}, *items, output])

    assert "Rain." == said.output_text
    assert "c2ln" not in bench.upstream.received[-1].body.decode()
    assert 2 == max(row["attempts"] for row in rows(2))  # type: ignore[type-var]  # a number


def test_fails_in_the_stream(bench: Bench, client: openai.OpenAI) -> None:
    """RR6, b7, b17: what breaks off is told as failed, and nothing is made up behind it."""
    seen = []
    for ending in (event("error", error={"type": "overloaded_error", "message": "Overloaded"}), Cut.RST):
        bench.script = _says(start(), text(0, "Hi"), ending)
        events = list(client.responses.create(model=MODEL, input="hi", stream=True))
        seen.append((events[-1].type, events[-1].response.error and events[-1].response.error.code))  # type: ignore[union-attr]  # `failed`

    assert [("response.failed", "server_error")] * 2 == seen


def test_who_may_ask(bench: Bench, key: str) -> None:
    """G4, G5, G7, G12: a key in either place, or a 401 in this format's shape; what is no JSON object is a 400."""
    bench.script = _says(start(), text(0, "Hi"), end())
    seen = []
    for fields, body in (
        ({"authorization": f"Bearer {key}"}, b'{"model": "gpt-5", "input": "hi"}'),
        ({"x-api-key": key, "openai-organization": "o", "cookie": "c=d"}, b'{"model": "gpt-5", "input": "hi"}'),
        ({"authorization": "Bearer cw-wrong"}, b"{}"),
        ({"authorization": f"Bearer {key}"}, b"[1]"),
        ({"authorization": f"Bearer {key}"}, b"{"),
    ):
        headers = {"content-type": "application/json", **fields}
        said = httpx2.post(f"{bench.gateway.url}/v1/responses", content=body, headers=headers, trust_env=False)
        seen.append((said.status_code, (said.json().get("error") or {}).get("code")))

    invalid = (400, "invalid_json")
    assert [(200, None), (200, None), (401, "invalid_api_key"), invalid, invalid] == seen
    names = {name for name, _ in bench.upstream.received[-1].headers}
    assert not {"cookie", "openai-organization", "authorization"} & names


def test_strict_key(bench: Bench) -> None:
    """G11: what is ignored is told; a strict key refuses it by name."""
    bench.script = _says(start(), text(0, "Hi"), end())
    with connected(bench.gateway.url, bench.gateway.new_key("not strict")) as client:
        told = client.responses.with_raw_response.create(model=MODEL, input="hi", truncation="auto")
    with (
        connected(bench.gateway.url, bench.gateway.new_key("strict in responses", "--strict")) as client,
        pytest.raises(openai.BadRequestError) as raised,
    ):
        client.responses.create(model=MODEL, input="hi", truncation="auto")

    assert "truncation" in told.headers["x-clearway-warnings"]
    assert "truncation" == raised.value.param


def test_a_client_that_leaves(bench: Bench, client: openai.OpenAI, rows: Rows) -> None:
    """G10, b21: who leaves ends the request upstream at once, and what was used is charged."""
    gate = Gate()
    left = bench.upstream.left_early
    bench.script = _says(start(), text(0, "Hi"), gate, end())
    stream = client.responses.create(model=MODEL, input="hi", stream=True)
    next(iter(stream))
    stream.close()
    client.close()
    bench.upstream.wait_left(left + 1)

    (row,) = rows(1)
    assert ("client_closed", 10) == (row["outcome"], row["input_tokens"])


def test_compressed_request(bench: Bench, key: str) -> None:
    """b23: a request that is packed, as Codex may send it, is read like any other and goes on plain."""
    bench.script = _says(start(), text(0, "Hi"), end())
    body = gzip.compress(json.dumps({"model": MODEL, "input": "hi"}).encode())
    headers = {"authorization": f"Bearer {key}", "content-encoding": "gzip", "content-type": "application/json"}
    said = httpx2.post(f"{bench.gateway.url}/v1/responses", content=body, headers=headers, trust_env=False)

    assert "Hi" == said.json()["output"][0]["content"][0]["text"]
    assert bench.upstream.received[-1].header("content-encoding") is None


def test_web_socket(bench: Bench) -> None:
    """X4: who asks for a WebSocket is told at once to send a POST."""
    where = urlsplit(bench.gateway.url)
    asking = http.client.HTTPConnection(where.hostname or "", where.port)
    fields = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "eA==",
    }
    asking.request("GET", "/v1/responses", headers=fields)
    said = asking.getresponse()

    assert 426 == said.status
    assert "POST" in json.loads(said.read())["error"]["message"]
    asking.close()
