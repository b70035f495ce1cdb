"""Batches where two gateways share their counters: whichever reads the results, they are booked once."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from clearway.core.budget import parse_budget
from clearway.ledger.protocol import UsageQuery
from tests.gateway_process import GatewayProcess
from tests.limits.shared.several import until
from tests.objects.scene import MODEL, Scene, holding
from tests.relay.stage import CREDENTIAL, Books
from tests.relay.wire_client import VERSION, Client
from tests.services import Postgres, ServiceMissing, ValkeyProcess, postgres, require

BATCHES = "/v1/messages/batches"
FIELDS = ("billed", "tokens", "held_nano", "held_tokens")


@pytest.fixture
def services() -> Iterator[tuple[Postgres, ValkeyProcess]]:
    """A PostgreSQL and a Valkey of the test's own."""
    with ExitStack() as stack:
        try:
            yield stack.enter_context(postgres()), stack.enter_context(ValkeyProcess())
        except ServiceMissing as missing:
            require(missing)


def _get(gateway: GatewayProcess, key: str, target: str) -> int:
    with Client(gateway.url) as client:
        client.request("GET", target, [("x-api-key", key), VERSION])
        return client.read_whole().head.status


def _ask(gateway: GatewayProcess, key: str) -> int:
    message = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    with Client(gateway.url) as client:
        client.ask(msgspec.json.encode(message), [("x-api-key", key)])
        return client.read_whole().head.status


@pytest.mark.timeout(90)
def test_made_here_and_read_there(
    services: tuple[Postgres, ValkeyProcess], build_scene: Callable[..., Scene], tmp_path: Path
) -> None:
    """What a batch holds outlives its gateway and a loss of the counters; its results, read at the other, end it."""
    database, valkey = services
    (tmp_path / "password").write_text(valkey.server.password)
    limits = f'[limits]\nvalkey_url = "{valkey.server.url}"\nvalkey_password = {{ file = "{tmp_path / "password"}" }}\n'
    scene = build_scene(settings=f'[store]\nurl = "{database.url}"\n{limits}', upstreams=holding)
    other_home = tmp_path / "other"
    other_home.mkdir()
    config = (scene.gateway.home / "clearway.toml").read_text()
    key = scene.key(budgets=(parse_budget("5usd"),))

    def counted() -> list[int]:
        with valkey.client() as client:
            found = [client.hmget(name, FIELDS) for name in client.scan_iter("clearway:*:tally:*")]
        return [int(value or 0) for value in (found[0] if found else ["0"] * len(FIELDS))]

    until(lambda: _get(scene.gateway, key, BATCHES) == 200, "it is loaded")
    batch = scene.batch(key, 2)
    until(lambda: counted()[3] > 0, "it is held")
    held = counted()
    with GatewayProcess(other_home, config, environment={"UPSTREAM_CREDENTIAL": CREDENTIAL}) as other:
        scene.gateway.stop()
        assert held == counted()
        with valkey.client() as client:
            client.flushall()
        # Whoever asks first has the counters made again.
        until(lambda: _ask(other, key) == 200, "it is loaded")
        until(lambda: held[2:] == counted()[2:], "it is held", counted)
        assert 200 == _get(other, key, f"{BATCHES}/{batch}/results")
        books = Books(other.data_dir)
        books.wait_written()
        (spent,) = books.ledger.usage(UsageQuery(by=("total",)))
        until(lambda: counted()[:2] == [spent.cost_nano, spent.input_tokens + spent.output_tokens], "booked", counted)
        assert spent.exchanges > 1
        assert 200 == _get(other, key, f"{BATCHES}/{batch}/results")
        assert [0, 0] == counted()[2:]
