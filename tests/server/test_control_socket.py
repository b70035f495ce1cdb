"""The control socket: for its owner alone, and gone afterwards."""

import asyncio
import contextlib
import stat
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from clearway.core.clock import SystemClock
from clearway.core.ids import IdMaker
from clearway.ledger.instances import Instance
from clearway.ledger.protocol import ExchangeQuery
from clearway.ledger.store import Store
from clearway.ledger.writer import Writer
from clearway.observe.feed import LiveFeed
from clearway.observe.protocol import Status
from clearway.server.control import control_app
from clearway.server.holders import Holders
from clearway.server.listen import listen_control, remove_control
from tests.ledger.stories import Story, tell


@pytest.mark.parametrize("deep", [1, 40], ids=["beside-the-ledger", "too-long-a-path-for-a-socket"])
def test_made_and_removed(tmp_path: Path, deep: int) -> None:
    """Mode 0600, in a place that only its owner enters; nothing is left behind."""
    data_dir = tmp_path.joinpath(*["folder"] * deep)
    data_dir.mkdir(parents=True, mode=0o700)
    sock, path = listen_control(data_dir)
    with contextlib.closing(sock):
        modes = (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode))
    parent = path.parent
    remove_control(path, data_dir)

    assert modes[0] == 0o600
    assert deep == 1 or modes[1] == 0o700
    assert not path.exists()
    assert parent.exists() == (parent == data_dir)


async def test_nothing_falls_between_ledger_and_feed(tmp_path: Path) -> None:
    """When a reader is told that it is subscribed, the ledger has all that the feed told others before."""
    clock = SystemClock()
    status = Status(pid=1, url="", version="", instance_id="me", started_us=0)
    found: list[str] = []
    asked = {"type": "http", "method": "GET", "path": "/feed", "headers": [], "query_string": b"", "root_path": ""}
    with Store.open("sqlite", tmp_path / "data", clock=clock, ids=IdMaker(clock)) as store:
        async with Writer(store, Instance(id="me", version="", pid=1), clock=clock) as writer:

            async def send(message: MutableMapping[str, Any]) -> None:
                if message.get("body") == b"\n":
                    found.extend(str(row.outcome) for row in store.exchanges(ExchangeQuery()))
                    gone.set()

            async def receive() -> MutableMapping[str, Any]:
                await gone.wait()
                return {"type": "http.disconnect"}

            gone = asyncio.Event()
            tell(writer, Story("0" * 32))
            await control_app(store, LiveFeed(), Holders(), lambda: status, writer.flush)(asked, receive, send)

    assert ["ok"] == found
