"""One budget over several gateways holds, whatever runs at once, and can be used to its end."""

from pathlib import Path

import pytest

from tests.fake_upstream import Cut, Gate, error_answer, stream_answer
from tests.limits.purse import OUTPUT_NANO, beginning, body, cost_nano, deltas, ending, served_of
from tests.limits.shared.several import USAGE, Several, until
from tests.limits.test_budgets import ONE, OUTPUT, TEN_USD, codes
from tests.services import ValkeyProcess, postgres

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("budget", [TEN_USD + "/day", "10400tokens/month"], ids=["usd", "tokens"])
def test_two_hundred_against_a_budget_for_ten(two: Several, budget: str, stream: bool) -> None:  # noqa: FBT001
    """Never more than ten are served over all gateways; who comes back gets all ten; then it is over, at both.

    The ledger, the counters and the upstream's bill agree to the nano-dollar.
    """
    key, name = two.key(budget), two.name()
    asked = body(output=OUTPUT, stream=stream)
    billed = len(two.purse.billed)

    answers = two.ask_all(key, asked, 200)
    served = codes(answers)[200, ""]
    assert {(200, ""), (429, "limit_exceeded"), (429, "budget_exceeded")} >= codes(answers).keys()
    assert 1 <= served <= 10
    served += two.use_up(key, asked)

    assert 10 == served
    assert [(429, "budget_exceeded")] * 2 == [
        (whole.head.status, whole.head.header("x-clearway-error"))
        for whole in (two.ask(0, key, asked), two.ask(1, key, asked))
    ]
    spent = two.spent(name)
    assert 10 * ONE == spent.cost_nano == sum(two.purse.billed[billed:])
    counted = two.wait_settled(name)
    assert {"billed": 10 * ONE, "estimates": 0, "tokens": 10 * 1020, "held_nano": 0, "held_tokens": 0} == counted


def test_a_key_that_is_not_known_yet(two: Several) -> None:
    """While a gateway learns of a new key nobody gets in between: it is unknown, and then it is limited."""
    key, name = two.purse.key("10400tokens"), two.name()
    served = sum(codes(two.ask_all(key, body(output=OUTPUT), 150))[200, ""] for _ in range(3))
    for number in (0, 1):
        two.wait_known(number, key)
    served += two.use_up(key, body(output=OUTPUT))

    assert 10 == served
    assert 10 * ONE == two.spent(name).cost_nano == two.wait_settled(name)["billed"]


def test_the_words_are_the_same(two: Several) -> None:
    """A refusal at one gateway of what was spent at the other names the budget in the fields that Claude Code knows."""
    key = two.key("0.006usd/day")
    assert 200 == two.ask(0, key, body(output=OUTPUT)).head.status
    two.wait_settled(two.name())

    refused = two.ask(1, key, body(output=OUTPUT))

    assert (429, "budget_exceeded") == (refused.head.status, refused.head.header("x-clearway-error"))
    assert "false" == refused.head.header("x-should-retry")
    assert "$0.0060 a day" in refused.error()[1]
    assert "has $0.0009 left" in refused.error()[1]
    assert "org_spend_cap_reached" == refused.head.header("anthropic-ratelimit-unified-overage-disabled-reason")
    fitting = two.ask(1, key, body(output=100))
    assert (200, "0.84") == (
        fitting.head.status,
        fitting.head.header("anthropic-ratelimit-unified-overage-utilization"),
    )


def test_what_one_holds_the_other_does_not_give(two: Several) -> None:
    """While a request of one gateway holds what is left, the other says: come back soon."""
    key = two.key("0.0055usd")
    gate = Gate()
    used = {"input_tokens": 20, "output_tokens": OUTPUT}
    two.purse.stage.play(lambda _: stream_answer([*beginning(used), gate, *ending(used)]))
    try:
        with two.client(0) as client:
            client.ask(body(output=OUTPUT, stream=True), [("x-api-key", key)])
            assert 200 == client.read_head().status
            client.read_until(b"content_block_start")
            refused = two.ask(1, key, body(output=OUTPUT))
            gate.open()
            assert client.read_rest()[1]
    finally:
        two.purse.stage.play(two.purse.whole)

    assert (429, "limit_exceeded") == (refused.head.status, refused.head.header("x-clearway-error"))
    assert "2" == refused.head.header("retry-after")
    assert "hold it" in refused.error()[1]


def test_a_stream_ends_where_its_budget_does(two: Several) -> None:
    """The upstream would go on for ever; both gateways' streams together stay within the budget and a slice each."""
    key, name = two.key("0.2usd"), two.name()
    endless = {"input_tokens": 20, "output_tokens": 100_000}
    two.purse.stage.play(lambda _: stream_answer([*beginning(endless), *deltas(100_000), *ending(endless)]))
    try:
        answers = two.ask_all(key, body(output=100_000, stream=True), 2)
    finally:
        two.purse.stage.play(two.purse.whole)

    assert [200, 200] == [whole.head.status for whole in answers]
    for whole in answers:
        assert whole.complete
        assert b'"billing_error"' in whole.body[-400:]
        assert b"message_stop" not in whole.body
    cost = two.spent(name).cost_nano
    assert 0.17 <= cost / 1e9 <= 0.2 + 2 * 4096 * OUTPUT_NANO / 1e9
    assert cost == two.wait_settled(name)["billed"]


def test_a_stream_asks_for_more(two: Several) -> None:
    """What is enough is granted slice by slice, ahead of its use: a long answer passes whole."""
    key, name = two.key("1usd"), two.name()
    long = {"input_tokens": 20, "output_tokens": 20_000}
    two.purse.stage.play(lambda _: stream_answer([*beginning(long), *deltas(20_000), *ending(long)]))
    try:
        whole = two.ask(0, key, body(output=20_000, stream=True))
    finally:
        two.purse.stage.play(two.purse.whole)

    assert (200, True) == (whole.head.status, whole.complete)
    assert b"message_stop" in whole.body
    assert cost_nano(long) == two.spent(name).cost_nano == two.wait_settled(name)["billed"]


@pytest.mark.parametrize("cut", [Cut.FIN, Cut.RST], ids=["fin", "rst"])
def test_what_breaks_off_is_paid_and_given_back(two: Several, cut: Cut) -> None:
    """A stream that its upstream cuts is charged at what was seen, and holds nothing afterwards, anywhere."""
    key, name = two.key(TEN_USD), two.name()
    used = {"input_tokens": 20, "output_tokens": 100}
    two.purse.stage.play(lambda _: stream_answer([*beginning(used), *deltas(100), cut]))
    try:
        broken = [two.ask(place % 2, key, body(output=OUTPUT, stream=True)) for place in range(4)]
    finally:
        two.purse.stage.play(two.purse.whole)
    spent = two.spent(name).cost_nano

    assert [False] * 4 == [whole.complete for whole in broken]
    assert spent == two.wait_settled(name)["billed"]
    assert two.use_up(key, body(output=OUTPUT)) in served_of(51_000_000 - spent, ONE)


def test_upstream_errors_cost_nothing(two: Several) -> None:
    """What an upstream refuses is given back whole, every time."""
    key, name = two.key("0.0055usd"), two.name()
    two.purse.stage.play(error_answer(529, "overloaded_error", "busy"))
    try:
        for place in range(10):
            until(lambda: two.ask(place % 2, key, body(output=OUTPUT)).head.status == 529, "it is given back")  # noqa: B023
    finally:
        two.purse.stage.play(two.purse.whole)

    assert 0 == two.wait_settled(name)["billed"]
    assert 200 == two.ask(1, key, body(output=OUTPUT)).head.status


def test_a_new_budget_knows_what_was_spent(two: Several) -> None:
    """A budget for a key in use counts what every gateway has spent before, as the ledger has it."""
    key, name = two.key(), two.name()
    assert [200] * 4 == [two.ask(place % 2, key, body(output=OUTPUT)).head.status for place in range(4)]
    two.spent(name)
    two.purse.stage.gateway.cli("keys", "update", name, "--budget", TEN_USD + "/month")

    for place in (0, 1):
        until(lambda: b'"is_enabled":true' in two.get(place, key, USAGE).body, "the budget is in force")  # noqa: B023
    assert 6 == two.use_up(key, body(output=OUTPUT))
    assert 10 * ONE == two.spent(name).cost_nano == two.wait_settled(name)["billed"]


def test_a_lowered_budget_ends_what_runs_elsewhere(two: Several) -> None:
    """Within two seconds of a change at one gateway, a stream of the other that it no longer covers is ended."""
    key, name = two.key("1usd/day"), two.name()
    gate = Gate()
    used = {"input_tokens": 20, "output_tokens": OUTPUT}
    two.purse.stage.play(lambda _: stream_answer([*beginning(used), *deltas(50), gate]))
    try:
        with two.client(1) as client:
            client.ask(body(output=OUTPUT, stream=True), [("x-api-key", key)])
            assert 200 == client.read_head().status
            client.read_until(b"content_block_delta")
            two.gateways[0].cli("keys", "update", name, "--budget", "0.001usd/day")
            rest, complete = client.read_rest()
    finally:
        two.purse.stage.play(two.purse.whole)

    assert complete
    assert b'"billing_error"' in rest
    assert b"was used up while this answer was running" in rest


def test_the_gateways_own_budget(tmp_path: Path, valkey: ValkeyProcess) -> None:
    """A budget of the whole gateway is one for three of them, for all keys together; another installation on the
    same Valkey has nothing to do with it.
    """
    settings = f'budgets = ["{TEN_USD}/week"]\n'
    with postgres() as own, Several(tmp_path, own, valkey, count=3, settings=settings) as three:
        keys = [three.key() for _ in range(3)]
        served = sum(codes(three.ask_all(key, body(output=OUTPUT), 40))[200, ""] for key in keys)
        served += three.use_up(keys[0], body(output=OUTPUT))
        refused = three.ask(2, keys[1], body(output=OUTPUT))

        assert 10 == served
        assert "the budget of the gateway" in refused.error()[1]
        assert 10 * ONE == three.spent().cost_nano == sum(three.purse.billed)
