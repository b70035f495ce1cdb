"""What `serve` and `demo` do around a running gateway: start, tell, wait, end."""

import asyncio
import contextlib
import gc
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from clearway.cli.failures import Exit, Failure
from clearway.compose import Running, gateway
from clearway.config.load import Loaded, environment
from clearway.config.model import Config
from clearway.ledger.lock import AlreadyOwned
from clearway.server.listen import CannotListen, UnsafeBind
from clearway.server.memory import keep_some
from clearway.server.reload import pinned

_NEVER_HELD_S = 30.0
_LINGER_S = 2.0
_LOOK_S = 0.1


@contextlib.asynccontextmanager
async def started(
    config: Config, *, show_first_key: bool, reread: Callable[[], Loaded] | None = None
) -> AsyncIterator[Running]:
    """A gateway that accepts requests; drained and closed at the end. With `reread` it can be reloaded.

    Raises:
        Failure: It cannot be started; says what to do.
    """
    try:
        made = gateway(config, environment(), show_first_key=show_first_key, reread=reread)
        async with made as running, _accepting(running):
            yield running
    except AlreadyOwned as error:
        hint = "use that gateway, or give this one another data directory: clearway --data-dir DIR serve"
        raise Failure(str(error), hint, Exit.REFUSED) from None
    except UnsafeBind as error:
        raise Failure(str(error), code=Exit.CONFIG) from None
    except CannotListen as error:
        raise Failure(str(error), "choose another port: clearway serve --port 0", Exit.FAILED) from None


@contextlib.asynccontextmanager
async def _accepting(running: Running) -> AsyncIterator[None]:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(running.serving.run())
            await running.serving.accepting()
            _calm_collector()
            keep_some()
            try:
                yield
            finally:
                running.serving.stop()
    except BaseExceptionGroup as errors:
        raise _the_one_in(errors) from None


def _the_one_in(error: BaseException) -> BaseException:
    """What the command line can judge: one error, out of the groups of task groups around it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _calm_collector() -> None:
    """What was imported lives as long as the process: the garbage collector need not
    look through it again and again (measured: 8 % of the CPU of small requests). Nor is
    it collected first: that takes a tenth of a start, and frees less than 0.1 MB (measured).
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


async def serve_until_stopped(reread: Callable[[], Loaded], loaded: Loaded, *, as_json: bool, while_held: bool) -> None:
    """Run a gateway until a signal comes.

    Args:
        reread: Reads every layer of the settings again.
        loaded: What that said first.
        as_json: Tell that it is ready as a line of JSON.
        while_held: End when nobody needs it any more.
    """
    is_seen = not as_json and sys.stdout.isatty()
    async with started(loaded.config, show_first_key=is_seen, reread=pinned(reread, loaded)) as running:
        if as_json:
            line = msgspec.json.encode({"event": "ready", "url": running.url}).decode()
            print(line, flush=True)  # noqa: T201  # data for the program that started us
        else:
            _tell(running)
        if while_held:
            await _until_released(running)
        else:
            await running.serving.draining()


async def _until_released(running: Running) -> None:
    """Wait until whoever needed this gateway has left, and a moment more."""
    loop = asyncio.get_running_loop()
    since = loop.time()
    while running.serving.is_accepting:
        if running.holders.count or running.feed.open_exchanges:
            since = loop.time()
        if loop.time() - since > (_LINGER_S if running.holders.had_any else _NEVER_HELD_S):
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_S):
                await running.serving.draining()


def _tell(running: Running) -> None:
    """Say where it is and what to do next."""
    lines = [f"Clearway listens on {running.url}", ""]
    lines += [
        f"  {upstream.name} ({upstream.kind}): {_WHO_PAYS[upstream.kind]}" for upstream in running.config.upstreams
    ]
    lines += [
        "",
        f"  Claude Code with your own login:  ANTHROPIC_BASE_URL={running.url} claude",
        f"  or, without changing anything:    {program()} run -- claude",
        f"  watch what passes:                {program()} log --follow",
    ]
    if running.first_key is not None:
        lines += ["", "  The owner's key of this installation, shown only now:", f"    {running.first_key}"]
    print("\n".join(lines), flush=True)  # noqa: T201  # for the person who started us


def program() -> str:
    """How to call this program again: `make serve` starts one that no PATH finds."""
    own = Path(sys.argv[0])
    is_found = shutil.which("clearway", path=environment().get("PATH", ""))
    return str(own) if own.name == "clearway" and not is_found else "clearway"


_WHO_PAYS = {
    "anthropic": "spends this gateway's credential, for clients with a Clearway key",
    "passthrough": "passes each client's own login through, to the allowed hosts only",
    "replay": "answers from recordings",
    "sim": "a simulated model; nothing is spent",
}
