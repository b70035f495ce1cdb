"""The official OpenAI SDK for Python, a real gateway and a scripted upstream.

Ids are those of the acceptance list of `docs/chat-completions.md`.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from tests.chat.conftest import CREDENTIAL, Bench, Rows, connected
from tests.chat.telling import end, event, start, text, thinking, tool_use
from tests.fake_upstream import Cut, Gate, Piece, Script, answer, error_answer, json_answer, stream_answer
from tests.gateway_process import SIM, GatewayProcess, passthrough

pytestmark = [pytest.mark.client, pytest.mark.timeout(60)]

MODEL = "claude-sonnet-5-5"
HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
REQUEST_ID = ("request-id", "req_scripted")


def _says(*pieces: Piece) -> Script:
    return lambda _: stream_answer(pieces, headers=[REQUEST_ID])


def test_whole(bench: Bench, client: openai.OpenAI, rows: Rows) -> None:
    """G1, G12, CR1, CR2, CR6: a completion under the client's name of the model, counted in the ledger; what goes
    upstream is ours, streams, and holds nothing of the client's credential.
    """
    bench.script = _says(start(), text(0, "Hi", " you"), end())
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HI, user="a@b.c")
    said = raw.parse()

    received = bench.upstream.received[-1]
    asked: Any = received.json()
    assert ("Hi you", "stop", "gpt-4o") == (said.choices[0].message.content, said.choices[0].finish_reason, said.model)
    assert (910, 50) == (said.usage and said.usage.prompt_tokens, said.usage and said.usage.completion_tokens)
    assert ("/v1/messages", True, MODEL) == (received.target, asked["stream"], asked["model"])
    assert "a@b.c" not in received.body.decode()
    assert (CREDENTIAL, None) == (received.header("x-api-key"), received.header("authorization"))
    assert "2023-06-01" == received.header("anthropic-version")
    assert str(received.header("user-agent")).startswith("clearway/")
    assert not [name for name, _ in received.headers if name.startswith(("x-stainless", "openai", "cookie"))]
    (row,) = rows(1)
    assert (row["id"], row["id"]) == (raw.headers["x-request-id"], raw.headers["x-clearway-exchange"])
    assert (MODEL, "req_scripted") == (raw.headers["x-clearway-model"], raw.headers["x-clearway-upstream-request-id"])
    assert ("ok", "chat", "gpt-4o") == (row["outcome"], row["wire"], row["request_model"])
    counts = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "output_tokens")
    assert [10, 700, 200, 50] == [row[name] for name in counts]


def test_stream(bench: Bench, client: openai.OpenAI, rows: Rows) -> None:
    """CS1, CS2, CS3, CS5: the SDK's helper makes of a stream what a whole answer is, thoughts and calls included."""
    bench.script = _says(
        start(), thinking(0, "h", "m"), text(1, "So"), tool_use(2, "toolu_1", "weather", '{"city":', '"Oslo"}'),
        tool_use(3, "toolu_2", "weather", '{"city": "Rom"}'), end("tool_use"),
    )  # fmt: skip
    with client.chat.completions.stream(
        model=MODEL, messages=HI, tools=[TOOL], stream_options={"include_usage": True}
    ) as stream:
        said = stream.get_final_completion()

    message = said.choices[0].message
    assert ("So", "tool_calls") == (message.content, said.choices[0].finish_reason)
    assert [{"city": "Oslo"}, {"city": "Rom"}] == [call.function.parsed_arguments for call in message.tool_calls or ()]
    extra = message.model_extra or {}
    assert "hm" == extra["reasoning_content"]
    assert [("hm", "c2ln", "anthropic-claude-v1")] == [
        (entry["text"], entry["signature"], entry["format"]) for entry in extra["reasoning_details"]
    ]
    assert 960 == (said.usage and said.usage.total_tokens)
    (row,) = rows(1)
    assert ("ok", True, 50) == (row["outcome"], row["stream"], row["output_tokens"])


class Weather(BaseModel):
    """A form."""

    city: str
    degrees: int


def test_parse(bench: Bench, client: openai.OpenAI) -> None:
    """C38, b19: a structured answer is asked for as one and parsed by the SDK, streamed too."""
    bench.script = _says(start(), text(0, '{"city": "Oslo",', ' "degrees": 3}'), end())
    whole = client.chat.completions.parse(model=MODEL, messages=HI, response_format=Weather)
    with client.chat.completions.stream(model=MODEL, messages=HI, response_format=Weather) as stream:
        streamed = stream.get_final_completion()

    expected = Weather(city="Oslo", degrees=3)
    assert expected == whole.choices[0].message.parsed == streamed.choices[0].message.parsed
    asked: Any = bench.upstream.received[-1].json()
    assert ["city", "degrees"] == asked["output_config"]["format"]["schema"]["required"]


def test_call_without_arguments(bench: Bench, client: openai.OpenAI) -> None:
    """CS4: the helper does not fail over a strict tool that is called without arguments."""
    tool: ChatCompletionToolParam = {
        "type": "function",
        "function": {
            "name": "now",
            "strict": True,
            "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
        },
    }
    bench.script = _says(start(), tool_use(0, "t", "now"), end("tool_use"))
    with client.chat.completions.stream(model=MODEL, messages=HI, tools=[tool]) as stream:
        said = stream.get_final_completion()

    calls = said.choices[0].message.tool_calls
    assert calls
    assert ["{}"] == [call.function.arguments for call in calls]


def test_tool_loop(bench: Bench, client: openai.OpenAI) -> None:
    """b4, b5, C49: an answer with thoughts and calls goes back as it came, with its results behind it."""
    bench.script = _says(
        start(),
        thinking(0, "hm", signature="c2ln"),
        tool_use(1, "toolu_1", "weather", '{"city": "Oslo"}'),
        end("tool_use"),
    )
    first = client.chat.completions.create(model=MODEL, messages=HI, tools=[TOOL]).choices[0].message
    bench.script = _says(start(), text(0, "Rain."), end())
    client.chat.completions.create(
        model=MODEL,
        tools=[TOOL],
        messages=[
            *HI,
            first.model_dump(exclude_none=True),  # type: ignore[list-item]  # as programs send it back
            {"role": "tool", "tool_call_id": "toolu_1", "content": "rain"},
        ],
    )

    asked: Any = bench.upstream.received[-1].json()
    assert [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
    ] == asked["messages"][1]["content"]
    assert [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}] == asked["messages"][2]["content"]


async def test_async(bench: Bench, key: str) -> None:
    """The asynchronous client gets the same, by its helpers too."""
    bench.script = _says(start(), text(0, "Hi"), end())
    http = openai.DefaultAsyncHttpxClient(trust_env=False)
    async with openai.AsyncOpenAI(api_key=key, base_url=f"{bench.gateway.url}/v1", http_client=http) as client:
        completions = client.chat.completions
        said = await completions.create(model=MODEL, messages=HI)
        chunks = [chunk async for chunk in await completions.create(model=MODEL, messages=HI, stream=True)]
        async with completions.stream(model=MODEL, messages=HI) as stream:
            kinds = [event.type async for event in stream]
            folded = await stream.get_final_completion()
        bench.script = _says(start(), text(0, '{"city": "Oslo",', ' "degrees": 3}'), end())
        parsed = await completions.parse(model=MODEL, messages=HI, response_format=Weather)

    assert "Hi" == said.choices[0].message.content == folded.choices[0].message.content
    assert "Hi" == "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert ["chunk", "content.delta", "content.done"] == list(dict.fromkeys(kinds))
    assert Weather(city="Oslo", degrees=3) == parsed.choices[0].message.parsed


def test_parsed_call(bench: Bench, client: openai.OpenAI) -> None:
    """b16: a tool made of a class is called with a value of that class."""
    bench.script = _says(
        start(), tool_use(0, "toolu_1", "Weather", '{"city": "Oslo", ', '"degrees": 3}'), end("tool_use")
    )
    said = client.chat.completions.parse(model=MODEL, messages=HI, tools=[openai.pydantic_function_tool(Weather)])

    calls = said.choices[0].message.tool_calls or []
    assert [Weather(city="Oslo", degrees=3)] == [call.function.parsed_arguments for call in calls]


def test_raw_stream(bench: Bench, client: openai.OpenAI) -> None:
    """What the SDK gives away undecoded: the lines of a stream, with its fields."""
    bench.script = _says(start(), text(0, "Hi"), end())
    create = client.chat.completions.with_streaming_response.create
    with create(model=MODEL, messages=HI, stream=True) as raw:
        lines = [line for line in raw.iter_lines() if line]

    assert raw.headers["content-type"].startswith("text/event-stream")
    assert "data: [DONE]" == lines[-1]


def test_warnings_and_strict_keys(bench: Bench, client: openai.OpenAI) -> None:
    """G11: what is ignored is told in a field of the answer."""
    bench.script = _says(start(), text(0, "Hi"), end())
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=HI, seed=1, temperature=0.3)

    assert "ignored:seed; ignored:temperature" == raw.headers["x-clearway-warnings"]


def test_refused_by_name(bench: Bench, client: openai.OpenAI, rows: Rows) -> None:
    """C26: what cannot be served is refused before anything is asked upstream, and is in the ledger."""
    before = len(bench.upstream.received)
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=MODEL, messages=HI, n=2)

    assert ("n", "unsupported_value", "invalid_request_error") == (
        refused.value.param, refused.value.code, refused.value.type,
    )  # fmt: skip
    assert before == len(bench.upstream.received)
    (row,) = rows(1)
    assert ("denied", 400) == (row["outcome"], row["status"])


@pytest.mark.parametrize("name", ["api_base", "api_key", "extra_headers"])
def test_never_obeyed(bench: Bench, client: openai.OpenAI, name: str) -> None:
    """Whom to ask and by what credential is not for a request to say."""
    before = len(bench.upstream.received)
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=MODEL, messages=HI, extra_body={name: {"x": "http://127.0.0.1:9"}})

    assert name == refused.value.param
    assert before == len(bench.upstream.received)


BODIES = [
    pytest.param(b"{", "invalid_json", id="no-json"),
    pytest.param(b"[1]", "invalid_json", id="array"),
    pytest.param(b'{"messages": []}', "missing_required_parameter", id="no-model"),
    pytest.param(
        b'{"model": "a", "model": "b", "messages": [{"role": "user", "content": "hi"}]}', "invalid_value", id="twice"
    ),
]


@pytest.mark.parametrize(("body", "code"), BODIES)
def test_bodies_that_are_none(bench: Bench, key: str, body: bytes, code: str) -> None:
    """G7: a body that is no request is a 400 in OpenAI's shape."""
    said = _post(bench, body, authorization=f"Bearer {key}")

    assert (400, code) == (said.status_code, said.json()["error"]["code"])


def test_keys(bench: Bench, key: str) -> None:
    """G4, G5: a key in either field; without one, or with one that nobody knows, a 401 in the route's own shape."""
    bench.script = _says(start(), text(0, "Hi"), end())
    body = json.dumps({"model": MODEL, "messages": HI}).encode()

    assert 200 == _post(bench, body, **{"x-api-key": key}).status_code
    for headers in ({}, {"authorization": f"Bearer cw-{'a' * 49}"}):
        said = _post(bench, body, **headers)
        assert (401, "invalid_api_key") == (said.status_code, said.json()["error"]["code"])
    other = httpx2.post(f"{bench.gateway.url}/v1/messages", content=body, trust_env=False)
    assert ("error", 401) == (other.json()["type"], other.status_code)


def _post(bench: Bench, body: bytes, **headers: str) -> httpx2.Response:
    return httpx2.post(
        f"{bench.gateway.url}/v1/chat/completions",
        content=body,
        headers={"content-type": "application/json", **headers},
        trust_env=False,
    )


def test_paths_of_others(bench: Bench, key: str) -> None:
    """G6: a path or method that is not there is a 404 in OpenAI's shape, never a page."""
    for method, path in (("GET", "/v1/chat/completions"), ("POST", "/v1/embeddings"), ("GET", "/v1/chat/x")):
        said = httpx2.request(
            method, f"{bench.gateway.url}{path}", headers={"authorization": f"Bearer {key}"}, trust_env=False
        )
        assert (404, "not_found") == (said.status_code, said.json()["error"]["code"])


def test_models(tmp_path_factory: pytest.TempPathFactory) -> None:
    """G2, G3: the list has what both SDKs read, and an unknown model is told as one."""
    with GatewayProcess(tmp_path_factory.mktemp("models"), SIM) as gateway:
        key = gateway.new_key("models")
        with connected(gateway.url, key) as client:
            listed = list(client.models.list())
            assert MODEL in [model.id for model in listed]
            assert {("model", int, "model")} == {
                (model.object, type(model.created), (model.model_extra or {}).get("type")) for model in listed
            }
            assert MODEL == client.models.retrieve(MODEL).id
            with pytest.raises(openai.NotFoundError) as missing:
                client.models.retrieve("nope")
            assert "model_not_found" == missing.value.code


OVER = "context_length_exceeded"
ERRORS = [
    pytest.param(400, ("invalid_request_error", "messages: no"), 400, None, id="E1-no-place"),
    pytest.param(400, ("invalid_request_error", "prompt is too long: 9"), 400, OVER, id="E2"),
    pytest.param(401, ("authentication_error", "bad key"), 502, "upstream_auth_failed", id="E3"),
    pytest.param(402, ("billing_error", "pay"), 502, "upstream_auth_failed", id="E3-billing"),
    pytest.param(404, ("not_found_error", "model: x"), 404, "model_not_found", id="E4"),
    pytest.param(413, ("request_too_large", "big"), 413, "request_too_large", id="E5"),
    pytest.param(429, ("rate_limit_error", "slow"), 429, "rate_limit_exceeded", id="E6"),
    pytest.param(500, ("api_error", "oops"), 500, "server_error", id="b9-500"),
    pytest.param(504, ("timeout_error", "late"), 504, "upstream_timeout", id="b9-504"),
    pytest.param(529, ("overloaded_error", "Overloaded"), 503, "server_is_overloaded", id="E7"),
]
CLASSES = {
    400: openai.BadRequestError,
    404: openai.NotFoundError,
    413: openai.APIStatusError,
    429: openai.RateLimitError,
}


@pytest.mark.parametrize(("status", "said", "told", "code"), ERRORS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_errors(
    bench: Bench,
    client: openai.OpenAI,
    status: int,
    said: tuple[str, str],
    told: int,
    code: str | None,
    *,
    stream: bool,
) -> None:
    """CS9, b9: an upstream's refusal has the status, type and code that OpenAI's clients know."""
    bench.script = lambda _: error_answer(status, *said, headers=[("retry-after", "7"), REQUEST_ID])
    with pytest.raises(CLASSES.get(told, openai.InternalServerError)) as raised:
        client.chat.completions.create(model="gpt-4o", messages=HI, stream=stream)

    error = raised.value
    assert isinstance(error, openai.APIStatusError)
    assert (told, code) == (error.status_code, error.code)
    if told != 502:
        assert said[1] in error.message
        assert "7" == error.response.headers["retry-after"]
    if status == 404:
        assert "gpt-4o (claude-sonnet-5-5)" in error.message


def test_a_refusal_names_the_place_that_the_client_knows(bench: Bench, client: openai.OpenAI) -> None:
    """E1: the upstream complains of its third block; the client hears which of its own parts that is."""
    said = "messages.0.content.2.image.source: cannot be fetched"
    bench.script = lambda _: error_answer(400, "invalid_request_error", said)
    parts: Any = [
        {"type": "text", "text": "a"},
        {"type": "text", "text": ""},
        {"type": "text", "text": "b"},
        {"type": "image_url", "image_url": {"url": "https://h/a.png"}},
    ]
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])

    assert (said, "messages[0].content[3]") == (raised.value.body["message"], raised.value.param)  # type: ignore[index]  # JSON


def test_pages_and_secrets(bench: Bench, client: openai.OpenAI) -> None:
    """E8, E10: a proxy's page is JSON for the client, and what looks like a credential is no part of an error."""
    bench.script = lambda _: answer(b"<html>bad</html>", status=502, headers=[("content-type", "text/html")])
    with pytest.raises(openai.InternalServerError) as page:
        client.chat.completions.create(model=MODEL, messages=HI)
    bench.script = lambda _: error_answer(400, "invalid_request_error", f"key {CREDENTIAL} at http://10.0.0.1/x")
    with pytest.raises(openai.BadRequestError) as secret:
        client.chat.completions.create(model=MODEL, messages=HI)

    assert (502, "upstream_error") == (page.value.status_code, page.value.code)
    assert "html" not in page.value.message
    assert CREDENTIAL not in secret.value.message
    assert "10.0.0.1" not in secret.value.message


def _drain(stream: Iterator[Any]) -> str:
    said = ""
    for chunk in stream:
        said += chunk.choices[0].delta.content or ""
    return said


OVERLOADED = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


@pytest.mark.parametrize(
    "ending", [OVERLOADED, Cut.RST, Cut.FIN, b""], ids=["CS7", "CS8-reset", "CS8-end", "CS8-short"]
)
def test_broken_off(bench: Bench, client: openai.OpenAI, rows: Rows, ending: Piece) -> None:
    """CS7, CS8, b7, b17: a stream that the upstream breaks off ends with an error, never quietly, and is charged."""
    bench.script = _says(start(), text(0, "So far"), *([ending] if ending else []))
    stream = client.chat.completions.create(model=MODEL, messages=HI, stream=True)
    with pytest.raises(openai.APIError) as raised:
        _drain(stream)
    with pytest.raises(openai.APIError):
        client.chat.completions.create(model=MODEL, messages=HI)

    assert ("server_is_overloaded" if ending is OVERLOADED else "upstream_error") == raised.value.code
    for row in rows(2):
        assert ("upstream_error", 10) == (row["outcome"], row["input_tokens"])


def test_error_before_anything_was_said(bench: Bench, client: openai.OpenAI) -> None:
    """CS9, b7: an upstream that fails before its first word is a status, though its own was 200."""
    bench.script = _says(OVERLOADED)
    for stream in (False, True):
        with pytest.raises(openai.InternalServerError) as raised:
            client.chat.completions.create(model=MODEL, messages=HI, stream=stream)
        assert (503, "server_is_overloaded") == (raised.value.status_code, raised.value.code)


def test_silence(bench: Bench, key: str) -> None:
    """CS6: silence is filled with comments, which are no chunks; the upstream's own pings are none either."""
    gate = Gate()
    bench.script = _says(start(), event("ping"), gate, text(0, "Hi"), end())
    body = json.dumps({"model": MODEL, "messages": HI, "stream": True}).encode()
    lines: list[str] = []
    with httpx2.stream(
        "POST", f"{bench.gateway.url}/v1/chat/completions", content=body,
        headers={"authorization": f"Bearer {key}"}, trust_env=False, timeout=10,
    ) as said:  # fmt: skip
        for line in said.iter_lines():
            lines.append(line)
            if line == ": keepalive" and lines.count(line) == 3:
                gate.open()

    assert "data: [DONE]" == [line for line in lines if line][-1]
    assert {"data", ""} == {line.partition(":")[0] for line in lines}
    assert all(json.loads(line[6:])["choices"] for line in lines if line.startswith("data: {"))


def test_leaving(bench: Bench, client: openai.OpenAI, rows: Rows) -> None:
    """G10, b21: a client that leaves ends the request upstream at once, and what was used is charged."""
    gate = Gate()
    left = bench.upstream.left_early
    bench.script = _says(start(), text(0, "Hi"), gate, end())
    stream = client.chat.completions.create(model=MODEL, messages=HI, stream=True)
    next(iter(stream))
    stream.close()
    client.close()
    began = time.monotonic()
    bench.upstream.wait_left(left + 1)

    assert time.monotonic() - began < 2
    (row,) = rows(1)
    assert ("client_closed", 10) == (row["outcome"], row["input_tokens"])


def test_upstream_that_does_not_stream(bench: Bench, client: openai.OpenAI) -> None:
    """A vendor that answers in one piece is told in whatever way the client asked for."""
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Hi"}], "usage": {"input_tokens": 3, "output_tokens": 4},
    }  # fmt: skip
    bench.script = lambda _: json_answer(message)

    whole = client.chat.completions.create(model=MODEL, messages=HI)
    assert ("Hi", 3) == (whole.choices[0].message.content, whole.usage and whole.usage.prompt_tokens)
    assert "Hi" == _drain(client.chat.completions.create(model=MODEL, messages=HI, stream=True))


def test_budget(bench: Bench) -> None:
    """b9: a budget that is spent is told as OpenAI tells of a quota, and is not asked for again."""
    key = bench.gateway.new_key("poor", "--budget", "0.000001usd/day")
    with connected(bench.gateway.url, key, retries=2) as client, pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model=MODEL, messages=HI)

    assert "insufficient_quota" == raised.value.code
    assert "false" == raised.value.response.headers["x-should-retry"]


def test_rate_limit(bench: Bench) -> None:
    """E11: a key's own limit is told in OpenAI's fields, and reached as a 429 that says when to come back."""
    bench.script = _says(start(), text(0, "Hi"), end())
    key = bench.gateway.new_key("hasty", "--rpm", "1")
    with connected(bench.gateway.url, key) as client:
        first = client.chat.completions.with_raw_response.create(model=MODEL, messages=HI)
        with pytest.raises(openai.RateLimitError) as raised:
            client.chat.completions.create(model=MODEL, messages=HI)

    assert ("1", "0") == tuple(first.headers[f"x-ratelimit-{name}-requests"] for name in ("limit", "remaining"))
    assert first.headers["x-ratelimit-reset-requests"].endswith("s")
    assert "rate_limit_exceeded" == raised.value.code
    assert 0 < int(raised.value.response.headers["retry-after"]) <= 60
    assert "0" == raised.value.response.headers["x-ratelimit-remaining-requests"]


def test_strict_key(bench: Bench) -> None:
    """G11: a strict key refuses what others ignore."""
    key = bench.gateway.new_key("strict", "--strict")
    with connected(bench.gateway.url, key) as client, pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=MODEL, messages=HI, seed=1)

    assert ("seed", "unsupported_parameter") == (raised.value.param, raised.value.code)


def test_caching_by_key(bench: Bench) -> None:
    """C46: breakpoints are set for clients that set none, unless their key says otherwise; a change counts at once."""
    bench.script = _says(start(), text(0, "Hi"), end())
    key = bench.gateway.new_key("uncached", "--caching", "off")
    seen = []
    for change in (None, "on", "off", "default"):
        if change is not None:
            bench.gateway.cli("keys", "update", "uncached", "--caching", change)
        with connected(bench.gateway.url, key) as client:
            client.chat.completions.create(model=MODEL, messages=HI)
        seen.append("cache_control" in bench.upstream.received[-1].body.decode())

    assert [False, True, False, True] == seen


def test_passthrough(tmp_path_factory: pytest.TempPathFactory, bench: Bench) -> None:
    """A client's own API key goes along; a subscription's login does not, and it is said why."""
    bench.script = _says(start(), text(0, "Hi"), end())
    with GatewayProcess(tmp_path_factory.mktemp("own"), passthrough(bench.upstream.url)) as gateway:
        with connected(gateway.url, "sk-ant-api03-dummy") as client:
            assert "Hi" == client.chat.completions.create(model="gpt-4o", messages=HI).choices[0].message.content
        received = bench.upstream.received[-1]
        assert ("sk-ant-api03-dummy", None) == (received.header("x-api-key"), received.header("authorization"))
        with connected(gateway.url, "sk-ant-oat01-dummy") as client, pytest.raises(openai.PermissionDeniedError) as no:
            client.chat.completions.create(model=MODEL, messages=HI)
        assert "subscription" in no.value.message
        assert received is bench.upstream.received[-1]


def test_compressed_request(bench: Bench, key: str) -> None:
    """b23: a request that is packed is read like any other, and goes on plain."""
    import gzip  # noqa: PLC0415  # for this test alone

    bench.script = _says(start(), text(0, "Hi"), end())
    body = gzip.compress(json.dumps({"model": MODEL, "messages": HI}).encode())
    said = _post(bench, body, authorization=f"Bearer {key}", **{"content-encoding": "gzip"})

    assert "Hi" == said.json()["choices"][0]["message"]["content"]
    assert bench.upstream.received[-1].header("content-encoding") is None


@pytest.mark.parametrize("reasoning", ["litellm", "none"])
def test_thoughts_as_asked_for(bench: Bench, client: openai.OpenAI, reasoning: str) -> None:
    """A request says in which members it wants to hear what was thought."""
    bench.script = _says(start(), thinking(0, "hm"), text(1, "Hi"), end())
    said = client.chat.completions.create(
        model=MODEL, messages=HI, extra_headers={"x-clearway-reasoning": reasoning}
    ).choices[0].message  # fmt: skip

    expected = {"reasoning_content", "thinking_blocks"} if reasoning == "litellm" else set()
    assert expected == set(said.model_extra or {})
