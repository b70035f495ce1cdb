"""Budgets hold, whatever runs at once, and can be used to their end."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from clearway.keys.model import KeySpec
from tests.fake_upstream import Cut, Gate, error_answer, stream_answer
from tests.limits.purse import INPUT_NANO, OUTPUT_NANO, Purse, beginning, body, cost_nano, deltas, ending, served_of
from tests.relay.stage import wait_until
from tests.relay.wire_client import Whole

pytestmark = pytest.mark.timeout(120)

OUTPUT = 1000
ONE = cost_nano({"input_tokens": 20, "output_tokens": OUTPUT})
"""What a request costs; what is held for it is a little more."""
TEN_USD = "0.051usd"
"""A budget for ten of them: what is held for the tenth fits, and not for an eleventh."""


def codes(answers: list[Whole]) -> Counter[tuple[int, str]]:
    """How many answers there are of each sort."""
    return Counter((whole.head.status, whole.head.header("x-clearway-error") or "") for whole in answers)


@pytest.fixture
def name(purse: Purse) -> str:
    """Of the key that the test makes next."""
    return f"key {len(purse.stage.books.ledger.list_keys(revoked=True)) + 1}"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("budget", [TEN_USD + "/day", "10400tokens/month"], ids=["usd", "tokens"])
def test_two_hundred_against_a_budget_for_ten(purse: Purse, name: str, budget: str, stream: bool) -> None:  # noqa: FBT001
    """Never more than ten are served, in money as in number; who comes back gets all ten; then it is over."""
    key = purse.key(budget)
    asked = body(output=OUTPUT, stream=stream)

    answers = purse.ask_all([key] * 200, asked)
    served = codes(answers)[200, ""]
    assert 1 <= served <= 10
    assert {(200, ""), (429, "limit_exceeded"), (429, "budget_exceeded")} >= codes(answers).keys()
    while (again := purse.ask(key, asked)).head.status == 200:
        served += 1

    assert 10 == served
    assert (429, "budget_exceeded") == (again.head.status, again.head.header("x-clearway-error"))
    spent = purse.spent(name)
    assert 10 * ONE == spent.cost_nano
    assert 0.95 * 51_000_000 <= spent.cost_nano <= 51_000_000


def test_a_held_budget_says_come_back(purse: Purse) -> None:
    """While others hold what is left, the refusal is no verdict: it may be tried again, soon."""
    key = purse.key("0.0055usd")
    gate = Gate()
    used = {"input_tokens": 20, "output_tokens": OUTPUT}
    purse.stage.play(lambda _: stream_answer([*beginning(used), gate, *ending(used)]))
    try:
        with purse.client() as client:
            client.ask(body(output=OUTPUT, stream=True), [("x-api-key", key)])
            assert 200 == client.read_head().status
            client.read_until(b"content_block_start")
            refused = purse.ask(key, body(output=OUTPUT))
            gate.open()
            assert client.read_rest()[1]
    finally:
        purse.stage.play(purse.whole)

    assert (429, "limit_exceeded") == (refused.head.status, refused.head.header("x-clearway-error"))
    assert "2" == refused.head.header("retry-after")
    assert refused.head.header("x-should-retry") is None
    assert "rate_limit_error" == refused.error()[0]
    assert "hold it" in refused.error()[1]


def test_a_spent_budget_says_until_when(purse: Purse) -> None:
    """The refusal that Claude Code prints: which budget, how much, until when, and all the fields it knows."""
    key = purse.key("0.006usd/day")
    assert 200 == purse.ask(key, body(output=OUTPUT)).head.status

    refused = purse.ask(key, body(output=OUTPUT))

    head, (kind, message) = refused.head, refused.error()
    assert (429, "budget_exceeded", "billing_error") == (head.status, head.header("x-clearway-error"), kind)
    assert "$0.006" in message
    assert "a day" in message
    assert "it begins anew at " in message
    assert "false" == head.header("x-should-retry")
    assert 0 < int(head.header("retry-after") or 0) <= 86_400
    unified = {
        field.removeprefix("anthropic-ratelimit-unified-"): value
        for field, value in head.headers
        if field.startswith("anthropic-ratelimit-unified-")
    }
    resets = unified.pop("reset")
    assert 0 == int(resets) % 86_400
    assert {
        "status": "rejected",
        "overage-reset": resets,
        "overage-utilization": "1",
        "overage-surpassed-threshold": "1",
        "overage-period": "daily",
        "overage-disabled-reason": "org_spend_cap_reached",
    } == unified


def test_a_budget_for_good_has_no_return(purse: Purse) -> None:
    """Without a period there is nothing to wait for."""
    key = purse.key("0.006usd")
    assert 200 == purse.ask(key, body(output=OUTPUT)).head.status

    head = purse.ask(key, body(output=OUTPUT)).head

    assert (429, None, "false") == (head.status, head.header("retry-after"), head.header("x-should-retry"))


def test_a_stream_ends_where_its_budget_does(purse: Purse, name: str) -> None:
    """What a stream may produce is held in slices; when no more can be held it ends with an error of the format.

    The upstream would go on for ever; what the client was given is within the budget.
    """
    key = purse.key("0.1usd")
    endless = {"input_tokens": 20, "output_tokens": 100_000}
    purse.stage.play(lambda _: stream_answer([*beginning(endless), *deltas(100_000), *ending(endless)]))
    try:
        whole = purse.ask(key, body(output=100_000, stream=True))
    finally:
        purse.stage.play(purse.whole)

    assert (200, True) == (whole.head.status, whole.complete)
    assert b"event: error\ndata: " in whole.body
    assert b'"billing_error"' in whole.body[-400:]
    assert b"message_stop" not in whole.body
    spent = purse.spent(name)
    # A slice is 4096 tokens: 0.02 USD.
    assert 0.08 <= spent.cost_nano / 1e9 <= 0.1 + 4096 * OUTPUT_NANO / 1e9


def test_a_stream_asks_for_more(purse: Purse, name: str) -> None:
    """What is enough is granted slice by slice: a long answer passes whole."""
    key = purse.key("1usd")
    long = {"input_tokens": 20, "output_tokens": 20_000}
    purse.stage.play(lambda _: stream_answer([*beginning(long), *deltas(20_000), *ending(long)]))
    try:
        whole = purse.ask(key, body(output=20_000, stream=True))
    finally:
        purse.stage.play(purse.whole)

    assert (200, True) == (whole.head.status, whole.complete)
    assert b"message_stop" in whole.body
    assert cost_nano(long) == purse.spent(name).cost_nano


@pytest.mark.parametrize("cut", [Cut.FIN, Cut.RST], ids=["fin", "rst"])
def test_what_breaks_off_is_paid_and_given_back(purse: Purse, name: str, cut: Cut) -> None:
    """A stream that its upstream cuts is charged at what was seen, and holds nothing afterwards."""
    key = purse.key(TEN_USD)
    used = {"input_tokens": 20, "output_tokens": 100}
    purse.stage.play(lambda _: stream_answer([*beginning(used), *deltas(100), cut]))
    try:
        broken = [purse.ask(key, body(output=OUTPUT, stream=True)) for _ in range(3)]
    finally:
        purse.stage.play(purse.whole)
    spent = purse.spent(name).cost_nano

    assert [False] * 3 == [whole.complete for whole in broken]
    # A reset takes along what was sent and not yet read.
    seen = 3 * (20 * INPUT_NANO + 100 * OUTPUT_NANO) if cut is Cut.FIN else 0
    assert seen <= spent <= 3 * ONE
    served = 0
    while purse.ask(key, body(output=OUTPUT)).head.status == 200:
        served += 1
    assert served in served_of(51_000_000 - spent, ONE)


def test_what_the_client_leaves_is_paid_and_given_back(purse: Purse, name: str) -> None:
    """Streams that a client leaves are charged at what was seen, and hold nothing afterwards."""
    key = purse.key("0.0055usd")
    gate = Gate()
    used = {"input_tokens": 20, "output_tokens": OUTPUT}
    purse.stage.play(lambda _: stream_answer([*beginning(used), *deltas(50), gate]))
    try:
        with purse.client() as client:
            client.ask(body(output=OUTPUT, stream=True), [("x-api-key", key)])
            assert 200 == client.read_head().status
            client.read_until(b"content_block_delta")
        purse.stage.books.wait_idle()
        gate.open()
    finally:
        purse.stage.play(purse.whole)

    assert 0 < purse.spent(name).cost_nano <= 20 * INPUT_NANO + 150 * OUTPUT_NANO
    assert 200 == purse.ask(key, body(output=700)).head.status


def test_upstream_errors_cost_nothing(purse: Purse, name: str) -> None:
    """What an upstream refuses is given back whole, every time."""
    key = purse.key("0.0055usd")
    purse.stage.play(error_answer(529, "overloaded_error", "busy"))
    try:
        assert [529] * 20 == [purse.ask(key, body(output=OUTPUT)).head.status for _ in range(20)]
    finally:
        purse.stage.play(purse.whole)

    assert 0 == purse.spent(name).cost_nano
    assert 200 == purse.ask(key, body(output=OUTPUT)).head.status


def test_after_a_restart(tmp_path: Path) -> None:
    """What was spent before a restart, and before `kill -9`, is spent."""
    with Purse(tmp_path) as purse:
        key = purse.key(TEN_USD)
        asked = body(output=OUTPUT)
        assert [200] * 4 == [purse.ask(key, asked).head.status for _ in range(4)]
        purse.stage.gateway.stop()
        purse.stage.gateway.start()
        assert [200] * 4 == [purse.ask(key, asked).head.status for _ in range(4)]
        purse.stage.books.wait_written()
        purse.stage.gateway.kill()
        purse.stage.gateway.start()

        assert [200, 200, 429] == [purse.ask(key, asked).head.status for _ in range(3)]
        assert 10 * ONE == purse.spent().cost_nano


def test_a_new_budget_knows_what_was_spent(purse: Purse, name: str) -> None:
    """A budget that is given to a key in use counts what was spent in its period before."""
    key = purse.key()
    asked = body(output=OUTPUT)
    assert [200] * 4 == [purse.ask(key, asked).head.status for _ in range(4)]
    purse.stage.gateway.cli("keys", "update", name, "--budget", TEN_USD + "/month")

    def is_known() -> bool:
        return purse.ask(key, body(output=9000)).head.status == 429

    wait_until(is_known, "the budget counts what was spent")
    assert [200] * 6 + [429] == [purse.ask(key, asked).head.status for _ in range(7)]


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Purse]:
    """A gateway with a budget for ten requests of all keys together."""
    with Purse(tmp_path_factory.mktemp("tight"), settings=f'[limits]\nbudgets = ["{TEN_USD}/week"]') as purse:
        yield purse


def test_the_gateways_own_budget(tight: Purse) -> None:
    """Keys without a budget share the gateway's; and so does a client that pays for itself."""
    keys = [tight.key() for _ in range(5)]
    asked = body(output=OUTPUT)
    served = codes(tight.ask_all(keys * 20, asked))[200, ""]
    while (again := tight.ask(keys[0], asked)).head.status == 200:
        served += 1

    assert 10 == served
    assert "the budget of the gateway" in again.error()[1]
    assert 10 * ONE == tight.spent().cost_nano
    own = tight.stage.ask("client", asked)
    assert (429, "budget_exceeded") == (own.head.status, own.head.header("x-clearway-error"))


def test_an_unknown_price_is_refused(purse: Purse) -> None:
    """A budget in USD cannot be kept without a price; one in tokens can."""
    asked = body(output=OUTPUT, model="claude-without-a-price")

    refused = purse.ask(purse.key("5usd/day"), asked)

    assert (403, "not_allowed") == (refused.head.status, refused.head.header("x-clearway-error"))
    assert "usage.prices" in refused.error()[1]
    assert 200 == purse.ask(purse.key("5000tokens/day"), asked).head.status


def test_counting_tokens_is_free(purse: Purse) -> None:
    """A key that has spent everything may still count; it may not ask."""
    key = purse.key("100tokens")
    assert 429 == purse.ask(key, body(output=OUTPUT)).head.status

    counted = [purse.ask(key, body(output=1), target="/v1/messages/count_tokens").head.status for _ in range(30)]

    assert [200] * 30 == counted


def test_claude_code_asks_how_much_is_used(purse: Purse) -> None:
    """`GET /api/oauth/usage` answers for a key with its budgets in cents; nobody upstream is asked."""
    key = purse.key("0.5usd/month", "0.01usd/day", "1Mtokens/day")
    assert 200 == purse.ask(key, body(output=OUTPUT)).head.status
    before = len(purse.stage.upstream.received)

    with purse.client() as client:
        client.request("GET", "/api/oauth/usage", [("authorization", f"Bearer {key}")])
        whole = client.read_whole()

    assert 200 == whole.head.status
    said = msgspec.json.decode(whole.body, type=dict[str, object])
    assert {"is_enabled": True, "monthly_limit": 1, "used_credits": 0, "utilization": 50, "currency": "USD"} == said[
        "extra_usage"
    ]
    limits = said["limits"]
    assert isinstance(limits, list)
    assert [("monthly", 1, False), ("daily", 50, True)] == [
        (limit["group"], limit["percent"], limit["is_active"]) for limit in limits
    ]
    assert all(limit["resets_at"].endswith("T00:00:00Z") for limit in limits)
    assert before == len(purse.stage.upstream.received)


def test_an_answer_tells_how_much_is_used(purse: Purse) -> None:
    """The fields by which Claude Code shows a budget, from three quarters on with a warning; none without a budget."""
    key = purse.key("0.0075usd/day")
    first, second = (purse.ask(key, body(output=400)).head for _ in range(2))
    prefix = "anthropic-ratelimit-unified-"

    assert ("allowed", "0.00", None) == tuple(
        first.header(prefix + name) for name in ("status", "overage-utilization", "overage-surpassed-threshold")
    )
    assert ("allowed", "0.27") == (second.header(prefix + "status"), second.header(prefix + "overage-utilization"))
    assert "overage" == second.header(prefix + "representative-claim")
    purse.ask(key, body(output=400))
    warned = purse.ask(key, body(output=50)).head
    assert ("allowed_warning", "0.75") == (
        warned.header(prefix + "overage-status"),
        warned.header(prefix + "overage-surpassed-threshold"),
    )
    free = purse.ask(purse.stage.books.new_key(KeySpec(name="free")), body(output=1)).head
    assert not [field for field, _ in free.headers if field.startswith("anthropic-ratelimit")]
