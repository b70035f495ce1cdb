"""A key that ends, or whose budget is lowered, while its answers run: felt within a second."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import InvalidStateError
from contextlib import contextmanager, suppress

import pytest

from tests.fake_upstream import Answer, Gate, Pause, stream_answer
from tests.limits.purse import Purse, beginning, body, deltas, ending
from tests.relay.wire_client import Client

pytestmark = pytest.mark.timeout(60)
USED = {"input_tokens": 20, "output_tokens": 4000}
SOON_S = 2.0
"""A second is promised, on a machine that has other things to do."""


def newest(purse: Purse) -> str:
    """The name of the key that was made last."""
    return purse.stage.books.ledger.list_keys()[-1].name


@contextmanager
def running(purse: Purse, key: str, gate: Gate) -> Iterator[Client]:
    """A stream that has begun and goes on when the gate is opened."""
    purse.stage.play(lambda _: stream_answer([*beginning(USED), *deltas(10), gate, *ending(USED)]))
    try:
        with purse.client() as client:
            client.ask(body(output=4000, stream=True), [("x-api-key", key)])
            assert 200 == client.read_head().status
            client.read_until(b"content_block_delta")
            yield client
    finally:
        purse.stage.play(purse.whole)
        with suppress(InvalidStateError):
            gate.open()


def ends(client: Client) -> tuple[bytes, bool, float]:
    """The rest of an answer, whether it ended properly, and after how long."""
    began = time.monotonic()
    rest, complete = client.read_rest()
    return rest, complete, time.monotonic() - began


ENDINGS: list[tuple[str, Callable[[Purse, str], object]]] = [
    ("was revoked", lambda purse, name: purse.stage.gateway.cli("keys", "revoke", name)),
    ("has expired", lambda purse, name: purse.stage.gateway.cli("keys", "update", name, "--expires", "1s")),
]


@pytest.mark.parametrize(("why", "end"), ENDINGS, ids=[why for why, _ in ENDINGS])
def test_a_key_that_ends(purse: Purse, why: str, end: Callable[[Purse, str], object]) -> None:
    """Its running answer is cut, as a broken one is; the next request hears why, and what ran is paid."""
    key = purse.key()
    name = newest(purse)
    with running(purse, key, Gate()) as client:
        end(purse, name)
        _, complete, took_s = ends(client)

    assert not complete
    assert SOON_S + 1 > took_s
    refused = purse.ask(key, body(output=1))
    assert 401 == refused.head.status
    assert why in refused.error()[1]
    spent = purse.spent(name)
    assert (1, 1) == (spent.exchanges, spent.errors)
    assert 0 < spent.cost_nano


def test_a_budget_that_is_lowered(purse: Purse) -> None:
    """What runs is more than the budget allows now: it ends with the error of a spent budget."""
    key = purse.key("1usd/day")
    with running(purse, key, Gate()) as client:
        purse.stage.gateway.cli("keys", "update", newest(purse), "--budget", "0.001usd/day")
        rest, complete, took_s = ends(client)

    assert complete
    assert SOON_S > took_s
    assert b"event: error\ndata: " in rest
    assert b'"billing_error"' in rest
    assert b"was used up while this answer was running" in rest
    assert 429 == purse.ask(key, body(output=1000)).head.status


def test_a_budget_that_still_covers_it(purse: Purse) -> None:
    """Lowered or raised, as long as what runs is covered it goes on."""
    key = purse.key("1usd/day")
    gate = Gate()
    with running(purse, key, gate) as client:
        purse.stage.gateway.cli("keys", "update", newest(purse), "--budget", "0.5usd/day", "--rpm", "100")
        purse.stage.play(purse.whole)
        assert 200 == purse.ask(key, body(output=1)).head.status
        gate.open()
        rest, complete, _ = ends(client)

    assert complete
    assert b"message_stop" in rest


def test_a_secret_that_is_rotated(purse: Purse) -> None:
    """With an overlap both secrets hold; what the old one began is finished; then only the new one is of use."""
    key = purse.key()
    name = newest(purse)
    gate = Gate()
    with running(purse, key, gate) as client:
        new = purse.stage.gateway.cli("keys", "rotate", name, "--overlap", "0s").stdout.strip()
        purse.stage.play(purse.whole)
        assert [401, 200] == [purse.ask(secret, body(output=1)).head.status for secret in (key, new)]
        gate.open()
        assert ends(client)[1]


def test_a_waiting_request_is_ended_too(purse: Purse) -> None:
    """Before a byte has come the client is told in an answer of its own, and the upstream is let go."""
    key = purse.key()
    purse.stage.play(lambda _: Answer((Pause(20), b"")))
    try:
        with purse.client() as client:
            client.ask(body(output=1), [("x-api-key", key)])
            while not purse.stage.received:
                time.sleep(0.01)
            purse.stage.gateway.cli("keys", "revoke", newest(purse))
            whole = client.read_whole()
    finally:
        purse.stage.play(purse.whole)

    assert (401, "invalid_key") == (whole.head.status, whole.head.header("x-clearway-error"))
