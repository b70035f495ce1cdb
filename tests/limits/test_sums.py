"""What the upstream billed, what ledger, admin API and metrics tell and what the budgets count are the same, to
the nano-dollar.
"""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clearway.keys.model import KeySpec
from clearway.ledger.protocol import ExchangeQuery, UsageQuery
from tests.admin.door import with_key
from tests.fake_upstream import Answer, Received, error_answer
from tests.limits.purse import Purse, body, cost_nano
from tests.observe.scraped import scrape
from tests.relay.wire_client import Whole

EXCHANGES = 3000
COST_BY_KEY = "clearway_key_cost_nanodollars_total"
KEYS = ("100usd/day", "3usd/month", "2000000tokens/week", "0.2usd")


@pytest.mark.timeout(240)
def test_three_thousand_exchanges(tmp_path: Path) -> None:  # noqa: PLR0915  # one scene, seen from all sides
    """Keys with budgets of every kind, some of them spent on the way; answers plain and as streams, large and small,
    one in ten refused by the upstream: all of them agree, and nothing stays held.
    """
    dice = random.Random(20_261_127)  # noqa: S311  # the same every time
    refused = {number for number in range(EXCHANGES) if dice.random() < 0.1}
    with Purse(tmp_path, settings='[limits]\nbudgets = ["200usd/month", "90Mtokens/month"]') as purse:
        keys = [purse.key(budget) for budget in KEYS]
        whole = purse.whole

        def play(received: Received) -> Answer:
            number = int(received.header("x-number") or 0)
            return error_answer(529, "overloaded_error", "busy") if number in refused else whole(received)

        purse.stage.play(play)
        wanted = [(dice.choice(keys), dice.randrange(1, 400), dice.random() < 0.3) for _ in range(EXCHANGES)]

        def one(number: int) -> Whole:
            key, output, stream = wanted[number]
            return purse.ask(key, body(output=output, stream=stream), ("x-number", str(number)))

        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(one, range(EXCHANGES)))
        purse.stage.books.wait_written()
        usage = purse.stage.books.ledger.usage(UsageQuery(by=("key",)))
        rows = purse.stage.books.ledger.exchanges(ExchangeQuery(limit=EXCHANGES))
        budgets = purse.stage.books.status().budgets
        metrics = scrape(purse.stage.gateway.url)
        owner = purse.stage.books.new_key(KeySpec(name="owner of all", owner=True))
        told = with_key(purse.stage.gateway, owner).ask("GET", "/admin/api/usage?by=key").json

    seen = Counter(whole.head.status for whole in answers)
    assert {200, 429, 529} == seen.keys()
    assert len(purse.billed) == seen[200]
    # A stream that its budget ended is charged at what was seen; the upstream bills what it would have said.
    ended = {whole.head.exchange_id for whole in answers if b"billing_error" in whole.body and whole.head.status == 200}
    costs = {row.id: row.cost_nano or 0 for row in rows}
    assert EXCHANGES == len(costs) == sum(row.exchanges for row in usage)
    whole_ones = [number for number, whole in enumerate(answers) if whole.head.status == 200]
    expected_cost = sum(
        cost_nano({"input_tokens": 20, "output_tokens": wanted[number][1]})
        for number in whole_ones
        if answers[number].head.exchange_id not in ended
    )
    assert expected_cost == sum(cost for exchange_id, cost in costs.items() if exchange_id not in ended)
    assert sum(costs.values()) == sum(row.cost_nano for row in usage) <= sum(purse.billed)
    by_name = {row.group["key"]: row for row in usage}
    names = [f"key {place + 1}" for place in range(len(keys))]
    tokens = {name: row.input_tokens + row.output_tokens for name, row in by_name.items()}
    expected = [
        sum(row.cost_nano for row in usage),
        sum(tokens.values()),
        by_name[names[0]].cost_nano,
        by_name[names[1]].cost_nano,
        tokens[names[2]],
        by_name[names[3]].cost_nano,
    ]
    assert expected == [budget.spent for budget in budgets]
    costs_by_key = {name: row.cost_nano for name, row in by_name.items()}
    assert costs_by_key == {row["group"]["key"]: row["cost_nano"] for row in told["usage"]}
    assert costs_by_key == {name: cost for (name,), cost in metrics.sums(COST_BY_KEY, "key").items()}
    assert sum(costs.values()) == metrics.total("clearway_cost_nanodollars_total")
    spent_of = metrics.sums("clearway_budget_spent_nanodollars", "key")
    assert {("",): expected[0], **{(name,): costs_by_key[name] for name in names if name != names[2]}} == spent_of
    assert [0] * 6 == [budget.held for budget in budgets]
    assert by_name[names[3]].cost_nano <= 200_000_000
