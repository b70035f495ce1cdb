"""What can happen to the ledger's store under a running gateway. Scenarios for the table "Ourselves"."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.chaos.disk import fill_up, small_disk
from tests.faults.scene import Scene, Seen, is_whole, locked
from tests.relay.stage import wait_until
from tests.services import Postgres, ServiceMissing, postgres, require


def disk_full(home: Path) -> Seen:
    """The data directory's file system has no room left, and has again."""
    data_dir = home / "data"
    with small_disk(data_dir):
        with Scene(home) as scene:
            scene.wait_noted()
            ballast = data_dir / "ballast"
            fill_up(ballast)
            seen = _trouble(scene, ballast.unlink)
        whole = is_whole(data_dir)
    return _with(seen, "the store is whole" if whole else "the store is broken")


def database_locked(home: Path) -> Seen:
    """Another process holds the database's lock, and lets go of it."""
    with Scene(home) as scene:
        scene.wait_noted()
        with contextlib.ExitStack() as lock:
            lock.enter_context(locked(scene.gateway.data_dir))
            seen = _trouble(scene, lock.close)
    return _with(seen, "the store is whole" if is_whole(scene.gateway.data_dir) else "the store is broken")


def server_restarted(home: Path) -> Seen:
    """PostgreSQL crashes, and comes back."""
    with _server() as server, _on(server, home) as scene:
        scene.ask()
        server.stop("immediate")
        return _trouble(scene, server.start)


def server_read_only(home: Path) -> Seen:
    """PostgreSQL takes no writes, as after a fail-over, and takes them again."""
    with _server() as server, _on(server, home) as scene:
        scene.wait_noted()
        _set_read_only(server, "on")
        return _trouble(scene, lambda: _set_read_only(server, "off"))


def _trouble(scene: Scene, mend: Callable[[], object]) -> Seen:
    """The store cannot be written from now on, until it is mended; the stream goes on meanwhile."""
    scene.wait_refused()
    client, health = scene.ask_anew(), scene.health()
    runs = scene.run_to_the_end()
    mend()
    scene.wait_ready()
    served = scene.ask().head.status == 200
    afterwards = (
        "served again without a restart" if served else "not served again",
        "nothing is lost" if scene.nothing_lost() else "something is lost",
    )
    return Seen(runs=runs, client=client, health=health, ledger=scene.row(), afterwards=afterwards)


def _with(seen: Seen, further: str) -> Seen:
    return Seen(
        runs=seen.runs,
        client=seen.client,
        health=seen.health,
        ledger=seen.ledger,
        afterwards=(*seen.afterwards, further),
    )


@contextlib.contextmanager
def _server() -> Iterator[Postgres]:
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(postgres())
        except ServiceMissing as missing:
            require(missing)
            raise
        yield server


def _on(server: Postgres, home: Path) -> Scene:
    return Scene(home, settings=f'[store]\nurl = "{server.url}"\n')


def _set_read_only(server: Postgres, value: str) -> None:
    engine = create_engine(server.url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"ALTER SYSTEM SET default_transaction_read_only = {value}"))
            connection.execute(text("SELECT pg_reload_conf()"))
        wait_until(lambda: _read_only(server) == value, f"default_transaction_read_only is {value}")
    finally:
        engine.dispose()


def _read_only(server: Postgres) -> str:
    engine = create_engine(server.url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        with engine.connect() as connection:
            return str(connection.execute(text("SHOW default_transaction_read_only")).scalar())
    finally:
        engine.dispose()
