"""More than a gateway takes on: exchanges, memory, connections. Scenarios for the table "Ourselves"."""

import contextlib
import time
from pathlib import Path

from tests.faults.scene import Scene, Seen
from tests.faults.table import ClientSees
from tests.relay.stage import wait_until
from tests.relay.wire_client import Client, prompt

IN_FLIGHT = 3
MEMORY = "[server]\nmax_memory = '150MB'\n"
BODY_BYTES = 12_000_000
BODIES = 12
"""Together more than `max_memory`; each less than what is thrown away of one that was refused."""
DESCRIPTORS = 80
CONNECTIONS = 8
"""What is left of so few descriptors for clients."""
_IDLE_S = 0.5
_FEW_TICKS = 0.1


def too_many_exchanges(home: Path) -> Seen:
    """`server.max_in_flight` streams run."""
    with Scene(home, settings=f"[server]\nmax_in_flight = {IN_FLIGHT}\n") as scene, contextlib.ExitStack() as stack:
        others = [stack.enter_context(scene.client()) for _ in range(IN_FLIGHT - 1)]
        for other in others:
            scene.begin(other)
        client, health = scene.ask_anew(), scene.health()
        runs = scene.run_to_the_end()
        return _over(scene, runs, client, health)


def too_much_memory(home: Path) -> Seen:
    """Long prompts are held, more than `server.max_memory`."""
    with Scene(home, settings=MEMORY) as scene, contextlib.ExitStack() as stack:
        for _ in range(BODIES):
            _begin_long(scene, stack.enter_context(scene.client()))
        wait_until(lambda: scene.health() == ("health 200", "ready 503"), "memory is short")
        client, health = scene.ask_anew(), scene.health()
        runs = scene.run_to_the_end()
        stack.close()
        return _over(scene, runs, client, health)


def _begin_long(scene: Scene, client: Client) -> None:
    """A stream that holds its long prompt; refused, once there is too much."""
    client.ask(prompt("x" * BODY_BYTES), [("x-api-key", scene.key)])
    client.read_head()


def too_many_connections(home: Path) -> Seen:
    """More connections than half of the descriptors that the system allows."""
    before = ("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}")
    with Scene(home, before=before) as scene, contextlib.ExitStack() as stack:
        # The stream has one of them.
        idle = [stack.enter_context(scene.client()) for _ in range(CONNECTIONS - 1)]
        for one in idle:
            one.request("GET", "/health")
            assert 200 == one.read_whole().head.status
        client, health = scene.ask_anew(), scene.health()
        rested = _cpu_s(scene) < _FEW_TICKS
        runs = scene.run_to_the_end()
        stack.close()
        return _over(scene, runs, client, health, *(["nothing spins"] if rested else []))


def _cpu_s(scene: Scene) -> float:
    """CPU seconds that the gateway takes while nobody asks for anything."""
    before = _taken_s(scene)
    # Nothing to wait for: that nothing happens is the point.
    time.sleep(_IDLE_S)
    return _taken_s(scene) - before


def _taken_s(scene: Scene) -> float:
    # proc(5): nanoseconds on a processor are the first field.
    tasks = Path(f"/proc/{scene.gateway.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _over(scene: Scene, runs: str, client: ClientSees, health: tuple[str, ...], *further: str) -> Seen:
    """It is over: others are served again."""
    scene.wait_ready()
    served = scene.ask().head.status == 200
    afterwards = ("served again without a restart" if served else "not served again", *further)
    return Seen(runs=runs, client=client, health=health, ledger=scene.row(), afterwards=afterwards)
