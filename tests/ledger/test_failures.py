"""A database that cannot be written: nothing is lost, nothing is hidden, it heals by itself."""

import asyncio
import os
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from clearway.core.ids import IdMaker
from clearway.ledger.protocol import ExchangeQuery
from clearway.ledger.store import Store
from clearway.ledger.writer import Writer
from tests.ledger.conftest import new_schema
from tests.ledger.stories import Story, TestClock, instance, new_ids, tell, until
from tests.services import postgres

Trouble = Callable[[Store], AbstractContextManager[None]]


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Another program holds SQLite's write lock."""
    assert store.database.file is not None
    with closing(sqlite3.connect(store.database.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def no_growth(store: Store) -> Iterator[None]:
    """No file of this process can grow: as a full disk, without needing one."""
    assert store.database.file is not None
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    journal = store.database.file.with_name("ledger.db-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def full_disk(store: Store) -> Iterator[None]:
    """The file system has no byte left."""
    assert store.database.file is not None
    ballast = store.database.file.with_name("ballast")
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            pass
    yield
    ballast.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB in memory."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    environment = {"PATH": "/usr/bin:/bin"}
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True, env=environment).returncode:
        pytest.skip("no right to make a small disk here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True, env=environment)


async def check(store: Store, clock: TestClock, trouble: Trouble) -> None:
    """Through trouble and out of it again."""
    ids = new_ids(6)
    async with Writer(store, instance(), clock=clock) as writer:
        assert await writer.committed(tell(writer, Story(ids[0])))

        with trouble(store):
            place = tell(writer, Story(ids[1]))
            running = Story(ids[2])
            writer.admit(running.admission)

            assert not await writer.committed(place)
            assert not writer.healthy

            # What runs is told to its end, and what came meanwhile waits in order.
            writer.begin(running.start)
            writer.end(running.end)
            writer.settle(running.settlement)
            for one in ids[3:]:
                tell(writer, Story(one))
            assert ids[0] == store.exchanges(ExchangeQuery(limit=1))[0].id

        assert await writer.flush()
        assert writer.healthy
        assert writer.refused == 0

    kept = store.exchanges(ExchangeQuery())
    assert ids[::-1] == [row.id for row in kept]
    assert {row.outcome for row in kept} == {"ok"}
    with store.database.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA quick_check").scalar() == "ok"


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
@pytest.mark.parametrize("trouble", [locked, no_growth])
async def test_trouble(store: Store, clock: TestClock, trouble: Trouble) -> None:
    """A locked file and a limit on files: refused meanwhile, complete afterwards."""
    await check(store, clock, trouble)


async def test_full_disk(small_disk: Path, clock: TestClock) -> None:
    """A disk without a byte left: refused meanwhile, complete afterwards, reading works throughout."""
    with Store.open("sqlite", small_disk / "data", clock=clock, ids=IdMaker(clock)) as store:
        await check(store, clock, full_disk)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_closing_in_trouble_says_what_is_lost(
    store: Store, clock: TestClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Closing does not wait for ever; what could not be written is counted in the log."""
    writer = Writer(store, instance(), clock=clock)
    writer.start(asyncio.get_running_loop())
    with locked(store):
        for one in new_ids(3):
            tell(writer, Story(one))

        assert not await writer.close(timeout_s=0.2)

    told = capsys.readouterr().out
    assert "exchanges_not_recorded" in told
    assert "exchanges=3" in told


@pytest.mark.timeout(60)
async def test_server_restarts(tmp_path: Path, clock: TestClock) -> None:
    """PostgreSQL dies and comes back: what was told meanwhile is written once."""
    with postgres() as server:
        place = new_schema(server, tmp_path)
        with Store.open(place.url, place.data_dir, clock=clock, ids=IdMaker(clock)) as store:
            ids = new_ids(3)
            async with Writer(store, instance(), clock=clock) as writer:
                assert await writer.committed(tell(writer, Story(ids[0])))
                await asyncio.to_thread(server.stop)
                tell(writer, Story(ids[1]))
                await until(lambda: not writer.healthy)
                tell(writer, Story(ids[2]))
                await asyncio.to_thread(server.start)

                assert await writer.flush()
                assert writer.healthy

            assert ids[::-1] == [row.id for row in store.exchanges(ExchangeQuery())]
