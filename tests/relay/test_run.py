"""`clearway run -- COMMAND`: the command does not notice, and the account is right."""

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from clearway.ledger.lock import read_owner
from tests.gateway_process import PROGRAM, SIM, GatewayProcess, passthrough
from tests.relay.stage import wait_until
from tests.relay.wire_client import PATIENCE_S

pytestmark = pytest.mark.timeout(60)

ASK = """
import json, os, urllib.request
url = os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages"
body = {"model": "claude-sonnet-5-5", "max_tokens": 20, "messages": [{"role": "user", "content": "hi"}]}
fields = {"content-type": "application/json", "x-api-key": "sk-ant-dummy", "anthropic-version": "2023-06-01"}
with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), fields)) as answer:
    print(json.load(answer)["type"])
"""
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
PYTHON = (sys.executable, "-I", "-c")


@pytest.fixture
def home(tmp_path: Path) -> GatewayProcess:
    """An installation whose gateway is not running."""
    return GatewayProcess(tmp_path, SIM)


def _run(home: GatewayProcess, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return home.cli("run", "--", *command, check=False, environment=environment)


@contextmanager
def _running(home: GatewayProcess, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A run in the background, with a pipe to its command's stdin; it ends when that is closed."""
    with subprocess.Popen(
        [PROGRAM, "run", "--", *command],
        env=home.environment,
        cwd=home.home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def _line(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def _gateway_pid(home: GatewayProcess) -> int | None:
    owner = read_owner(home.data_dir)
    return owner.pid if owner else None


def test_account(home: GatewayProcess) -> None:
    """The command's output is its own; the account stands on stderr, and the log knows the run."""
    done = _run(home, *PYTHON, ASK)

    assert (0, "message\n") == (done.returncode, done.stdout)
    assert "1 request ·" in done.stderr
    assert "clearway log --run " in done.stderr
    run_id = done.stderr.split("clearway log --run ")[1].split()[0]
    (row,) = home.exchanges("--run", run_id)
    assert ("ok", run_id) == (row["outcome"], row["run_id"])


def test_nothing_arrived(home: GatewayProcess) -> None:
    """A command that never asked is told of, with a reason to look for; --quiet says nothing at all."""
    assert "no request arrived" in _run(home, "true").stderr
    quiet = home.cli("run", "--quiet", "--", "true")
    assert ("", "") == (quiet.stdout, quiet.stderr)


CODES = [
    pytest.param(("sh", "-c", "exit 7"), 7, id="its-own"),
    pytest.param(("sh", "-c", "kill -TERM $$"), 143, id="killed-by-term"),
    pytest.param(("sh", "-c", "kill -KILL $$"), 137, id="killed-by-kill"),
    pytest.param(("no-such-command-anywhere",), 127, id="not-found"),
    pytest.param(("/etc/passwd",), 126, id="not-executable"),
]


@pytest.mark.parametrize(("command", "code"), CODES)
def test_exit_code(home: GatewayProcess, command: tuple[str, ...], code: int) -> None:
    """The exit code is the command's, as a shell would tell it."""
    done = _run(home, *command)

    assert code == done.returncode
    if code in (126, 127):
        assert command[0] in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1])
def test_signals_reach_the_command(home: GatewayProcess, number: signal.Signals) -> None:
    """A signal to `run` is the command's to handle; `run` ends with it and gives its code."""
    # Blocked and waited for: no moment at which the signal could be missed.
    told = (
        f"import signal, sys; wanted = {{{int(number)}}}; signal.pthread_sigmask(signal.SIG_BLOCK, wanted); "
        "print('here', flush=True); signal.sigwait(wanted); sys.exit(42)"
    )

    with _running(home, *PYTHON, told) as running:
        assert "here" == _line(running)
        running.send_signal(number)

        assert 42 == running.wait(20)


def test_environment(home: GatewayProcess) -> None:
    """The command sees ANTHROPIC_BASE_URL, and otherwise what it would have seen."""
    done = _run(home, *PYTHON, SHOW)

    seen = msgspec.json.decode(done.stdout, type=dict[str, str])
    url = seen.pop("ANTHROPIC_BASE_URL")
    assert url.startswith("http://127.0.0.1:")
    assert "/run/" in url
    plain = subprocess.run([*PYTHON, SHOW], env=home.environment, capture_output=True, text=True, check=True)
    assert msgspec.json.decode(plain.stdout, type=dict[str, str]) == seen


def test_proxy_is_told_to_let_us_be(home: GatewayProcess) -> None:
    """Where a proxy is configured, loopback is excepted, beside what was excepted before."""
    done = _run(home, *PYTHON, SHOW, HTTPS_PROXY="http://127.0.0.1:9", NO_PROXY="example.org")

    seen = msgspec.json.decode(done.stdout, type=dict[str, str])
    assert "http://127.0.0.1:9" == seen["HTTPS_PROXY"]
    for name in ("NO_PROXY", "no_proxy"):
        assert {"example.org", "127.0.0.1", "localhost"} <= set(seen[name].split(","))


def test_another_host_is_refused(home: GatewayProcess) -> None:
    """A login for another host is not redirected to ours: refused, before the command starts."""
    made = home.home / "made"

    done = _run(home, "touch", str(made), ANTHROPIC_BASE_URL="https://llm.example.org/v1")

    assert 5 == done.returncode
    assert "llm.example.org" in done.stderr
    assert not made.exists()


def test_own_upstream_is_not_refused(tmp_path: Path) -> None:
    """The host that a passthrough upstream leads to may stand there, and so may another run's address."""
    home = GatewayProcess(tmp_path, passthrough("http://127.0.0.1:9"))

    assert 0 == _run(home, "true", ANTHROPIC_BASE_URL="http://127.0.0.1:9/").returncode
    assert 0 == _run(home, "true", ANTHROPIC_BASE_URL="http://localhost:1234/run/0123456789").returncode


def test_two_runs_share_a_gateway(home: GatewayProcess) -> None:
    """The second run uses the first one's gateway, which ends when both have ended, and not before."""
    wait = "import os, sys; print(os.environ['ANTHROPIC_BASE_URL'], flush=True); sys.stdin.read()"

    with _running(home, *PYTHON, wait) as first, _running(home, *PYTHON, wait) as second:
        urls = [_line(running).split("/run/") for running in (first, second)]
        assert urls[0][0] == urls[1][0]
        assert urls[0][1] != urls[1][1]
        pid = _gateway_pid(home)
        assert first.stdin is not None
        first.stdin.close()
        assert 0 == first.wait(20)

        assert "message\n" == _run(home, *PYTHON, ASK).stdout
        assert pid == _gateway_pid(home)
        assert second.stdin is not None
        second.stdin.close()
        assert 0 == second.wait(20)

    wait_until(lambda: _gateway_pid(home) is None, "the gateway has ended by itself")


def test_running_gateway_is_used(home: GatewayProcess) -> None:
    """Where `serve` runs already, its gateway serves the command and outlives it."""
    with home as gateway:
        done = _run(gateway, *PYTHON, "import os; print(os.environ['ANTHROPIC_BASE_URL'])")

        assert done.stdout.startswith(gateway.url + "/run/")
        assert gateway.pid == _gateway_pid(gateway)


@contextmanager
def _on_terminal(home: GatewayProcess, script: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A run of a script on a terminal of its own; gives the process and our end of the terminal."""
    ours, theirs = pty.openpty()
    # setsid --ctty makes the terminal the new session's own, as a login does.
    command = ["setsid", "--ctty", PROGRAM, "run", "--quiet", "--", *PYTHON, script]
    with subprocess.Popen(
        command, env=home.environment, cwd=home.home, stdin=theirs, stdout=theirs, stderr=theirs
    ) as running:
        os.close(theirs)
        try:
            yield running, ours
        finally:
            running.kill()
            # The end of the terminal ends whoever still reads from it.
            os.close(ours)


def _read_until(terminal: int, needle: bytes) -> bytes:
    """What is shown up to the end of the line that holds `needle`."""
    seen = b""
    while not (needle in seen and seen.endswith(b"\n")):
        assert select.select([terminal], [], [], PATIENCE_S)[0], f"{needle!r} is not shown: {seen!r}"
        seen += os.read(terminal, 4096)
    return seen


def test_terminal_is_the_commands(home: GatewayProcess) -> None:
    """On a terminal the command reads and writes it directly."""
    ask = "import os; print('here', flush=True); print(input(), os.isatty(0), os.isatty(1), os.isatty(2), sep='|')"

    with _on_terminal(home, ask) as (running, terminal):
        _read_until(terminal, b"here")
        os.write(terminal, b"typed\n")

        assert b"typed|True|True|True" in _read_until(terminal, b"|True")
        assert 0 == running.wait(PATIENCE_S)


def test_interrupt_from_the_terminal(home: GatewayProcess) -> None:
    """Ctrl-C reaches the command once, from the terminal; `run` waits for it and survives."""
    count = (
        "import signal\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\n"
        "print('here', flush=True)\n"
        "signal.sigwait({signal.SIGINT})\n"
        "print('caught', flush=True)\n"
        "input()\n"
        "print('again' if signal.sigpending() else 'once', flush=True)\n"
    )

    with _on_terminal(home, count) as (running, terminal):
        _read_until(terminal, b"here")
        os.write(terminal, b"\x03")
        _read_until(terminal, b"caught")
        os.write(terminal, b"on\n")

        assert b"once" in _read_until(terminal, b"ce")
        assert 0 == running.wait(PATIENCE_S)
