"""PostgreSQL crashes under load, again and again: nothing that was answered is missing or counts twice (goal V7)."""

import threading
import uuid
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from clearway.keys.model import KeySpec
from clearway.ledger.protocol import ExchangeQuery
from tests.chaos.billing import INPUT, BillingUpstream, Plan
from tests.gateway_process import GatewayProcess, anthropic
from tests.relay.stage import CREDENTIAL, Books, wait_until
from tests.relay.wire_client import PATIENCE_S, Client
from tests.services import Postgres, ServiceMissing, postgres, require

CRASHES = 2
CALLERS = (Plan(tokens=40, gap_s=0.01, stream=False),) * 3 + (Plan(tokens=10, gap_s=0.02, stream=True),) * 3
_BACK_OFF_S = 0.05


class _Caller(threading.Thread):
    """Asks again and again until it is told to stop; waits a little where it is refused."""

    def __init__(self, url: str, key: str, plan: Plan) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.broken = 0
        self.is_enough = threading.Event()
        self._url = url
        self._key = key
        self._plan = plan

    def run(self) -> None:
        """Until it is enough."""
        with Client(self._url) as client:
            while not self.is_enough.is_set():
                fields = [("x-api-key", self._key), ("x-client-request-id", str(uuid.uuid4()))]
                client.ask(self._plan.body(), fields)
                whole = client.read_whole()
                self.statuses[whole.head.status] += 1
                if whole.head.status != 200:
                    self.is_enough.wait(_BACK_OFF_S)
                elif whole.complete:
                    self.acknowledged.append(whole.head.exchange_id)
                else:
                    self.broken += 1


@pytest.mark.timeout(120)
def test_crashes_under_load(tmp_path: Path) -> None:
    """Answers never break off; who asks meanwhile is answered or told 503; each answer is charged once and whole."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres())
        except ServiceMissing as missing:
            require(missing)
            raise
        upstream = stack.enter_context(BillingUpstream())
        config = f'[store]\nurl = "{server.url}"\n' + anthropic(upstream.url)
        gateway = stack.enter_context(GatewayProcess(tmp_path, config, environment={"UPSTREAM_CREDENTIAL": CREDENTIAL}))
        books = Books(gateway.data_dir)
        key = books.new_key(KeySpec(name="crowd"))
        callers = [_Caller(gateway.url, key, plan) for plan in CALLERS]
        for caller in callers:
            caller.start()
        for _ in range(CRASHES):
            _crash(server, callers)
        for caller in callers:
            caller.is_enough.set()
            caller.join(PATIENCE_S)
        wait_until(lambda: books.status().healthy, "the ledger can be written")
        books.wait_idle()
        acknowledged = {one for caller in callers for one in caller.acknowledged}
        wait_until(lambda: acknowledged <= _settled(books).keys(), "all that was answered is in the ledger")
        recorded = _settled(books)

    assert {200, 503} >= {status for caller in callers for status in caller.statuses}
    assert [0] * len(callers) == [caller.broken for caller in callers]
    assert {"ok"} == {recorded[one][0] for one in acknowledged}
    assert sum(bill.total for bill in upstream.bills) == sum(tokens for _, tokens in recorded.values())
    assert len(acknowledged) > len(CALLERS) * CRASHES
    assert INPUT + 40 in {tokens for _, tokens in recorded.values()}


def _crash(server: Postgres, callers: list[_Caller]) -> None:
    """Under way before, refused meanwhile, answered again afterwards."""
    _wait_for(callers, 200)
    server.stop("immediate")
    _wait_for(callers, 503)
    server.start()
    _wait_for(callers, 200)


def _wait_for(callers: list[_Caller], status: int) -> None:
    before = [caller.statuses[status] for caller in callers]

    def heard() -> bool:
        return all(caller.statuses[status] > count for caller, count in zip(callers, before, strict=True))

    wait_until(heard, f"each caller hears {status}")


def _settled(books: Books) -> dict[str, tuple[str, int]]:
    """Outcome and tokens of each exchange that is over."""
    rows = books.ledger.exchanges(ExchangeQuery(limit=100_000))
    return {row.id: (row.outcome, (row.input_tokens or 0) + (row.output_tokens or 0)) for row in rows if row.outcome}
