"""A client that leaves: the upstream is let go at once, and what was seen is in the books."""

import time
from collections.abc import Callable

import pytest

from tests.clients.answers import HEADERS, USAGE, event, events
from tests.fake_upstream import Answer, Gate, answer, stream_answer
from tests.relay.stage import AT_ONCE_S, Stage
from tests.relay.wire_client import MODEL, OWN_CREDENTIAL, Client, prompt

LEAVING = [
    pytest.param(Client.leave, id="closes"),
    pytest.param(Client.reset, id="resets"),
]
PAYERS = [pytest.param("client", id="passthrough"), pytest.param("gateway", id="anthropic")]


def _leave_and_wait(stage: Stage, client: Client, leave: Callable[[Client], None], left_before: int) -> None:
    since = time.monotonic()
    leave(client)
    stage.upstream.wait_left(left_before + 1)

    assert time.monotonic() - since < AT_ONCE_S
    stage.books.wait_idle()


@pytest.mark.parametrize("payer", PAYERS)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize("leave", LEAVING)
def test_before_the_head(stage: Stage, leave: Callable[[Client], None], payer: str, *, stream: bool) -> None:
    """Also while the model still thinks, and for plain requests, a client that left is noticed."""
    gate = Gate()
    stage.play(Answer((gate,)))
    left = stage.upstream.left_early
    field = OWN_CREDENTIAL if payer == "client" else stage.key_field

    with stage.client() as client:
        client.ask(prompt(stream=stream), [field])
        gate.wait_reached()
        _leave_and_wait(stage, client, leave, left)

    (row,) = stage.exchanges(1)
    assert ("client_closed", None, None, 1) == (row.outcome, row.status, row.output_tokens, row.attempts)
    assert stream == row.stream
    assert 1 == len(stage.received)


@pytest.mark.parametrize("payer", PAYERS)
@pytest.mark.parametrize("leave", LEAVING)
def test_within_a_stream(stage: Stage, leave: Callable[[Client], None], payer: str) -> None:
    """What was produced before the client left is charged, marked as an estimate."""
    said = events("five words were said here", MODEL)
    gate = Gate()
    stage.play(stream_answer([*said[:5], gate, *said[5:]], headers=HEADERS))
    left = stage.upstream.left_early
    field = OWN_CREDENTIAL if payer == "client" else stage.key_field

    with stage.client() as client:
        client.ask(prompt(), [field])
        exchange_id = client.read_head().exchange_id
        client.read_until(said[4])
        gate.wait_reached()
        _leave_and_wait(stage, client, leave, left)

    row = stage.books.settled(exchange_id)
    assert ("client_closed", 200, True) == (row.outcome, row.status, row.estimated)
    assert USAGE["input_tokens"] == row.input_tokens
    assert row.output_tokens is not None
    assert row.output_tokens >= 2
    assert row.cost_nano
    assert "billed" == row.billing


@pytest.mark.parametrize("leave", LEAVING)
def test_within_a_plain_body(stage: Stage, leave: Callable[[Client], None]) -> None:
    """A client that leaves in the middle of a plain answer ends it, too."""
    whole = answer(b'{"id": "msg_0", "content": "' + b"x" * 1000 + b'"}').pieces[0]
    gate = Gate()
    assert isinstance(whole, bytes)
    stage.play(Answer((whole[:300], gate, whole[300:])))
    left = stage.upstream.left_early

    with stage.client() as client:
        client.ask(prompt(stream=False))
        exchange_id = client.read_head().exchange_id
        client.read_piece()
        _leave_and_wait(stage, client, leave, left)

    row = stage.books.settled(exchange_id)
    assert ("client_closed", 200, None) == (row.outcome, row.status, row.output_tokens)


@pytest.mark.parametrize("leave", LEAVING)
def test_within_its_own_request(stage: Stage, leave: Callable[[Client], None]) -> None:
    """Half a request reaches nobody, and its room is given back."""
    stage.play(Answer(()))
    body = prompt("x" * 500_000)

    with stage.client() as client:
        client.send(client.head("POST", "/v1/messages", [OWN_CREDENTIAL], len(body)) + body[:200_000])
        leave(client)
    with stage.client() as client:
        client.request("GET", "/health")

        assert 200 == client.read_whole().head.status

    assert [] == stage.exchanges(0)
    assert [] == stage.received


def test_others_go_on(stage: Stage) -> None:
    """One client's leaving touches nobody else's stream."""
    said = events("two streams", MODEL)
    gates = [Gate(), Gate()]
    waiting = iter(gates)
    stage.play(lambda _: stream_answer([*said[:3], next(waiting), *said[3:]], headers=HEADERS))
    left = stage.upstream.left_early

    with stage.client() as staying, stage.client() as leaving:
        for client in (staying, leaving):
            client.ask(prompt())
            client.read_head()
            client.read_until(said[2])
        leaving.leave()
        stage.upstream.wait_left(left + 1)
        gates[0].open()

        assert (b"".join(said[3:]), True) == staying.read_rest()


def test_leaving_after_the_end(stage: Stage) -> None:
    """Whoever leaves after message_stop has had the answer: it was whole."""
    said = events("all of it", MODEL)
    gate = Gate()
    stage.play(stream_answer([*said, gate, event("ping")], headers=HEADERS))
    left = stage.upstream.left_early

    with stage.client() as client:
        client.ask(prompt())
        exchange_id = client.read_head().exchange_id
        client.read_until(said[-1])
        _leave_and_wait(stage, client, Client.leave, left)

    row = stage.books.settled(exchange_id)
    assert ("ok", False, "end_turn") == (row.outcome, row.estimated, row.stop_reason)
