"""One budget over several gateways holds, whatever runs at once, and can be used to its end."""

import pytest

from tests.limits.purse import body
from tests.limits.shared.several import Several
from tests.limits.test_budgets import ONE, OUTPUT, TEN_USD, codes

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("budget", [TEN_USD + "/day", "10400tokens/month"], ids=["usd", "tokens"])
def test_two_hundred_against_a_budget_for_ten(two: Several, budget: str, stream: bool) -> None:  # noqa: FBT001
    """Never more than ten are served over all gateways; who comes back gets all ten; then it is over, at both."""
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
