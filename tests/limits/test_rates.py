"""Requests and tokens per minute, and requests at one moment: told, refused, given back."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.fake_upstream import Gate, json_answer, stream_answer
from tests.limits.purse import Purse, beginning, body, ending
from tests.relay.stage import wait_until

pytestmark = pytest.mark.timeout(60)
USED = {"input_tokens": 20, "output_tokens": 100}


def test_requests_per_minute(purse: Purse) -> None:
    """As many as the limit at once, then one for each part of a minute; the answer tells what remains."""
    key = purse.key(requests_per_minute=3)

    heads = [purse.ask(key, body(output=10)).head for _ in range(3)]
    refused = purse.ask(key, body(output=10))

    assert [200] * 3 == [head.status for head in heads]
    assert ["3"] * 3 == [head.header("anthropic-ratelimit-requests-limit") for head in heads]
    assert ["2", "1", "0"] == [head.header("anthropic-ratelimit-requests-remaining") for head in heads]
    reset = datetime.fromisoformat(heads[2].header("anthropic-ratelimit-requests-reset") or "")
    assert timedelta(seconds=40) < reset - datetime.now(UTC) <= timedelta(seconds=61)  # noqa: TID251  # the real one
    assert (429, "limit_exceeded") == (refused.head.status, refused.head.header("x-clearway-error"))
    assert ("rate_limit_error", None) == (refused.error()[0], refused.head.header("x-should-retry"))
    assert 1 <= int(refused.head.header("retry-after") or 0) <= 20
    assert "3 requests per minute" in refused.error()[1]
    assert "0" == refused.head.header("anthropic-ratelimit-requests-remaining")


def test_input_tokens_per_minute(purse: Purse) -> None:
    """What was really used counts, not the estimate; what is not there is refused before it is sent."""
    key = purse.key(input_tokens_per_minute=1000)
    small = body(output=10)
    first, second = (purse.ask(key, small).head for _ in range(2))

    assert [200, 200] == [first.status, second.status]
    assert 975 <= int(second.header("anthropic-ratelimit-input-tokens-remaining") or 0) + len(small) // 2 <= 1000
    large = purse.ask(key, body(output=10, text="word " * 2000))
    assert 429 == large.head.status
    assert "1,000 input tokens per minute" in large.error()[1]
    assert 200 == purse.ask(key, small).head.status


def test_cache_reads_are_not_input(purse: Purse) -> None:
    """As with the API's own limits; otherwise an agent's long thread would use up a minute in one turn."""
    key = purse.key(input_tokens_per_minute=1000)
    used = {"input_tokens": 5, "cache_read_input_tokens": 100_000, "output_tokens": 1}
    purse.stage.play(json_answer({"id": "m", "type": "message", "model": "claude-round", "usage": used}))
    try:
        assert [200] * 3 == [purse.ask(key, body(output=10)).head.status for _ in range(3)]
    finally:
        purse.stage.play(purse.whole)


def test_output_tokens_per_minute(purse: Purse) -> None:
    """What an answer used up is not there for the next."""
    key = purse.key(output_tokens_per_minute=500)

    assert 200 == purse.ask(key, body(output=2000)).head.status
    refused = purse.ask(key, body(output=10))

    assert 429 == refused.head.status
    assert "500 output tokens per minute" in refused.error()[1]
    assert "0" == refused.head.header("anthropic-ratelimit-output-tokens-remaining")
    assert 175 <= int(refused.head.header("retry-after") or 0) <= 185


def test_requests_at_one_moment(purse: Purse) -> None:
    """The limit counts what runs; what ends makes room, also by breaking off."""
    key = purse.key(parallel=2)
    gates = [Gate(), Gate()]
    waiting = iter(gates)
    purse.stage.play(lambda _: stream_answer([*beginning(USED), next(waiting), *ending(USED)]))
    try:
        with purse.client() as one, purse.client() as two:
            for client in (one, two):
                client.ask(body(output=100, stream=True), [("x-api-key", key)])
                assert 200 == client.read_head().status
                client.read_until(b"content_block_start")
            purse.stage.play(purse.whole)
            refused = purse.ask(key, body(output=10))
            counted = purse.ask(key, body(output=1), target="/v1/messages/count_tokens")
            two.leave()
            wait_until(lambda: purse.ask(key, body(output=10)).head.status == 200, "the one that left makes room")
            gates[0].open()
            assert one.read_rest()[1]
    finally:
        purse.stage.play(purse.whole)

    assert (429, "2") == (refused.head.status, refused.head.header("retry-after"))
    assert "2 requests at one moment" in refused.error()[1]
    assert 200 == counted.head.status


def test_counting_has_its_own_bucket(purse: Purse) -> None:
    """Claude Code's bursts of counting use up nobody's requests, and requests not the counting."""
    key = purse.key(requests_per_minute=1)

    counted = purse.ask_all([key] * 60, body(output=1), target="/v1/messages/count_tokens")
    assert 200 == purse.ask(key, body(output=1)).head.status
    assert 429 == purse.ask(key, body(output=1)).head.status

    assert [200] * 60 == [whole.head.status for whole in counted]


def test_a_refusal_is_in_the_ledger(purse: Purse) -> None:
    """A refused request is seen: denied, with our code, and without a price."""
    key = purse.key(requests_per_minute=1)
    purse.ask(key, body(output=1))

    refused = purse.ask(key, body(output=1))

    row = purse.stage.books.settled(refused.head.exchange_id)
    assert ("denied", 429, "limit_exceeded", None) == (row.outcome, row.status, row.error_code, row.cost_nano)


def test_limits_change_while_it_runs(purse: Purse) -> None:
    """A limit that is raised, lowered or taken away holds from the next request on."""
    key = purse.key(requests_per_minute=1)
    name = f"key {len(purse.stage.books.ledger.list_keys())}"
    assert [200, 429] == [purse.ask(key, body(output=1)).head.status for _ in range(2)]

    purse.stage.gateway.cli("keys", "update", name, "--rpm", "3")
    assert [200, 200, 429] == [purse.ask(key, body(output=1)).head.status for _ in range(3)]
    purse.stage.gateway.cli("keys", "update", name, "--rpm", "none")
    assert [200] * 5 == [purse.ask(key, body(output=1)).head.status for _ in range(5)]
