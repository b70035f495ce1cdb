"""Reading the configuration again, while everything runs.

All of it is read, checked and built beside what is in force, in threads; then it is put
in place at once, within one turn of the event loop. What came before ends with the parts
it began with, which are closed when nobody uses them any more. Where anything is wrong,
nothing changes, and the log says what. Decision 0017.
Made by compose; asked by SIGHUP (server/serving) and by the control socket.

Growth: one walk and its upstreams for each configuration that still has exchanges.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
import structlog

from clearway.config.changes import Reloaded, compare, put_in_force
from clearway.config.load import Loaded
from clearway.config.model import Config
from clearway.config.problems import ConfigError, Problem
from clearway.gateway.pipeline import Gateway
from clearway.gateway.wrong_keys import WrongKeys
from clearway.observe.logging import configure
from clearway.server.app import App
from clearway.server.body import BodyRoom
from clearway.server.load import Load
from clearway.server.serving import Serving
from clearway.upstreams.fleet import Fleet
from clearway.upstreams.health import Health
from clearway.upstreams.registry import Managed

log = structlog.get_logger()

_SETTLE_S = 0.1
_SETTLES = 50
"""So long a file must be left alone, and so often it is waited for."""

Walks = Callable[[Sequence[Managed]], Gateway]
"""Makes the walk of a configuration over its upstreams; cannot fail."""


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """What stands before the walk and lives as long as the process."""

    app: App
    load: Load
    room: BodyRoom
    serving: Serving


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind the walk and lives as long as the process."""

    fleet: Fleet
    health: Health
    wrong_keys: WrongKeys
    prepare: Callable[[Config], Walks]
    """Does all of a walk's making that can fail (ConfigError) or takes long; called in a thread."""


class InForce(msgspec.Struct, kw_only=True):
    """The newest configuration and what was made of it."""

    config: Config
    upstreams: Sequence[Managed]
    walk: Gateway


class Reload:
    """Puts other configurations in force, one after the other.

    Args:
        door: Is told of new bounds and names.
        behind: What new parts are made with.
        now: What is in force; changed in place.
        reread: Reads every layer again; raises ConfigError, or OSError.
    """

    def __init__(self, door: Door, behind: Behind, now: InForce, reread: Callable[[], Loaded]) -> None:
        self._door = door
        self._behind = behind
        self._now = now
        self._reread = reread
        self._older: set[Gateway] = set()
        """Walks whose exchanges are not over."""
        self._asked = asyncio.Event()
        self._waiting: list[asyncio.Future[Reloaded]] = []

    def hang_up(self) -> None:
        """Read it again, soon; several wishes at one moment are one."""
        self._asked.set()

    async def ask(self) -> Reloaded:
        """Read it again, and tell what came of it."""
        answer: asyncio.Future[Reloaded] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._asked.set()
        return await answer

    async def attend(self) -> None:
        """Do what is asked for, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._asked.wait()
                self._asked.clear()
                waiting, self._waiting = self._waiting, []
                came = await self._once(group)
                for answer in waiting:
                    if not answer.done():
                        answer.set_result(came)

    async def _once(self, group: asyncio.TaskGroup) -> Reloaded:
        try:
            came = await self._reload(group)
        except ConfigError as error:
            came = Reloaded(problems=error.problems)
        except Exception:  # the loop of reloads: whatever went wrong, the gateway goes on as it was
            log.exception("reload_failed")
            came = Reloaded(problems=(Problem("", "", "something went wrong here", "the gateway's log has more"),))
        _tell(came)
        return came

    async def _reload(self, group: asyncio.TaskGroup) -> Reloaded:
        if not self._door.serving.is_accepting:
            raise ConfigError(Problem("", "", "the gateway is ending"))
        loaded = await asyncio.to_thread(self._reread)
        before = self._now.config
        config = put_in_force(before, loaded.config)
        walks = await asyncio.to_thread(self._behind.prepare, config)
        cors = await asyncio.to_thread(self._door.app.cors_for, config.server.cors_origins)
        upstreams = await self._behind.fleet.build(config, self._now.upstreams)
        # Nothing waits from here on: a request sees all of the old or all of the new.
        configure(config.log)
        old = msgspec.structs.replace(self._now)
        self._now.config, self._now.upstreams, self._now.walk = config, upstreams, walks(upstreams)
        gone = [upstream.name for upstream in old.upstreams if upstream not in upstreams]
        self._older.add(old.walk)
        for walk in self._older:
            walk.ignore(gone)
        self._behind.health.adjust(config.retries.longest_cool_down_s, gone)
        self._adjust(config)
        self._door.app.adjust(config.server, cors)
        group.create_task(self._retire(old))
        rotated = self._behind.fleet.rotated(old.upstreams, upstreams)
        changes = (*compare(before, loaded.config), *rotated)
        return Reloaded(path=str(loaded.path) if loaded.path else None, changes=changes)

    def _adjust(self, config: Config) -> None:
        server, door = config.server, self._door
        door.load.adjust(self._now.walk, max_in_flight=server.max_in_flight, max_memory=server.max_memory)
        door.room.adjust(max_body=server.max_body, max_buffered=server.max_buffered, max_reading=server.max_reading)
        door.serving.adjust(drain_s=server.drain_s)
        self._behind.wrong_keys.adjust(server.wrong_keys_per_minute)

    async def _retire(self, old: InForce) -> None:
        await old.walk.idle()
        self._older.discard(old.walk)
        try:
            await self._behind.fleet.release(old.upstreams)
        except Exception:  # likewise: what cannot be closed is not worth the others
            log.exception("upstream_not_closed")


def pinned(reread: Callable[[], Loaded], first: Loaded) -> Callable[[], Loaded]:
    """`reread`, but a file that was read at first must be there still.

    Without it the search would go on to other places, and its settings would be gone
    because an editor was just writing it. Waits until nobody writes it: call it in a thread.
    """
    return partial(_reread, reread, first)


def _reread(reread: Callable[[], Loaded], first: Loaded) -> Loaded:
    for _ in range(_SETTLES):
        before = _signature(first.path)
        loaded, error = _try(reread)
        # A file that is being written is empty at first, or half of itself: valid, and not meant.
        time.sleep(_SETTLE_S)
        if before == _signature(first.path):
            break
    else:
        raise ConfigError(Problem(str(first.path), "", "is being written all the time", "wait until it is whole"))
    if loaded is None:
        raise error or ConfigError()
    if first.path is not None and loaded.path != first.path:
        found = "" if loaded.path is None else f", and {loaded.path} would be read instead"
        raise ConfigError(Problem(str(first.path), "", f"is not there any more{found}", "put it back, or restart"))
    return loaded


def _try(reread: Callable[[], Loaded]) -> tuple[Loaded | None, ConfigError | None]:
    try:
        return reread(), None
    except ConfigError as error:
        return None, error
    except OSError as error:
        return None, ConfigError(Problem(error.filename or "", "", f"cannot be read: {error.strerror}"))


def _signature(path: Path | None) -> tuple[int, ...]:
    """Is another one when the file was written to."""
    try:
        told = (path or Path()).stat()
    except OSError:
        return ()
    return told.st_ino, told.st_size, told.st_mtime_ns


def _tell(came: Reloaded) -> None:
    for problem in came.problems:
        log.warning("configuration_refused", problem=str(problem), hint=problem.hint or None)
    if came.problems:
        return
    done = [str(change) for change in came.changes if not change.needs_restart]
    log.info("configuration_reloaded", file=came.path, changes=done)
    for change in came.changes:
        if change.needs_restart:
            log.warning("restart_needed", setting=change.setting, change=str(change))
