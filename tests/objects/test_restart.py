"""What a batch holds of budgets outlives the process: to the nano-dollar, until its results tell the truth."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from clearway.core.budget import parse_budget
from clearway.observe.protocol import Counted
from tests.objects.scene import Scene, holding

pytestmark = pytest.mark.timeout(60)

BATCHES = "/v1/messages/batches"
GATEWAY = '[limits]\nbudgets = ["50usd/total", "10Mtokens/month"]\n'


def counted(scene: Scene) -> dict[tuple[bool, str], tuple[int, int]]:
    """What is spent and held of the gateway's budgets and the key's, once nothing runs."""
    scene.books.wait_written()
    states: list[Counted] = list(scene.books.status().budgets)
    return {(state.key_id is None, state.budget): (state.spent, state.held) for state in states}


def test_killed_after_the_charge_was_written(build_scene: Callable[..., Scene]) -> None:
    """The process ends between the charge and the note of it: nothing is held any more, and nothing counted twice."""
    scene = build_scene(settings=GATEWAY, upstreams=holding)
    key = scene.key(budgets=(parse_budget("9usd/total"),))
    batch = scene.batch(key, 3)
    scene.ask(key, "GET", f"{BATCHES}/{batch}/results")
    charged = counted(scene)
    scene.gateway.kill()
    with closing(sqlite3.connect(scene.gateway.data_dir / "ledger.db")) as database:
        assert 1 == database.execute("UPDATE objects SET charged_us = NULL").rowcount
        database.commit()
    scene.gateway.start()
    after = counted(scene)
    scene.ask(key, "GET", f"{BATCHES}/{batch}/results")

    assert {0} == {held for _, held in charged.values()}
    assert charged == after == counted(scene)
    assert 1 == len(scene.charges(key))


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_budgets_are_the_same_after_a_restart(build_scene: Callable[..., Scene], how: str) -> None:
    """What was spent and what is held: of money and tokens, by period, of the key and of the gateway; and it
    still holds where it would not be let in again. Settled, all agrees with the ledger.
    """
    scene = build_scene(settings=GATEWAY, upstreams=holding)
    key = scene.key(budgets=tuple(map(parse_budget, ("5usd/day", "1Mtokens/week", "9usd/total"))))
    read, running, more = scene.batch(key, 2), scene.batch(key, 3, ended=False), scene.batch(key, 2)
    scene.ask(key, "GET", f"{BATCHES}/{read}/results")
    lowered = ("0.0001usd/day", "1Mtokens/week", "9usd/total")
    scene.gateway.cli("keys", "update", "key-1", "--input-tpm", "10", *(f"--budget={each}" for each in lowered))
    before = counted(scene)
    assert all(spent > 0 and held > 0 for spent, held in before.values()), before
    getattr(scene.gateway, how)()
    scene.gateway.start()

    assert before == counted(scene)

    for batch in (running, more):
        scene.workspace.batches[batch].ended = True
        scene.ask(key, "GET", f"{BATCHES}/{batch}/results")
    after = counted(scene)
    nano = sum(row.cost_nano or 0 for row in scene.charges(key))
    tokens = sum((row.input_tokens or 0) + (row.output_tokens or 0) for row in scene.charges(key))
    for (_, budget), state in after.items():
        assert (nano if "usd" in budget else tokens, 0) == state
    scene.gateway.stop()
    scene.gateway.start()
    assert after == counted(scene)
