"""b10: Counting tokens is the upstream's answer to the client's own bytes, or its refusal; never an estimate.

Elsewhere it was missing, answered 0, left out tools and their results, was inflated by what a proxy put in,
or a 404 made the whole model unavailable: litellm#13252, cc-switch#3260, CLIProxyAPI#679, #4104, #4410,
9router#2337, sub2api PR #657, relay-service#731.
Formats: messages
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anthropic
import pytest

from clearway.keys.model import KeySpec
from tests.clients.sdk import connect
from tests.fake_upstream import Answer, FakeUpstream, Received, Script, answer, error_answer, json_answer
from tests.gateway_process import GatewayProcess
from tests.relay.stage import CREDENTIAL, PAYERS, Books, Payer, Stage
from tests.relay.wire_client import MODEL, OWN_CREDENTIAL, Client, Whole, prompt

TARGET = "/v1/messages/count_tokens?beta=true"
COUNT = b'{ "input_tokens" : 2095, "context_management":{"original_input_tokens":2100} }'
BODY = (
    b'{"model":"' + MODEL.encode() + b'", "system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],'
    b'\n"tools":[{"name":"x","input_schema":{"type":"object"},"x_future":1.0}],"thinking":{"type":"enabled"},'
    b'"messages":[{"role":"user","content":"\\u20ac"},'
    b'{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"x","input":{"a":1e3}}]},'
    b'{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"r"}]}]}\n'
)


def _count(stage: Stage, payer: Payer) -> Whole:
    return stage.ask(payer, BODY, target=TARGET)


def _is_count(received: Received) -> bool:
    return "count_tokens" in received.target


@pytest.mark.parametrize("payer", PAYERS)
def test_forwarded_as_it_is(stage: Stage, payer: Payer) -> None:
    """b10: The upstream counts the client's very bytes, tools and their results included, and is heard."""
    stage.play(answer(COUNT))

    whole = _count(stage, payer)

    assert (200, COUNT) == (whole.head.status, whole.body)
    (received,) = stage.received
    assert (BODY, TARGET) == (received.body, received.target)
    row = stage.books.settled(whole.head.exchange_id)
    assert ("count_tokens", "ok", MODEL) == (row.endpoint, row.outcome, row.request_model)
    assert (None, None, None) == (row.input_tokens, row.output_tokens, row.cost_nano)


REFUSALS = [
    pytest.param(error_answer(404, "not_found_error", "no counting here"), 404, id="404"),
    pytest.param(
        answer(b"404 page not found", status=404, headers=[("content-type", "text/plain")]), 404, id="404-text"
    ),
    pytest.param(answer(b"", status=405), 405, id="405"),
    pytest.param(error_answer(400, "invalid_request_error", "no such tool"), 400, id="400"),
    pytest.param(error_answer(429, "rate_limit_error", "slowly", headers=[("retry-after", "9")]), 429, id="429"),
    pytest.param(error_answer(500, "api_error", "oops"), 500, id="500"),
    pytest.param(error_answer(529, "overloaded_error", "overloaded"), 529, id="529"),
]


@pytest.mark.parametrize(("refusal", "status"), REFUSALS)
@pytest.mark.parametrize("payer", PAYERS)
def test_never_an_estimate(stage: Stage, payer: Payer, refusal: Answer, status: int) -> None:
    """b10: Where the upstream does not count, the client hears so, and the model goes on working there and then."""
    stage.play(lambda received: refusal if _is_count(received) else json_answer({"type": "message"}))
    said = refusal.pieces[0]
    assert isinstance(said, bytes)

    whole = _count(stage, payer)

    assert (status, said.partition(b"\r\n\r\n")[2]) == (whole.head.status, whole.body)
    assert b"input_tokens" not in whole.body
    assert 200 == stage.ask(payer, prompt(stream=False)).head.status
    assert 2 == len(stage.received)


@pytest.mark.client
@pytest.mark.usefixtures("_no_machine")
def test_the_sdk_hears_it(stage: Stage) -> None:
    """b10: The official SDK gets the number, or the class of error that makes a client count for itself."""
    answers = iter([answer(COUNT), error_answer(404, "not_found_error", "no counting here")])
    stage.play(lambda _: next(answers))
    with connect(stage.gateway.url, OWN_CREDENTIAL[1]) as client:

        def count() -> int:
            counted = client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "hi"}])
            return counted.input_tokens

        assert 2095 == count()
        with pytest.raises(anthropic.NotFoundError):
            count()


def test_no_cool_down(
    start_gateway: Callable[..., GatewayProcess], fake_upstream: Callable[[Script], FakeUpstream]
) -> None:
    """b10: An upstream that refuses to count stays the first to be asked for answers."""
    refusals = [refusal.values[0] for refusal in REFUSALS]
    waiting = iter(refusals)

    def refuse_to_count(received: Received) -> Answer:
        said = next(waiting) if _is_count(received) else json_answer({"type": "message"})
        assert isinstance(said, Answer)
        return said

    first = fake_upstream(refuse_to_count)
    second = fake_upstream(lambda received: answer(COUNT) if _is_count(received) else json_answer({"type": "message"}))
    config = "".join(
        f'[[upstreams]]\nname = "{name}"\nkind = "anthropic"\nbase_url = "{url}"\n'
        'api_key = { env = "UPSTREAM_CREDENTIAL" }\n'
        for name, url in (("first", first.url), ("second", second.url))
    )
    gateway = start_gateway(config, environment={"UPSTREAM_CREDENTIAL": CREDENTIAL})
    key = ("x-api-key", Books(gateway.data_dir).new_key(KeySpec(name="k")))
    for place in range(len(refusals)):
        for target, body in ((TARGET, BODY), ("/v1/messages", prompt(stream=False))):
            with Client(gateway.url) as client:
                client.ask(body, [key], target=target)
                client.read_whole()

        assert place + 1 == sum(not _is_count(received) for received in first.received)
    assert [] == [received for received in second.received if not _is_count(received)]


RATE = 50
BURSTS = 3


def _cpu_s(pid: int) -> float:
    """Seconds of a processor that a process has used, which other processes don't change (proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("payer", PAYERS)
def test_a_burst(stage: Stage, payer: Payer) -> None:
    """b10: Fifty at once, three times, as an agent's view of its context asks: each is forwarded, answered and kept."""
    stage.play(json_answer({"input_tokens": 7}))
    stage.credential(payer)
    before = _cpu_s(stage.gateway.pid)

    with ThreadPoolExecutor(RATE) as pool:
        answers = list(pool.map(lambda _: _count(stage, payer), range(RATE * BURSTS)))

    # A gateway that has a core to itself has served them at fifty a second.
    assert _cpu_s(stage.gateway.pid) - before < BURSTS
    assert {(200, b'{"input_tokens":7}')} == {(whole.head.status, whole.body) for whole in answers}
    assert RATE * BURSTS == len(stage.received)
    rows = stage.exchanges(RATE * BURSTS)
    assert {("count_tokens", "ok", None)} == {(row.endpoint, row.outcome, row.cost_nano) for row in rows}
