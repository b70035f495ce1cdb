"""b21: A client that leaves ends its request at the upstream at once, in whatever phase; what was produced is billed.

Elsewhere the upstream went on, the wait before the first token was not noticed at all, or the usage of what had
been said was lost: litellm#37140, PR #30630, PR #31499.
Formats: messages
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

import pytest

from clearway.keys.model import KeySpec
from tests.clients.answers import FINAL_OUTPUT, HEADERS, USAGE, event, events
from tests.clients.sdk import connect, connect_async
from tests.fake_upstream import Answer, FakeUpstream, Gate, Script, answer, error_answer, stream_answer
from tests.gateway_process import GatewayProcess
from tests.relay.stage import AT_ONCE_S, CREDENTIAL, PAYERS, Books, Payer, Stage
from tests.relay.wire_client import MODEL, OWN_CREDENTIAL, Client, prompt

LEAVING = [
    pytest.param(Client.leave, id="closes"),
    pytest.param(Client.reset, id="resets"),
]
SAID = events("five words were said here", MODEL)


def _leave_and_wait(stage: Stage, client: Client, leave: Callable[[Client], None], left_before: int) -> None:
    since = time.monotonic()
    leave(client)
    stage.upstream.wait_left(left_before + 1)

    assert time.monotonic() - since < AT_ONCE_S
    stage.books.wait_idle()


@pytest.mark.parametrize("payer", PAYERS)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize("leave", LEAVING)
def test_before_the_head(stage: Stage, leave: Callable[[Client], None], payer: Payer, *, stream: bool) -> None:
    """b21: Also while the model still thinks, and for plain requests, a client that left is noticed."""
    gate = Gate()
    stage.play(Answer((gate,)))
    left = stage.upstream.left_early

    with stage.client() as client:
        client.ask(prompt(stream=stream), [stage.credential(payer)])
        gate.wait_reached()
        _leave_and_wait(stage, client, leave, left)

    (row,) = stage.exchanges(1)
    assert ("client_closed", None, None, 1) == (row.outcome, row.status, row.output_tokens, row.attempts)
    assert stream == row.stream
    assert 1 == len(stage.received)


def _block(*deltas: dict[str, object]) -> list[bytes]:
    started = event("content_block_start", index=0, content_block={"type": "scripted"})
    return [SAID[0], started, *(event("content_block_delta", index=0, delta=delta) for delta in deltas)]


THOUGHT: dict[str, object] = {"type": "thinking_delta", "thinking": "hm, a gateway is something that"}
INPUT: dict[str, object] = {"type": "input_json_delta", "partial_json": '{"city": "a town by the sea'}
PHASES = [
    pytest.param(SAID[:1], 1, id="before-the-first-token"),
    pytest.param([*SAID[:1], event("ping"), event("ping")], 1, id="among-pings"),
    pytest.param(SAID[:2], 1, id="before-the-first-text"),
    pytest.param(_block(*[THOUGHT] * 6), 40, id="while-it-thinks"),
    pytest.param(_block(*[INPUT] * 4), 20, id="while-it-calls-a-tool"),
    pytest.param(SAID[:5], 2, id="while-it-writes"),
    pytest.param([*SAID[:5], SAID[5][:30]], 2, id="within-an-event"),
]


@pytest.mark.parametrize("payer", PAYERS)
@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.parametrize(("said", "least"), PHASES)
def test_within_a_stream(
    stage: Stage, leave: Callable[[Client], None], payer: Payer, said: list[bytes], least: int
) -> None:
    """b21: Whatever it was doing, the upstream is let go, and what it had produced is charged, as an estimate."""
    gate = Gate()
    stage.play(stream_answer([*said, gate, *SAID], headers=HEADERS))
    left = stage.upstream.left_early

    with stage.client() as client:
        client.ask(prompt(), [stage.credential(payer)])
        exchange_id = client.read_head().exchange_id
        client.read_until(said[-1])
        gate.wait_reached()
        _leave_and_wait(stage, client, leave, left)

    row = stage.books.settled(exchange_id)
    assert ("client_closed", 200, True, "billed") == (row.outcome, row.status, row.estimated, row.billing)
    assert (USAGE["input_tokens"], USAGE["cache_read_input_tokens"]) == (row.input_tokens, row.cache_read_tokens)
    assert least <= (row.output_tokens or 0) < 10 * least + 30
    assert row.cost_nano
    assert (1, 1) == (row.attempts, len(stage.received))


@pytest.mark.parametrize("payer", PAYERS)
def test_between_the_head_and_the_first_event(stage: Stage, payer: Payer) -> None:
    """b21: Where nothing was told yet, nothing is made up: tokens and cost are unknown, not 0."""
    gate = Gate()
    stage.play(stream_answer([gate, *SAID], headers=HEADERS))
    left = stage.upstream.left_early

    with stage.client() as client:
        client.ask(prompt(), [stage.credential(payer)])
        exchange_id = client.read_head().exchange_id
        gate.wait_reached()
        _leave_and_wait(stage, client, Client.leave, left)

    row = stage.books.settled(exchange_id)
    assert ("client_closed", 200, None, None, None) == (
        row.outcome,
        row.status,
        row.input_tokens,
        row.output_tokens,
        row.cost_nano,
    )


@pytest.mark.parametrize("payer", PAYERS)
def test_after_the_final_count(stage: Stage, payer: Payer) -> None:
    """b21: Where the upstream had told the final count that is what is charged, and no estimate."""
    gate = Gate()
    stage.play(stream_answer([*SAID[:-1], gate, SAID[-1]], headers=HEADERS))
    left = stage.upstream.left_early

    with stage.client() as client:
        client.ask(prompt(), [stage.credential(payer)])
        exchange_id = client.read_head().exchange_id
        client.read_until(SAID[-2])
        gate.wait_reached()
        _leave_and_wait(stage, client, Client.leave, left)

    row = stage.books.settled(exchange_id)
    assert ("client_closed", FINAL_OUTPUT, False) == (row.outcome, row.output_tokens, row.estimated)
    assert row.cost_nano


@pytest.mark.parametrize("leave", LEAVING)
def test_without_having_read(stage: Stage, leave: Callable[[Client], None]) -> None:
    """b21: With forty megabytes under way that nobody reads the upstream, which waits, is let go all the same."""
    delta = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "y" * 20_000})
    stage.play(stream_answer([*SAID[:2], *[delta] * 2_000], headers=HEADERS))
    left = stage.upstream.left_early

    with stage.client(receive_buffer=4096) as client:
        client.ask(prompt())
        exchange_id = client.read_head().exchange_id
        client.read_until(SAID[1])
        _leave_and_wait(stage, client, leave, left)

    row = stage.books.settled(exchange_id)
    assert ("client_closed", True, True) == (row.outcome, row.estimated, bool(row.cost_nano))


@pytest.mark.parametrize("payer", PAYERS)
def test_while_tokens_are_counted(stage: Stage, payer: Payer) -> None:
    """b21: The same for what costs nothing."""
    gate = Gate()
    stage.play(Answer((gate,)))
    left = stage.upstream.left_early

    with stage.client() as client:
        client.ask(prompt(stream=False), [stage.credential(payer)], target="/v1/messages/count_tokens")
        gate.wait_reached()
        _leave_and_wait(stage, client, Client.leave, left)

    (row,) = stage.exchanges(1)
    assert ("count_tokens", "client_closed", None) == (row.endpoint, row.outcome, row.cost_nano)


def test_on_the_second_try(
    start_gateway: Callable[..., GatewayProcess], fake_upstream: Callable[[Script], FakeUpstream]
) -> None:
    """b21: A client that leaves while the next upstream is asked ends that try, and no further one is made."""
    gate = Gate()
    upstreams = [
        fake_upstream(lambda _: error_answer(529, "overloaded_error", "scripted")),
        fake_upstream(lambda _: Answer((gate,))),
        fake_upstream(lambda _: stream_answer(SAID)),
    ]
    config = "".join(
        f'[[upstreams]]\nname = "{place}"\nkind = "anthropic"\nbase_url = "{upstream.url}"\n'
        'api_key = { env = "UPSTREAM_CREDENTIAL" }\n'
        for place, upstream in enumerate(upstreams)
    )
    gateway = start_gateway(config, environment={"UPSTREAM_CREDENTIAL": CREDENTIAL})
    books = Books(gateway.data_dir)
    with Client(gateway.url) as client:
        client.ask(prompt(), [("x-api-key", books.new_key(KeySpec(name="k")))])
        gate.wait_reached()
        client.leave()
        upstreams[1].wait_left()

    books.wait_idle()
    assert [1, 1, 0] == [len(upstream.received) for upstream in upstreams]
    (row,) = books.later_than("0", 1)
    assert ("client_closed", 2) == (row.outcome, row.attempts)


@pytest.mark.client
@pytest.mark.usefixtures("_no_machine")
def test_the_sdk_closes_a_stream(stage: Stage) -> None:
    """b21: A program that leaves the official SDK's stream early has left."""
    gate = Gate()
    stage.play(stream_answer([*SAID[:5], gate], headers=HEADERS))
    left = stage.upstream.left_early

    with (
        connect(stage.gateway.url, OWN_CREDENTIAL[1]) as client,
        client.messages.stream(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as stream,
    ):
        assert next(iter(stream.text_stream))
    stage.upstream.wait_left(left + 1)

    (row,) = stage.exchanges(1)
    assert ("client_closed", True) == (row.outcome, bool(row.cost_nano))


@pytest.mark.client
@pytest.mark.usefixtures("_no_machine")
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
async def test_a_task_is_cancelled(stage: Stage, *, stream: bool) -> None:
    """b21: So has one that cancels the task which waits for the first token."""
    gate = Gate()
    stage.play(Answer((gate,)))
    left = stage.upstream.left_early
    async with connect_async(stage.gateway.url, OWN_CREDENTIAL[1]) as client:
        asking = asyncio.ensure_future(
            client.messages.create(
                model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "hi"}], stream=stream
            )
        )
        await asyncio.to_thread(gate.wait_reached)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        await asyncio.to_thread(stage.upstream.wait_left, left + 1)

    assert asking.cancelled()
    (row,) = await asyncio.to_thread(stage.exchanges, 1)
    assert ("client_closed", stream) == (row.outcome, row.stream)


@pytest.mark.parametrize("leave", LEAVING)
def test_within_a_plain_body(stage: Stage, leave: Callable[[Client], None]) -> None:
    """b21: A client that leaves in the middle of a plain answer ends it, too."""
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
    """b21: Half a request reaches nobody, and its room is given back."""
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
    """b21: One client's leaving touches nobody else's stream."""
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
    """b21: Whoever leaves after message_stop has had the answer: it was whole."""
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
