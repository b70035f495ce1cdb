"""A Valkey that is flushed, killed and stopped again and again while three gateways spend one budget."""

import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.limits.purse import OUTPUT_NANO, body
from tests.limits.shared.several import Several, until
from tests.services import Postgres, ValkeyProcess

CHAOS_S = 15.0
CLIENTS = 8
TOKENS = 200_000
MOST = 900
"""Tokens of an answer."""


def _ask_on(several: Several, key: str, seed: int, stop: threading.Event, seen: Counter[str]) -> None:
    dice = random.Random(seed)  # noqa: S311  # nothing secret
    while not stop.is_set():
        asked = body(output=dice.randrange(1, MOST), stream=dice.random() < 0.5)
        head = several.ask(dice.randrange(3), key, asked).head
        seen[head.header("x-clearway-error") or str(head.status)] += 1


def _trouble(valkey: ValkeyProcess, dice: random.Random) -> None:
    match dice.choice(["flush", "kill", "stop"]):
        case "flush":
            with valkey.client() as client:
                client.flushall()
        case "kill":
            valkey.kill()
            time.sleep(dice.uniform(0, 1.5))
            valkey.start()
        case _:
            valkey.signal(signal.SIGSTOP)
            time.sleep(dice.uniform(0.1, 1.5))
            valkey.signal(signal.SIGCONT)


@pytest.mark.timeout(120)
def test_whatever_happens_to_the_valkey(tmp_path: Path, database: Postgres) -> None:
    """The budget is never exceeded, it can be spent to its end, and at rest the counters, the ledger and the upstream's
    bill are the same to the nano-dollar, but for streams that were cut as nothing more could be held for them: of
    those nobody heard the bill. Nothing is held, and nothing counts as running.
    """
    dice = random.Random(20_261_127)  # noqa: S311  # the same every time
    stop, seen = threading.Event(), Counter[str]()
    with ValkeyProcess() as valkey, Several(tmp_path, database, valkey, count=3) as three:
        key, name = three.key(f"{TOKENS}tokens", parallel=20), three.name()
        clients = [threading.Thread(target=_ask_on, args=(three, key, seed, stop, seen)) for seed in range(CLIENTS)]
        for client in clients:
            client.start()
        until_s = time.monotonic() + CHAOS_S
        while time.monotonic() < until_s:
            time.sleep(dice.uniform(0.5, 2.5))
            _trouble(valkey, dice)
        stop.set()
        for client in clients:
            client.join()
        for number in range(3):
            until(lambda: three.ask(number, key, body(output=1)).head.status != 503, "it counts")  # noqa: B023
        three.use_up(key, body(output=1000))
        spent = three.spent(name)
        counted = three.wait_settled(name)
        with valkey.client() as client:
            (rates,) = client.scan_iter("clearway:*:rates:*")
            running = client.hget(rates, "running")

    assert seen["200"] > 50
    assert set(seen) <= {"200", "budget_exceeded", "limit_exceeded", "limits_unavailable"}
    tokens = spent.input_tokens + spent.output_tokens
    assert 0.95 * TOKENS <= tokens <= TOKENS
    assert (tokens, spent.cost_nano) == (counted["tokens"], counted["billed"])
    unheard = abs(sum(three.purse.billed) - spent.cost_nano)
    assert unheard <= spent.estimated * MOST * OUTPUT_NANO
    assert (0, "0") == (counted["held_tokens"], running)
