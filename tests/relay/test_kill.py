"""The process is killed: what was seen is charged after the restart, and what a client got whole is there."""

import random
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.clients.answers import USAGE, events
from tests.fake_upstream import Gate, stream_answer
from tests.gateway_process import SIM, GatewayProcess
from tests.relay.stage import Books, Stage, wait_until
from tests.relay.wire_client import MODEL, PATIENCE_S, Client, prompt

SAID = events("killed in the middle", MODEL)
ROUNDS = 10


def _has_progress(data_dir: Path, exchange_id: str) -> bool:
    """The journal has noted what the open attempt used so far."""
    with closing(sqlite3.connect(f"file:{data_dir / 'ledger.db'}?mode=ro", uri=True)) as ledger:
        found = ledger.execute(
            "SELECT input_tokens FROM attempts WHERE exchange_id = ? AND input_tokens IS NOT NULL", [exchange_id]
        ).fetchone()
    return found is not None


def test_killed_within_a_stream(build_stage: Callable[[], Stage]) -> None:
    """After the restart the exchange is `interrupted`, and charged at what was seen when it began."""
    stage = build_stage()
    stage.play(stream_answer([*SAID[:5], Gate()]))

    with stage.client() as client:
        client.ask(prompt(), [stage.key_field])
        exchange_id = client.read_head().exchange_id
        client.read_until(SAID[4])
        wait_until(lambda: _has_progress(stage.gateway.data_dir, exchange_id), "the journal has its progress")
        stage.gateway.kill()

        assert not client.read_rest()[1]

    stage.upstream.wait_left()
    stage.gateway.start()
    row = stage.books.settled(exchange_id)
    assert ("interrupted", True, USAGE["input_tokens"]) == (row.outcome, row.estimated, row.input_tokens)
    assert row.cost_nano
    (attempt,) = stage.books.attempts(exchange_id)
    assert ("interrupted", row.cost_nano) == (attempt.outcome, attempt.cost_nano)
    assert '"outcome": "interrupted"' in stage.gateway.log
    assert '"exchanges": 1' in stage.gateway.log


class _Caller(threading.Thread):
    """Asks again and again until the gateway is gone, and remembers what came whole."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[str] = []
        self._url = url
        self._key = key

    def run(self) -> None:
        """Until the connection fails."""
        stream = True
        while True:
            try:
                with Client(self._url) as client:
                    client.ask(prompt(stream=stream), [("x-api-key", self._key)])
                    whole = client.read_whole()
            except (ConnectionError, AssertionError):
                return
            if not whole.complete:
                return
            assert 200 == whole.head.status
            self.acknowledged.append(whole.head.exchange_id)
            stream = not stream


@pytest.mark.timeout(90)
def test_acknowledged_is_kept(tmp_path: Path) -> None:
    """Ten kills at random moments: each exchange that a client received whole is in the ledger."""
    dice = random.Random(4)  # noqa: S311  # moments, not secrets
    received = 0
    with GatewayProcess(tmp_path, SIM) as gateway:
        key = gateway.new_key("caller")
        for _ in range(ROUNDS):
            acknowledged = _ask_until_killed(gateway, key, dice.randint(1, 60))
            gateway.start()
            received += len(acknowledged)

            outcomes = _outcomes(gateway.data_dir)

            assert acknowledged <= set(outcomes)
            # What settled in the last moments may be swept; it is there, and it is told.
            assert {"ok", "interrupted"} >= {outcomes[one] for one in acknowledged}
            assert None not in outcomes.values()
        assert Books(gateway.data_dir).status().healthy

    assert received >= ROUNDS


def _ask_until_killed(gateway: GatewayProcess, key: str, wanted: int) -> set[str]:
    """Kill the gateway once `wanted` answers came whole; returns all that did."""
    callers = [_Caller(gateway.url, key) for _ in range(3)]
    for caller in callers:
        caller.start()
    wait_until(lambda: sum(len(caller.acknowledged) for caller in callers) >= wanted, "enough came whole")
    gateway.kill()
    for caller in callers:
        caller.join(PATIENCE_S)
    return {one for caller in callers for one in caller.acknowledged}


def _outcomes(data_dir: Path) -> dict[str, str | None]:
    with closing(sqlite3.connect(f"file:{data_dir / 'ledger.db'}?mode=ro", uri=True)) as ledger:
        return dict(ledger.execute("SELECT id, outcome FROM exchanges").fetchall())
