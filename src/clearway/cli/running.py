"""Running one command through a gateway: find or start it, hold it, tell the account."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from clearway.cli import codex
from clearway.cli.access import find_owner
from clearway.cli.account import tell_account
from clearway.cli.child import run_child
from clearway.cli.failures import Exit, Failure
from clearway.cli.remote import RemoteLedger, Unreachable, hold_gateway
from clearway.config.load import Loaded, environment
from clearway.config.model import Config
from clearway.core.clock import SystemClock
from clearway.core.ids import IdMaker

_START_S = 15.0
_LOOPBACK = "127.0.0.1,localhost,::1"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def run_command(loaded: Loaded, command: list[str], *, quiet: bool) -> int:
    """Run `command` and return its exit code.

    Raises:
        Failure: No gateway could be had; its address must not be put in place
            of the one that the environment names; Codex has nothing to show it.
    """
    environ = environment()
    _check_base_url(loaded.config, environ)
    credential = codex.credential_for(command, loaded.config, environ)
    run_id = IdMaker(SystemClock()).new()
    with _held_gateway(loaded) as (url, ledger):
        started = time.monotonic()
        base_url = f"{url}/run/{run_id}"
        code = run_child(codex.told(command, base_url, credential), child_environment(environ, base_url))
        if not quiet:
            tell_account(ledger, run_id, wall_s=time.monotonic() - started, url=url)
    return code


def child_environment(environ: Mapping[str, str], base_url: str) -> dict[str, str]:
    """The command's environment: the base URL, and loopback kept out of a proxy."""
    child = {**environ, "ANTHROPIC_BASE_URL": base_url}
    if any(environ.get(name) or environ.get(name.lower()) for name in _PROXIES):
        for name in ("NO_PROXY", "no_proxy"):
            before = environ.get(name) or environ.get(name.swapcase())
            child[name] = f"{before},{_LOOPBACK}" if before else _LOOPBACK
    return child


def _check_base_url(config: Config, environ: Mapping[str, str]) -> None:
    """A login for another host must not go to ours: refuse rather than redirect it."""
    named = environ.get("ANTHROPIC_BASE_URL")
    if not named:
        return
    host = urlsplit(named).hostname or ""
    own = {urlsplit(upstream.base_url).hostname for upstream in config.upstreams if upstream.kind == "passthrough"}
    if host not in own and not _is_gateway(named):
        hint = (
            f'unset it, or configure a passthrough upstream with base_url = "https://{host}/…" '
            f'and allow_hosts = ["{host}"]'
        )
        message = f"ANTHROPIC_BASE_URL is set to another host ({host}); its credential must not go elsewhere"
        raise Failure(message, hint, Exit.REFUSED)


def _is_gateway(url: str) -> bool:
    """True for the address that another `clearway run` has set."""
    parts = urlsplit(url)
    return parts.hostname in ("127.0.0.1", "localhost", "::1") and parts.path.startswith("/run/")


@contextlib.contextmanager
def _held_gateway(loaded: Loaded) -> Iterator[tuple[str, RemoteLedger]]:
    """The running gateway, or one that was started for this, held until the end."""
    data_dir = Path(loaded.config.server.data_dir)
    deadline = time.monotonic() + _START_S
    starting: subprocess.Popen[bytes] | None = None
    while True:
        owner = find_owner(data_dir)
        if owner is not None and owner.socket and owner.url:
            try:
                with hold_gateway(owner.socket):
                    yield owner.url, RemoteLedger(owner.socket)
                    return
            except Unreachable:
                if time.monotonic() > deadline:
                    raise
        elif starting is None or starting.poll() is not None:
            if time.monotonic() > deadline:
                raise Failure("no gateway could be started", "see what it says: clearway serve --port 0")
            starting = _start(loaded)
        time.sleep(0.01)


def _start(loaded: Loaded) -> subprocess.Popen[bytes]:
    """Start a gateway of its own session: the terminal's signals are the command's."""
    arguments = [sys.executable, "-m", "clearway", "--data-dir", loaded.config.server.data_dir]
    if loaded.path is not None:
        arguments += ["--config", str(loaded.path)]
    log = Path(loaded.config.server.data_dir) / "run-gateway.log"
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(log, "wb", opener=_private) as errors:  # Path.open takes no opener
        starting = subprocess.Popen(  # noqa: S603  # our own program
            [*arguments, "serve", "--host", "127.0.0.1", "--port", "0", "--json", "--while-held"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    if starting.stdout is None or not starting.stdout.readline():
        code = starting.wait()
        said = log.read_text("utf-8", "replace").strip().splitlines()
        if code != Exit.REFUSED:  # refused: somebody else was faster, and serves us too
            raise Failure("no gateway could be started: " + (said[-1] if said else f"it ended with {code}"))
    return starting


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
