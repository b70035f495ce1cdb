"""kill -9 at any moment: what was confirmed is there, what ran is charged."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from clearway.ledger import instances
from clearway.ledger.protocol import ExchangeRow
from clearway.ledger.store import Store
from tests.ledger.conftest import Place
from tests.ledger.stories import TestClock

KILLS = {"sqlite": 10, "postgresql": 4}


def write_until_killed(place: Place, after_s: float) -> list[list[str]]:
    """Facts that a writer confirmed before it was killed."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.ledger.killed_writer", place.url, str(place.data_dir)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, env={"PYTHONPATH": os.pathsep.join(sys.path)})
    with child:
        assert child.stdout is not None
        first = child.stdout.readline()
        killer = threading.Timer(after_s, child.send_signal, [signal.SIGKILL])
        killer.start()
        rest = child.stdout.read()
        killer.join()
    assert child.returncode == -signal.SIGKILL
    # The last line may have been cut by the kill.
    return [line.decode().split() for line in (first + rest).splitlines(keepends=True) if line.endswith(b"\n")]


def check(row: ExchangeRow, facts: dict[str, list[str]]) -> None:
    """One exchange against what was confirmed of it."""
    if "settled" in facts:
        assert row.outcome == "ok"
    elif row.outcome != "ok":
        assert row.outcome == "interrupted"
        assert row.ended_us is not None
        if "noted" in facts:
            assert row.output_tokens is not None
            assert row.output_tokens >= int(facts["noted"][0])
            assert row.cost_nano == 500


@pytest.mark.timeout(120)
def test_killed_at_any_moment(place: Place, open_store: Callable[[], Store], clock: TestClock) -> None:
    """After each kill every confirmed exchange is in the ledger, and the sweep charges what was noted."""
    open_store().close()
    for _ in range(KILLS["sqlite" if place.url == "sqlite" else "postgresql"]):
        confirmed: dict[str, dict[str, list[str]]] = {}
        after_s = random.uniform(0.0, 0.3)  # noqa: S311 any moment will do
        for what, exchange_id, *numbers in write_until_killed(place, after_s):
            confirmed.setdefault(exchange_id, {})[what] = numbers

        assert confirmed
        # Opened anew, so that SQLite has to recover from the journal alone.
        store = open_store()
        with store.database.writing() as connection:
            instances.sweep(connection, me="me", now_us=clock.us, alone=True)
            if store.database.file is not None:
                assert connection.exec_driver_sql("PRAGMA quick_check").scalar() == "ok"
        for exchange_id, facts in confirmed.items():
            check(store.exchange(exchange_id).exchange, facts)
        store.close()
