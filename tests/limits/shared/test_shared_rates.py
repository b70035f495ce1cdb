"""Limits per minute and requests at one moment are one for all gateways, by the server's clock."""

import pytest

from tests.fake_upstream import Gate, stream_answer
from tests.limits.purse import beginning, body, ending
from tests.limits.shared.several import Several, until

pytestmark = pytest.mark.timeout(60)
USED = {"input_tokens": 20, "output_tokens": 100}


def test_requests_per_minute(two: Several) -> None:
    """As many as the limit over both; each answer tells what remains for all."""
    key = two.key(requests_per_minute=4)

    heads = [two.ask(place % 2, key, body(output=10)).head for place in range(4)]
    refused = [two.ask(place, key, body(output=10)) for place in (0, 1)]

    assert [200] * 4 == [head.status for head in heads]
    assert ["3", "2", "1", "0"] == [head.header("anthropic-ratelimit-requests-remaining") for head in heads]
    for whole in refused:
        assert (429, "limit_exceeded") == (whole.head.status, whole.head.header("x-clearway-error"))
        assert 1 <= int(whole.head.header("retry-after") or 0) <= 15
        assert "4 requests per minute" in whole.error()[1]
        assert "0" == whole.head.header("anthropic-ratelimit-requests-remaining")


def test_output_tokens_per_minute(two: Several) -> None:
    """What an answer of one used up is not there for the next of the other."""
    key = two.key(output_tokens_per_minute=500)

    assert 200 == two.ask(0, key, body(output=2000)).head.status
    refused = two.ask(1, key, body(output=10))

    assert 429 == refused.head.status
    assert "500 output tokens per minute" in refused.error()[1]
    assert 175 <= int(refused.head.header("retry-after") or 0) <= 185


def test_input_tokens_per_minute(two: Several) -> None:
    """What was really used counts, at both; what is not there is refused before it is sent."""
    key = two.key(input_tokens_per_minute=1000)
    small = body(output=10)
    heads = [two.ask(place % 2, key, small).head for place in range(4)]

    assert [200] * 4 == [head.status for head in heads]
    large = two.ask(1, key, body(output=10, text="word " * 2000))
    assert 429 == large.head.status
    assert "1,000 input tokens per minute" in large.error()[1]
    assert 200 == two.ask(0, key, small).head.status


def test_counting_has_its_own_bucket(two: Several) -> None:
    """Counting uses up nobody's requests."""
    key = two.key(requests_per_minute=1)
    counted = [two.ask(place % 2, key, body(output=1), target="/v1/messages/count_tokens") for place in range(20)]

    assert [200] * 20 == [whole.head.status for whole in counted]
    assert [200, 429] == [two.ask(place, key, body(output=1)).head.status for place in (0, 1)]


def test_requests_at_one_moment(two: Several) -> None:
    """What runs at one counts at the other; what ends makes room, also by leaving."""
    key = two.key(parallel=2)
    gates = [Gate(), Gate()]
    waiting = iter(gates)
    two.purse.stage.play(lambda _: stream_answer([*beginning(USED), next(waiting), *ending(USED)]))
    try:
        with two.client(0) as one, two.client(1) as other:
            for client in (one, other):
                client.ask(body(output=100, stream=True), [("x-api-key", key)])
                assert 200 == client.read_head().status
                client.read_until(b"content_block_start")
            two.purse.stage.play(two.purse.whole)
            refused = [two.ask(place, key, body(output=10)) for place in (0, 1)]
            other.leave()
            until(lambda: two.ask(0, key, body(output=10)).head.status == 200, "the one that left makes room")
            gates[0].open()
            assert one.read_rest()[1]
    finally:
        two.purse.stage.play(two.purse.whole)

    assert [429, 429] == [whole.head.status for whole in refused]
    assert ["2", "2"] == [whole.head.header("retry-after") for whole in refused]
    assert "2 requests at one moment" in refused[0].error()[1]


def test_nobody_runs_afterwards(two: Several) -> None:
    """Two hundred at once against five: never more than five at the upstream, and then none is counted any more."""
    key = two.key(parallel=5)
    answers = two.ask_all(key, body(output=10), 200)

    assert {200, 429} >= {whole.head.status for whole in answers}
    until(lambda: [two.ask(place % 2, key, body(output=10)).head.status for place in range(6)] == [200] * 6, "all free")
