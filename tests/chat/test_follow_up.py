"""Calls of the gateway's own beside the client's request: answers that pause, thoughts that are refused.

The official OpenAI SDK, a real gateway and a scripted upstream. Ids are those of `acceptance.py`.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from tests.chat.conftest import CREDENTIAL, Bench, Rows, connected
from tests.chat.telling import USAGE, cited, end, event, search, searched, text, thinking, tool_use
from tests.chat.telling import start as begin
from tests.fake_upstream import Answer, Cut, FakeUpstream, Gate, Received, Script, error_answer, stream_answer
from tests.gateway_process import GatewayProcess, anthropic, passthrough

pytestmark = [pytest.mark.client, pytest.mark.timeout(60)]

MODEL = "claude-sonnet-5-5"


def start(usage: object = None) -> bytes:
    """A beginning, by a model that has a price."""
    return begin(usage).replace(b"claude-x", MODEL.encode())


HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is new?"}]
PAUSED = start() + text(0, "So") + search(1, "srv_1", "a") + end("pause_turn")
ENDED = start() + text(0, " it is.") + end()
REFUSED = "messages.1.content.0: Invalid `signature` in `thinking` block"
Ask = Callable[..., ChatCompletion]


def script(*answers: Answer | bytes) -> Script:
    """One answer after the other; the last again and again."""
    left = list(answers)

    def said(_: Received) -> Answer:
        one = left.pop(0) if len(left) > 1 else left[0]
        return stream_answer([one]) if isinstance(one, bytes) else one

    return said


def waiting(gate: Gate, said: bytes) -> Answer:
    """An answer that does not even begin before the gate is open."""
    return Answer((gate, *stream_answer([said]).pieces))


@pytest.fixture(params=["whole", "stream"])
def ask(request: pytest.FixtureRequest, client: openai.OpenAI) -> Ask:
    """Asks either way, and gives back one completion."""

    def whole(**more: Any) -> ChatCompletion:  # noqa: ANN401  # as the SDK
        said: ChatCompletion = client.chat.completions.create(model=MODEL, messages=more.pop("messages", HI), **more)
        return said

    def stream(**more: Any) -> ChatCompletion:  # noqa: ANN401  # as the SDK
        options: Any = {"stream_options": {"include_usage": True}}
        with client.chat.completions.stream(model=MODEL, messages=more.pop("messages", HI), **options, **more) as said:
            try:
                return said.get_final_completion()
            except openai.LengthFinishReasonError as cut:
                return cut.completion

    return whole if request.param == "whole" else stream


def _bodies(bench: Bench, count: int) -> list[Any]:
    return [received.json() for received in bench.upstream.received[-count:]]


def _attempts(bench: Bench, row: dict[str, object]) -> list[dict[str, Any]]:
    tries: list[dict[str, Any]] = json.loads(bench.gateway.cli("show", str(row["id"]), "--json").stdout)["attempts"]
    return tries


def _some(row: dict[str, object], *names: str) -> tuple[object, ...]:
    return tuple(row[name] for name in names)


def _sum(parts: list[dict[str, Any]], name: str) -> int:
    return sum(part[name] for part in parts)


TOOL: Any = {"type": "function", "function": {"name": "weather", "strict": True, "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False,
}}}  # fmt: skip


def test_goes_on(bench: Bench, ask: Ask, rows: Rows) -> None:
    """CR4, b5, b20: an answer that pauses twice is one for the client: one id, thoughts, calls and places of citations
    count on, usage is the sum; what had been said goes back to the byte, in one turn.
    """
    bench.script = script(
        start() + thinking(0, "h\u20ac", "m", signature="c2ln") + text(1, "So") + search(2, "srv_1", "a")
        + end("pause_turn"),
        start() + thinking(0, "hm", signature="c2lnMg==") + cited(1, " far", "https://a.test/")
        + search(2, "srv_2", "b") + end("pause_turn"),
        start() + cited(0, " good", "https://b.test/") + tool_use(1, "toolu_1", "weather", '{"city": "Oslo"}')
        + end("tool_use"),
    )  # fmt: skip
    said = ask(tools=[TOOL], extra_body={"web_search_options": {}}, max_completion_tokens=1000)

    message = said.choices[0].message
    assert ("So far good", "tool_calls", "chatcmpl-01A") == (message.content, said.choices[0].finish_reason, said.id)
    extra: Any = message.model_extra
    assert ["c2ln", "c2lnMg=="] == [entry["signature"] for entry in extra["reasoning_details"]]
    assert [0, 1] == [entry["index"] for entry in extra["reasoning_details"]]
    spans = [(one.url_citation.start_index, one.url_citation.end_index) for one in _annotations(message)]
    assert [(2, 6), (6, 11)] == spans
    calls: Any = message.tool_calls
    assert [("toolu_1", '{"city": "Oslo"}')] == [(call.id, call.function.arguments) for call in calls]
    assert said.usage
    assert (3 * 910, 3 * 50) == (said.usage.prompt_tokens, said.usage.completion_tokens)
    first, second, third = _bodies(bench, 3)
    assert first["messages"] == second["messages"][:-1] == third["messages"][:-1]
    blocks = [{"type": "thinking", "thinking": "h\u20acm", "signature": "c2ln"}, {"type": "text", "text": "So"}]
    blocks += searched("srv_1", "a")  # type: ignore[arg-type]  # objects of JSON
    assert {"role": "assistant", "content": blocks} == second["messages"][-1]
    citation = {"type": "web_search_result_location", "url": "https://a.test/", "title": "X"}
    more = [
        {"type": "thinking", "thinking": "hm", "signature": "c2lnMg=="},
        {"type": "text", "text": " far", "citations": [{**citation, "encrypted_index": "e", "cited_text": "c"}]},
    ]
    assert [*blocks, *more, *searched("srv_2", "b")] == third["messages"][-1]["content"]
    assert [1000, 950, 900] == [asked["max_tokens"] for asked in (first, second, third)]
    assert all({**asked, "messages": 0, "max_tokens": 0} == {**first, "messages": 0, "max_tokens": 0}
               for asked in (second, third))  # fmt: skip
    (row,) = rows(1)
    assert ("ok", 200, "tool_use", 3) == (row["outcome"], row["status"], row["stop_reason"], row["attempts"])
    tries = _attempts(bench, row)
    assert [("ok", "pause_turn"), ("ok", "pause_turn"), ("ok", "tool_use")] == [
        (one["outcome"], one["stop_reason"]) for one in tries
    ]
    for name in ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "output_tokens", "cost_nano"):
        assert _sum(tries, name) == row[name]
    assert (30, 150) == (row["input_tokens"], row["output_tokens"])


def _annotations(message: Any) -> list[Any]:  # noqa: ANN401  # the SDK's own, or what its helper made
    found: list[Any] = message.annotations or []
    return found


def test_stream_has_no_seam(bench: Bench, key: str) -> None:
    """CR4, CS1: one chunk with the role, one end, one usage, the marker last, one id throughout."""
    bench.script = script(PAUSED, PAUSED, ENDED)
    asked = {"model": MODEL, "messages": HI, "web_search_options": {}, "stream": True,
             "stream_options": {"include_usage": True}}  # fmt: skip
    said = httpx2.post(
        f"{bench.gateway.url}/v1/chat/completions", json=asked, headers={"authorization": f"Bearer {key}"},
        trust_env=False,
    )  # fmt: skip
    *frames, last, rest = said.text.split("\n\n")
    chunks = [json.loads(frame.removeprefix("data: ")) for frame in frames if not frame.startswith(":")]

    assert ("data: [DONE]", "") == (last, rest)
    assert {"chatcmpl-01A"} == {chunk["id"] for chunk in chunks}
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert [0] == [place for place, delta in enumerate(deltas) if "role" in delta]
    assert ["stop"] == [c["finish_reason"] for chunk in chunks for c in chunk["choices"] if c["finish_reason"]]
    assert "SoSo it is." == "".join(delta.get("content", "") for delta in deltas)
    assert [{"prompt": 2730, "out": 150}] == [
        {"prompt": chunk["usage"]["prompt_tokens"], "out": chunk["usage"]["completion_tokens"]}
        for chunk in chunks
        if chunk["usage"]
    ]


def test_bound(bench: Bench, ask: Ask, rows: Rows) -> None:
    """CR4: an answer that pauses for ever is asked to go on five times, and ends as `length`."""
    before = len(bench.upstream.received)
    bench.script = script(PAUSED)
    said = ask(extra_body={"web_search_options": {}})

    assert ("So" * 6, "length") == (said.choices[0].message.content, said.choices[0].finish_reason)
    assert 6 == len(bench.upstream.received) - before
    (row,) = rows(1)
    assert ("ok", "pause_turn", 6, 300) == tuple(
        row[n] for n in ("outcome", "stop_reason", "attempts", "output_tokens")
    )


NOT_CONTINUED = [
    pytest.param(PAUSED, {}, id="nothing-of-the-upstreams-own"),
    pytest.param(PAUSED, {"web_search_options": {}, "max_tokens": 50}, id="bound-used-up"),
    pytest.param(
        start() + text(0, "So") + tool_use(1, "toolu_1", "weather", "{}") + end("pause_turn"),
        {"web_search_options": {}},
        id="a-call-of-the-clients",
    ),
    pytest.param(
        start() + text(0, "So") + event("content_block_start", index=1, content_block={"type": "text", "text": ""})
        + event("content_block_delta", index=1, delta={"type": "of_2027"}) + event("content_block_stop", index=1)
        + end("pause_turn"),
        {"web_search_options": {}},
        id="a-piece-that-is-not-known",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("said", "asked"), NOT_CONTINUED)
def test_not_continued(bench: Bench, ask: Ask, rows: Rows, said: bytes, asked: dict[str, object]) -> None:
    """CR4, b17: what cannot go on ends as `length`, after one call."""
    before = len(bench.upstream.received)
    bench.script = script(said)
    told = ask(extra_body=asked)

    assert ("So", "length") == (told.choices[0].message.content, told.choices[0].finish_reason)
    assert 1 == len(bench.upstream.received) - before
    (row,) = rows(1)
    assert ("ok", 1, 50) == (row["outcome"], row["attempts"], row["output_tokens"])


BROKEN = [
    pytest.param(error_answer(400, "invalid_request_error", "no"), 400, None, 400, id="400"),
    pytest.param(error_answer(500, "api_error", "oops"), 500, "server_error", 500, id="500"),
    pytest.param(error_answer(529, "overloaded_error", "full"), 503, "server_is_overloaded", 529, id="529"),
    pytest.param(error_answer(401, "authentication_error", "no"), 502, "upstream_auth_failed", 401, id="401"),
    pytest.param(stream_answer([Cut.RST]), 502, "upstream_error", 200, id="cut-before"),
    pytest.param(stream_answer([start() + text(0, " it")[:-30], Cut.FIN]), 502, "upstream_error", 200, id="cut-within"),
    pytest.param(
        stream_answer([start(), event("error", error={"type": "overloaded_error", "message": "full"})]),
        503, "server_is_overloaded", 200, id="error-within",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("broken", "status", "code", "seen"), BROKEN)
def test_broken_while_it_goes_on(  # noqa: PLR0917  # what is broken, and how it is told
    bench: Bench, client: openai.OpenAI, rows: Rows, broken: Answer, status: int, code: str | None, seen: int
) -> None:
    """CS7, CS9, b7: a call that fails while the answer goes on ends a stream with an error, and has a status for a
    client that was told nothing; what was used before is charged.
    """
    bench.script = script(PAUSED, broken)
    stream = client.chat.completions.create(
        model=MODEL, messages=HI, stream=True, extra_body={"web_search_options": {}}
    )
    said = ""
    with pytest.raises(openai.APIError) as in_stream:  # noqa: PT012  # it begins well
        for chunk in stream:
            said += chunk.choices[0].delta.content or ""
    bench.script = script(PAUSED, broken)
    with pytest.raises(openai.APIStatusError) as whole:
        client.chat.completions.create(model=MODEL, messages=HI, extra_body={"web_search_options": {}})

    assert said.startswith("So")
    assert code == in_stream.value.code == whole.value.code
    assert not isinstance(in_stream.value, openai.APIStatusError)
    assert status == whole.value.status_code
    for row in rows(2):
        tries = _attempts(bench, row)
        assert 2 == row["attempts"] == len(tries)
        assert tries[0]["outcome"] == "ok"
        assert ("ok" if status == 400 else "upstream_error") == row["outcome"] == tries[1]["outcome"]
        assert seen == tries[1]["status"]
        assert sum(one["input_tokens"] or 0 for one in tries) == row["input_tokens"]
        assert sum(one["cost_nano"] or 0 for one in tries) == row["cost_nano"]
        assert int(str(row["output_tokens"])) >= 50


def test_budget_in_the_middle(bench: Bench, request: pytest.FixtureRequest) -> None:
    """b9: each call reserves for itself: what is left of a budget refuses the next one, and no more was charged
    than the calls that were made, in the ledger as in the admin API.
    """
    bench.script = script(start({**USAGE, "input_tokens": 60_000}) + PAUSED.removeprefix(start()))
    for stream in (True, False):
        name = f"{request.node.name}-{stream}"
        key = bench.gateway.new_key(name, "--budget", "60000tokens/day")
        with connected(bench.gateway.url, key) as client, pytest.raises(openai.APIError) as refused:  # noqa: PT012  # likewise
            said = client.chat.completions.create(
                model=MODEL, messages=HI, stream=stream, extra_body={"web_search_options": {}}
            )
            list(said)
        assert "insufficient_quota" == refused.value.code
        assert isinstance(refused.value, openai.RateLimitError) is not stream
        (row,) = bench.gateway.settled(1, "--key", name)
        tries = _attempts(bench, row)
        assert ("denied", 1, 60_000, 50) == tuple(
            row[n] for n in ("outcome", "attempts", "input_tokens", "output_tokens")
        )
        assert [row["cost_nano"]] == [one["cost_nano"] for one in tries]
        assert 60_950 == _spent(bench, name)


def test_what_is_charged(bench: Bench, request: pytest.FixtureRequest) -> None:
    """b9, b1: a budget is charged the sum of all calls, once, and nothing stays held."""
    bench.script = script(PAUSED, PAUSED, ENDED)
    key = bench.gateway.new_key(request.node.name, "--budget", "5usd/day", "--budget", "1Mtokens/day")
    with connected(bench.gateway.url, key) as client:
        client.chat.completions.create(model=MODEL, messages=HI, extra_body={"web_search_options": {}})

    (row,) = bench.gateway.settled(1, "--key", request.node.name)
    assert 3 * 960 == _spent(bench, request.node.name, "tokens")
    assert row["cost_nano"] == _spent(bench, request.node.name, "usd") > 0
    (usage,) = bench.gateway.usage("--key", request.node.name)
    assert (row["cost_nano"], 150) == (usage["cost_nano"], usage["output_tokens"])
    reader = {"authorization": f"Bearer {bench.gateway.new_key('prometheus', '--endpoint', 'metrics')}"}
    metrics = httpx2.get(f"{bench.gateway.url}/metrics", headers=reader, trust_env=False).text
    (line,) = (one for one in metrics.splitlines()
               if one.startswith("clearway_key_cost_nanodollars") and request.node.name in one)  # fmt: skip
    assert row["cost_nano"] == int(float(line.split()[-1]))


def _spent(bench: Bench, name: str, unit: str = "tokens") -> int:
    owner = bench.gateway.new_key(f"owner-{name}-{unit}", "--owner")
    told = httpx2.get(f"{bench.gateway.url}/admin/api/budgets", headers={"x-clearway-key": owner}, trust_env=False)
    (state,) = (one for one in told.json()["budgets"] if (one["key_name"], one["unit"]) == (name, unit))
    assert 0 == state["held"]
    return int(state["spent"])


def test_an_event_that_cannot_be_read(bench: Bench, ask: Ask) -> None:
    """b17: what the client was told as an error is not gone on with, though the upstream paused."""
    before = len(bench.upstream.received)
    bench.script = script(PAUSED.replace(b'{"type": "content_block_start", "index": 1', b'{"type": 5, "index": 1'))
    with pytest.raises(openai.APIError) as broken:
        ask(extra_body={"web_search_options": {}})

    assert "server_error" == broken.value.code
    assert 1 == len(bench.upstream.received) - before


@pytest.mark.parametrize("where", ["before-it-begins", "within"])
def test_leaving_while_it_goes_on(bench: Bench, client: openai.OpenAI, rows: Rows, where: str) -> None:
    """G10, b21: a client that leaves while the answer goes on ends that call at once, and both are charged."""
    gate = Gate()
    left = bench.upstream.left_early
    more = (
        waiting(gate, ENDED) if where == "before-it-begins" else stream_answer([start(), text(0, " it"), gate, end()])
    )
    bench.script = script(PAUSED, more)
    stream = client.chat.completions.create(
        model=MODEL, messages=HI, stream=True, extra_body={"web_search_options": {}}
    )
    next(iter(stream))
    gate.wait_reached()
    stream.close()
    client.close()
    bench.upstream.wait_left(left + 1)

    (row,) = rows(1)
    tries = _attempts(bench, row)
    assert ("client_closed", 2) == (row["outcome"], row["attempts"])
    assert ["ok", "client_closed"] == [one["outcome"] for one in tries]
    assert sum(one["input_tokens"] or 0 for one in tries) == row["input_tokens"]
    assert int(str(row["output_tokens"])) >= 50


def test_silence_between(bench: Bench, key: str) -> None:
    """CS6: while the next part is waited for the client hears comments, and no chunks."""
    gate = Gate()
    bench.script = script(PAUSED, waiting(gate, ENDED))
    body = {"model": MODEL, "messages": HI, "stream": True, "web_search_options": {}}
    lines: list[str] = []
    with httpx2.stream(
        "POST", f"{bench.gateway.url}/v1/chat/completions", json=body,
        headers={"authorization": f"Bearer {key}"}, trust_env=False, timeout=10,
    ) as said:  # fmt: skip
        for line in said.iter_lines():
            lines.append(line)
            if line == ": keepalive" and lines.count(line) == 3:
                gate.open()

    assert "data: [DONE]" == [line for line in lines if line][-1]
    assert 3 <= lines.count(": keepalive") <= 4


def test_busy_while_it_goes_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A call that goes on is tried again like any other, where it was certainly not billed."""
    busy = error_answer(529, "overloaded_error", "full", headers=[("retry-after", "0")])
    with FakeUpstream(script(PAUSED, busy, ENDED)) as upstream:
        config = f"[retries]\nwait_s = 2\nlongest_cool_down_s = 0\n{anthropic(upstream.url)}"
        environment = {"UPSTREAM_CREDENTIAL": CREDENTIAL}
        with GatewayProcess(tmp_path_factory.mktemp("busy"), config, environment=environment) as gateway:
            with connected(gateway.url, gateway.new_key("busy")) as client:
                said = client.chat.completions.create(model=MODEL, messages=HI, extra_body={"web_search_options": {}})
            (row,) = gateway.settled(1)

        assert "So it is." == said.choices[0].message.content
        bodies = [received.body for received in upstream.received]
        assert (3, bodies[1]) == (len(bodies), bodies[2])
        assert ("ok", 3, 100) == (row["outcome"], row["attempts"], row["output_tokens"])


def test_total_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    """All calls together take no longer than one exchange may."""
    gate = Gate()
    with FakeUpstream(script(PAUSED, waiting(gate, ENDED))) as upstream:
        config = f"[server.timeouts]\ntotal_s = 1\n[retries]\nmax = 0\n{anthropic(upstream.url)}"
        environment = {"UPSTREAM_CREDENTIAL": CREDENTIAL}
        with GatewayProcess(tmp_path_factory.mktemp("late"), config, environment=environment) as gateway:
            key = gateway.new_key("late")
            with connected(gateway.url, key) as client, pytest.raises(openai.APIStatusError) as late:
                client.chat.completions.create(model=MODEL, messages=HI, extra_body={"web_search_options": {}})
            (row,) = gateway.settled(1)

        assert (504, "upstream_timeout") == (late.value.status_code, late.value.code)
        assert ("upstream_error", 504, 2, 50) == _some(row, "outcome", "status", "attempts", "output_tokens")


def test_kill_while_it_goes_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A gateway that is killed while an answer goes on has charged the part that was over."""
    gate = Gate()
    with FakeUpstream(script(PAUSED, stream_answer([start(), text(0, " it"), gate]))) as upstream:
        environment = {"UPSTREAM_CREDENTIAL": CREDENTIAL}
        gateway = GatewayProcess(tmp_path_factory.mktemp("kill"), anthropic(upstream.url), environment=environment)
        gateway.start()
        with connected(gateway.url, gateway.new_key("kill")) as client:
            stream = client.chat.completions.create(
                model=MODEL, messages=HI, stream=True, extra_body={"web_search_options": {}}
            )
            said = iter(stream)
            while next(said).choices[0].delta.content != " it":
                pass
            _until_ended(gateway)
            gateway.kill()
            with pytest.raises(openai.APIConnectionError):
                list(said)
        with gateway:
            (row,) = gateway.settled(1)
            assert ("interrupted", 2) == (row["outcome"], row["attempts"])
            assert int(str(row["input_tokens"])) >= 10
            assert int(str(row["output_tokens"])) >= 50


def _until_ended(gateway: GatewayProcess) -> None:
    """The end of the first attempt is written, as it is within milliseconds."""
    for _ in range(30):
        (row,) = gateway.exchanges()
        shown = json.loads(gateway.cli("show", str(row["id"]), "--json").stdout)
        if shown["attempts"] and shown["attempts"][0]["outcome"] == "ok":
            return
    raise AssertionError("the first attempt has not ended")


def test_messages_see_it_as_it_came(bench: Bench, key: str) -> None:
    """A client of Messages hears of the pause itself, and it is for it to go on."""
    before = len(bench.upstream.received)
    bench.script = script(PAUSED)
    body = {"model": MODEL, "max_tokens": 9, "stream": True, "messages": HI,
            "tools": [{"type": "web_search_20250305", "name": "web_search"}]}  # fmt: skip
    said = httpx2.post(f"{bench.gateway.url}/v1/messages", json=body, headers={"x-api-key": key}, trust_env=False)

    assert PAUSED == said.content
    assert 1 == len(bench.upstream.received) - before


# Thoughts that are refused.

OLD = {"type": "thinking", "thinking": "old", "signature": "b2xk"}
NEW = {"type": "thinking", "thinking": "new", "signature": "bmV3"}
CALL = {"id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
TALK: list[Any] = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "b", "thinking_blocks": [OLD]},
    {"role": "user", "content": "c"},
]
LOOP: list[Any] = [
    {"role": "assistant", "content": None, "thinking_blocks": [NEW], "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "toolu_1", "content": "rain"},
]
WORDS = [
    pytest.param(REFUSED, id="signature"),
    pytest.param("messages.1.content.0: Invalid signature in thinking block", id="without-marks"),
    pytest.param(f"{REFUSED}. The block is bound to a different conversation.", id="bound"),
    pytest.param("capability_rejected: thinking_signature", id="of-a-gateway"),
]
BLAMED = (
    "messages.3.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified."
)
MISSING = "messages.3.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`."
ANSWER = start() + text(0, "Hi") + end()


def _refusal(message: str) -> Answer:
    return error_answer(400, "invalid_request_error", message)


def _thoughts(asked: Any) -> list[str]:  # noqa: ANN401  # a body
    return [block["thinking"] for turn in asked["messages"] for block in turn["content"] if block["type"] == "thinking"]


@pytest.mark.parametrize("words", WORDS)
def test_once_more_without_old_thoughts(bench: Bench, ask: Ask, rows: Rows, words: str) -> None:
    """E9: a refusal of thoughts is answered by one more try, without those that are older than the tool loop."""
    bench.script = script(_refusal(words), ANSWER)
    said = ask(messages=[*TALK, *LOOP], tools=[TOOL])

    assert "Hi" == said.choices[0].message.content
    first, second = _bodies(bench, 2)
    assert (["old", "new"], ["new"]) == (_thoughts(first), _thoughts(second))
    assert {**first, "messages": 0} == {**second, "messages": 0}
    (row,) = rows(1)
    tries = _attempts(bench, row)
    assert ("ok", 200, 2, 50) == _some(row, "outcome", "status", "attempts", "output_tokens")
    assert [(400, "ok", None), (200, "ok", 50)] == [(t["status"], t["outcome"], t["output_tokens"]) for t in tries]
    assert "invalid_request_error" == tries[0]["error_type"]


def test_warned(bench: Bench, client: openai.OpenAI) -> None:
    """E9, G11: what was left out is told in a field of the answer."""
    bench.script = script(_refusal(REFUSED), ANSWER)
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=TALK, seed=1)

    assert "ignored:seed; dropped:messages=thinking_refused" == raw.headers["x-clearway-warnings"]


@pytest.mark.parametrize("words", [BLAMED, MISSING], ids=["blamed", "missing"])
def test_thoughts_of_the_loop(bench: Bench, ask: Ask, words: str) -> None:
    """E9: where the loop's own thoughts are what is refused they go too, and a model with a budget does not think."""
    bench.script = script(_refusal(words), ANSWER)
    said = ask(
        messages=[*TALK, *LOOP], tools=[TOOL], extra_body={"model": "claude-sonnet-4-5", "reasoning_effort": "low"}
    )

    assert "Hi" == said.choices[0].message.content
    first, second = _bodies(bench, 2)
    assert (["old", "new"], []) == (_thoughts(first), _thoughts(second))
    assert ("enabled", None) == (first["thinking"]["type"], second.get("thinking"))
    assert [["text"], ["text"], ["text"], ["tool_use"], ["tool_result"]] == [
        [block["type"] for block in turn["content"]] for turn in second["messages"]
    ]


def test_only_the_loop_thinks(bench: Bench, ask: Ask) -> None:
    """E9: where only the loop has thoughts these are taken out; a model that decides for itself goes on thinking."""
    bench.script = script(_refusal(REFUSED), ANSWER)
    ask(messages=[TALK[0], *LOOP], tools=[TOOL], reasoning_effort="low")

    first, second = _bodies(bench, 2)
    assert (["new"], []) == (_thoughts(first), _thoughts(second))
    assert "adaptive" == first["thinking"]["type"] == second["thinking"]["type"]


def test_never_more(bench: Bench, client: openai.OpenAI, rows: Rows) -> None:
    """E9: a second refusal is the client's to hear."""
    before = len(bench.upstream.received)
    bench.script = script(_refusal(REFUSED))
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(model=MODEL, messages=TALK, stream=stream)
        assert REFUSED in refused.value.message

    assert 4 == len(bench.upstream.received) - before
    for row in rows(2):
        assert ("ok", 400, 2, None) == _some(row, "outcome", "status", "attempts", "cost_nano")


NOT_TRIED: list[Any] = [
    pytest.param(TALK, "messages.1.content.0: text must not be empty", (), id="about-something-else"),
    pytest.param(TALK, "`max_tokens` must be greater than `thinking.budget_tokens`", (), id="about-how-to-think"),
    pytest.param(HI, REFUSED, (), id="no-thoughts"),
    pytest.param(TALK, REFUSED, ("--strict",), id="strict"),
]


@pytest.mark.parametrize(("talk", "words", "options"), NOT_TRIED)
def test_not_tried_again(
    bench: Bench, request: pytest.FixtureRequest, talk: Any, words: str, options: tuple[str, ...]  # noqa: ANN401
) -> None:  # fmt: skip
    """E9, G11: any other 400 is heard at once; and a strict key would rather hear it than have something left out."""
    before = len(bench.upstream.received)
    bench.script = script(_refusal(words))
    key = bench.gateway.new_key(request.node.name[:60], *options)
    if options:
        talk = [{name: value for name, value in one.items() if name != "seed"} for one in talk]
    with connected(bench.gateway.url, key) as client, pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=MODEL, messages=talk)

    assert 1 == len(bench.upstream.received) - before


def test_client_that_pays(tmp_path: Path, bench: Bench) -> None:
    """E9, CR4: with an API key of the client's own it is the same."""
    bench.script = script(_refusal(REFUSED), PAUSED, ENDED)
    with GatewayProcess(tmp_path, passthrough(bench.upstream.url)) as gateway:
        with connected(gateway.url, "sk-ant-api03-dummy") as client:
            said = client.chat.completions.create(model=MODEL, messages=TALK, extra_body={"web_search_options": {}})
        (row,) = gateway.settled(1)

    assert "So it is." == said.choices[0].message.content
    assert ("ok", 3) == (row["outcome"], row["attempts"])
    assert ["sk-ant-api03-dummy"] * 3 == [one.header("x-api-key") for one in bench.upstream.received[-3:]]
