"""How a gateway ends: killed, told to, told twice. Scenarios for the table "Ourselves"."""

import signal
from pathlib import Path

from tests.faults.scene import Scene, Seen, is_whole
from tests.faults.table import ClientSees
from tests.relay.stage import wait_until


def killed(home: Path) -> Seen:
    """`kill -9`."""
    with Scene(home) as scene:
        scene.wait_noted()
        scene.gateway.kill()
        seen = (scene.was_cut(), scene.ask_anew(), scene.health())
        store = "the store is whole" if is_whole(scene.gateway.data_dir) else "the store is broken"
        scene.gateway.start()
        started = "the next start is ready" if scene.health() == ("health 200", "ready 200") else "not ready"
        return _seen(seen, scene, (started, store))


def told_to_end(home: Path) -> Seen:
    """SIGTERM."""
    with Scene(home) as scene:
        scene.send(signal.SIGTERM)
        wait_until(lambda: scene.health() == ("no answer",), "new connections are refused")
        client, health = scene.ask_anew(), scene.health()
        runs = scene.run_to_the_end()
        wait_until(scene.is_over, "the gateway has ended")
        afterwards = (f"exit {scene.gateway.stop()}",)
        scene.gateway.start()
        return _seen((runs, client, health), scene, afterwards)


def told_twice(home: Path) -> Seen:
    """SIGTERM again, before the stream is over."""
    with Scene(home) as scene:
        scene.send(signal.SIGTERM)
        wait_until(lambda: scene.health() == ("no answer",), "new connections are refused")
        client, health = scene.ask_anew(), scene.health()
        afterwards = (f"exit {scene.gateway.stop()}",)
        runs = scene.was_cut()
        scene.gateway.start()
        return _seen((runs, client, health), scene, afterwards)


def _seen(met: tuple[str, ClientSees, tuple[str, ...]], scene: Scene, afterwards: tuple[str, ...]) -> Seen:
    runs, client, health = met
    return Seen(runs=runs, client=client, health=health, ledger=scene.row(), afterwards=afterwards)
