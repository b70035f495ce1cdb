"""The real program in a process of its own, as its owner would start it.

Owns starting, watching and ending `clearway serve`, and running the other
commands on the same data directory. The child's environment holds only what is
named here. Used by tests/clients and by tests of the whole.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

PROGRAM = str(Path(sys.executable).parent / "clearway")
PATIENCE_S = 15.0
START_S = 45.0
"""A start takes one second, on a machine that has nothing else to do."""

SIM = """
[[upstreams]]
name = "sim"
kind = "sim"
"""


def passthrough(url: str) -> str:
    """A configuration whose clients pay for themselves at `url`, on 127.0.0.1."""
    return f"""
[[upstreams]]
name = "own-login"
kind = "passthrough"
base_url = "{url}"
allow_hosts = ["127.0.0.1"]
"""


def anthropic(url: str) -> str:
    """A configuration that pays at `url` with the credential in `UPSTREAM_CREDENTIAL`."""
    return f"""
[[upstreams]]
name = "api"
kind = "anthropic"
base_url = "{url}"
api_key = {{ env = "UPSTREAM_CREDENTIAL" }}
"""


class Ready(msgspec.Struct, frozen=True):
    """The line that `serve --json` prints when it accepts requests."""

    event: str
    url: str


class GatewayProcess:
    """A gateway on a free port of 127.0.0.1 while the context is open.

    Args:
        home: An empty directory; the data directory and the configuration go there.
        config: The configuration file's text.
        environment: Further variables for `serve` and every command.
        arguments: Further arguments of `serve`.
        before: Words before the program's name: one that starts it in some other state.
    """

    def __init__(
        self,
        home: Path,
        config: str = SIM,
        *,
        environment: Mapping[str, str] | None = None,
        arguments: tuple[str, ...] = (),
        before: tuple[str, ...] = (),
    ) -> None:
        self.home = home
        self.data_dir = home / "data"
        self.url = ""
        self.ready_s = 0.0
        """What the last start took, from the program's start to its ready line."""
        self._arguments = arguments
        self._before = before
        self._config = home / "clearway.toml"
        self._config.write_text(config)
        self._log = home / "serve.log"
        self._process: subprocess.Popen[str] | None = None
        self.environment = {
            "PATH": f"{Path(PROGRAM).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "CLEARWAY_CONFIG": str(self._config),
            "CLEARWAY_SERVER__DATA_DIR": str(self.data_dir),
            **(environment or {}),
        }

    def start(self) -> Self:
        """Start and return when it accepts requests."""
        began = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._before, PROGRAM, "serve", "--port", "0", "--json", *self._arguments],
                cwd=self.home,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(self._process, lines), daemon=True).start()
        try:
            line = lines.get(timeout=START_S)
        except queue.Empty:
            line = None
        if line is None:
            how = self._process.poll()
            self.kill()
            raise AssertionError(f"the gateway did not get ready (exit code {how}); its log:\n{self.log}")
        self.ready_s = time.monotonic() - began
        self.url = msgspec.json.decode(line, type=Ready).url
        return self

    def stop(self) -> int:
        """End it as an operator would, and return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End it as a power cut would."""
        return self._end(signal.SIGKILL)

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has said on stderr so far, over all starts."""
        return self._log.read_text()

    def cli(
        self, *arguments: str, check: bool = True, environment: Mapping[str, str] | None = None, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run another command of the same installation."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            cwd=self.home,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert not check or done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stderr}"
        return done

    def new_key(self, name: str, *options: str) -> str:
        """Make a key and return its secret."""
        made = msgspec.json.decode(self.cli("keys", "create", name, "--json", *options).stdout, type=dict[str, str])
        return made["key"]

    def settled(self, count: int, *filters: str) -> list[dict[str, object]]:
        """Exchanges, oldest first, when at least `count` are settled and none is open.

        An exchange is settled a moment after its client has the last byte: each
        look takes a process of its own, which is all the waiting there is.
        """
        rows: list[dict[str, object]] = []
        for _ in range(30):
            rows = self.exchanges(*filters)
            if len(rows) >= count and all(row["outcome"] for row in rows):
                return rows
        raise AssertionError(f"{count} settled exchanges expected, there are: {rows}")

    def exchanges(self, *filters: str) -> list[dict[str, object]]:
        """The ledger's newest hundred rows, oldest first; `filters` as `clearway log` has them."""
        said = self.cli("log", "--json", "-n", "100", *filters).stdout
        return sorted((msgspec.json.decode(line) for line in said.splitlines()), key=lambda row: str(row["id"]))

    def usage(self, *options: str) -> list[dict[str, object]]:
        """What `clearway usage --json` says."""
        return msgspec.json.decode(self.cli("usage", "--json", *options).stdout, type=list[dict[str, object]])

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        if error is not None:
            error.add_note(f"the gateway's log:\n{self.log[-4000:]}")
            self.kill()
            return
        code = self.stop()

        assert code == 0, f"the gateway ended with {code}:\n{self.log}"

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        os.kill(self._process.pid, how)
        try:
            return self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(PATIENCE_S)
            raise


def _listen(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout as said:
        for line in said:
            lines.put(line)
    lines.put(None)
