"""kill -9 at random under load: nothing that was answered is missing, nothing counts twice, nothing runs for free."""

import random
from pathlib import Path

import pytest

from tests.chaos.filling import fill
from tests.chaos.killing import KillLoop
from tests.gateway_process import SIM, GatewayProcess
from tests.relay.stage import Books
from tests.relay.wire_client import Client, prompt

KILLS = 6
ROWS = 50_000
LEFT_OPEN = 700
NO_LONGER_S = 2.0
"""What a long ledger may add to a start; with a walk over its rows it would be far more for a million."""


@pytest.mark.timeout(240)
def test_killed_under_load(tmp_path: Path) -> None:
    """Each answered exchange is there, once; what ran is charged, but for its last seconds (goals A1, A2, A4)."""
    dice = random.Random()  # noqa: S311  # any moment will do

    figures = KillLoop(tmp_path, dice).run(KILLS, longest_s=1.6)

    assert KILLS == figures.kills
    assert [] == figures.lost
    assert [] == figures.doubled
    assert [] == figures.wrong
    assert figures.acknowledged > KILLS
    assert figures.swept > KILLS
    assert 0 < figures.swept_tokens <= figures.billed_tokens


@pytest.mark.timeout(180)
def test_long_ledger_starts_as_fast(tmp_path: Path) -> None:
    """With very many rows, some of them open, a gateway is ready as soon as with none; the open ones are swept."""
    gateway = GatewayProcess(tmp_path, SIM)
    with gateway:
        key = gateway.new_key("one")
        with Client(gateway.url) as client:
            client.ask(prompt(stream=False), [("x-api-key", key)])
            exchange_id = client.read_whole().head.exchange_id
        Books(gateway.data_dir).settled(exchange_id)
    short_s = gateway.start().ready_s
    gateway.kill()
    fill(gateway.data_dir, ROWS, left_open=LEFT_OPEN)

    with gateway:
        long_s = gateway.ready_s
        (total,) = gateway.usage("--by", "total")
        log = gateway.log

    assert long_s - short_s < NO_LONGER_S
    assert f'"exchanges": {LEFT_OPEN}' in log
    assert ROWS + 1 == total["exchanges"]
