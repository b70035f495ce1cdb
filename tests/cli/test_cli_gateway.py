"""The commands beside a running gateway: across its socket, its restarts and its absence."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from clearway.cli.remote import RemoteLedger, Unreachable, read_feed, read_status
from clearway.keys.model import KeyChange, KeySpec
from clearway.ledger.lock import DataDirLock, OwnerInfo
from clearway.ledger.protocol import ExchangeQuery, LedgerError, NotInLedger, UsageQuery
from tests.cli.conftest import PROGRAM, Desk
from tests.gateway_process import GatewayProcess

ASK = {"model": "claude-sonnet-4-5", "max_tokens": 20, "messages": [{"role": "user", "content": "hi"}]}


def ask(gateway: GatewayProcess, key: str) -> None:
    """One exchange with the simulated model."""
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01", "content-type": "application/json"}
    request = urllib.request.Request(f"{gateway.url}/v1/messages", json.dumps(ASK).encode(), headers)  # noqa: S310  # loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # loopback
        answer.read()


@contextmanager
def following(environment: dict[str, str], *options: str) -> Iterator[subprocess.Popen[str]]:
    """`clearway log --follow --json` while the context is open."""
    process = subprocess.Popen(
        [PROGRAM, "log", "--follow", "--json", *options],
        env=environment,
        cwd=environment["HOME"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def owner(socket: str | None) -> OwnerInfo:
    """What an owner of a data directory tells."""
    return OwnerInfo(pid=os.getpid(), instance_id="i", version="0", started_us=1, socket=socket)


def test_the_log_is_for_people_where_that_is_asked_for(start_gateway: Callable[..., GatewayProcess]) -> None:
    """Text needs nothing that a start leaves out: each exchange is one line, uncoloured in a file."""
    gateway = start_gateway(environment={"CLEARWAY_LOG__FORMAT": "text"})
    ask(gateway, gateway.new_key("a"))
    gateway.stop()
    (line,) = gateway.log.splitlines()

    assert ["[info", "]", "exchange_settled"] == line.split()[1:4]
    assert {"outcome=ok", "status=200", "upstream=sim"} <= set(line.split())


def test_the_ledger_across_the_socket(start_gateway: Callable[..., GatewayProcess]) -> None:
    """Each method of the ledger works as on the store itself, refusals included."""
    gateway = start_gateway()
    ledger = RemoteLedger(gateway.data_dir / "control.sock")
    made = ledger.create_key(KeySpec(name="a", models=("x",)))

    assert made.key == ledger.show_key(made.key.id)
    assert made.key in ledger.list_keys()
    assert ledger.update_key("a", KeyChange(expires_us=None, tags=("t",))).tags == ("t",)
    assert ledger.show_key("a").models == ("x",)
    assert ledger.rotate_key("a", 60).secret != made.secret
    with pytest.raises(LedgerError, match="taken"):
        ledger.create_key(KeySpec(name="a"))
    with pytest.raises(NotInLedger, match="nobody"):
        ledger.show_key("nobody")
    assert ledger.revoke_key("a").revoked_us is not None
    assert made.key.id in {key.id for key in ledger.list_keys(revoked=True)}
    assert made.key.id not in {key.id for key in ledger.list_keys()}

    key = ledger.create_key(KeySpec(name="b")).secret
    ask(gateway, key)
    row = next(iter(gateway.settled(1)))

    assert [row["id"]] == [found.id for found in ledger.exchanges(ExchangeQuery(key="b"))]
    assert ledger.exchange(str(row["id"])).attempts[0].upstream == "sim"
    assert ledger.usage(UsageQuery(by=("key",)))[0].group == {"key": "b"}
    assert gateway.url == read_status(gateway.data_dir / "control.sock").url


def test_an_estimate_is_no_cost_in_the_log(start_gateway: Callable[..., GatewayProcess]) -> None:
    """The line of an exchange that nobody pays for has an estimate, and no cost."""
    gateway = start_gateway()
    ask(gateway, gateway.new_key("a"))
    gateway.settled(1)
    gateway.stop()
    (line,) = [json.loads(text) for text in gateway.log.splitlines() if "exchange_settled" in text]

    assert line["cost_nano"] is None
    assert line["estimate_nano"] > 0


def test_following_across_restarts(start_gateway: Callable[..., GatewayProcess]) -> None:
    """`log --follow` shows what happens, says that it waits when the gateway ends, and goes on with the next."""
    gateway = start_gateway()
    key = gateway.new_key("k")
    ask(gateway, key)
    (first,) = gateway.settled(1)
    with following(gateway.environment) as follower:
        said, notes = follower.stdout, follower.stderr
        assert said is not None
        assert notes is not None

        assert first["id"] == _id(said)
        ask(gateway, key)
        second = _id(said)
        gateway.stop()

        assert "waiting for one" in notes.readline()
        gateway = start_gateway(environment={"CLEARWAY_SERVER__DATA_DIR": str(gateway.data_dir)})
        ask(gateway, key)
        third = _id(said)

        assert "a gateway is here" in notes.readline()
    ids = [str(row["id"]) for row in gateway.exchanges()]

    assert ids == [first["id"], second, third]


def test_following_before_there_is_a_gateway(start_gateway: Callable[..., GatewayProcess], desk: Desk) -> None:
    """It waits for a gateway to appear; Ctrl-C ends it quietly with 130."""
    with following(desk.environ, "-n", "0") as follower:
        assert follower.stdout is not None
        assert follower.stderr is not None

        assert "no gateway is running" in follower.stderr.readline()
        environment = {"CLEARWAY_SERVER__DATA_DIR": str(desk.data_dir)}
        gateway = start_gateway(environment=environment)
        assert "a gateway is here" in follower.stderr.readline()
        ask(gateway, gateway.new_key("k"))
        shown = _id(follower.stdout)
        follower.send_signal(2)

        assert follower.wait(10) == 130
        assert follower.stderr.read() == ""

    assert shown == gateway.settled(1)[0]["id"]


def test_a_gateway_that_does_not_answer(desk: Desk) -> None:
    """Somebody owns the directory and nobody answers: exit code 4, and doctor says so."""
    lock = DataDirLock(desk.data_dir)
    lock.acquire(owner(str(desk.data_dir / "control.sock")))
    try:
        for command in (["log"], ["usage"], ["keys", "list"], ["show", "0123456789abc"]):
            done = desk.run(*command)

            assert (4, "") == (done.returncode, done.stdout)
            assert "no answer at the control socket" in done.stderr
            assert "clearway doctor" in done.stderr
        report = desk.run("doctor")

        assert report.returncode == 1
        assert f"fail gateway: process {os.getpid()} owns the directory" in report.stdout
    finally:
        lock.release()
    with pytest.raises(Unreachable):
        read_status(desk.data_dir / "control.sock")
    with pytest.raises(Unreachable):
        next(read_feed(desk.data_dir / "control.sock"))


def test_commands_wait_for_one_another(desk: Desk) -> None:
    """A command that finds the directory in use by another command waits for its turn."""
    lock = DataDirLock(desk.data_dir)
    lock.acquire(owner(None))
    process = desk.start("keys", "create", "k")
    with process:
        while not _holds(process.pid, "owner.lock"):
            assert process.poll() is None
        lock.release()
        assert process.stdout is not None

        assert process.stdout.read().startswith("cw-")
        assert process.wait(10) == 0


def _id(lines: IO[str]) -> str:
    """The id of the next exchange that was printed."""
    return str(json.loads(lines.readline())["id"])


def _holds(pid: int, name: str) -> bool:
    """Whether a process has a file of that name open."""
    for entry in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            if entry.readlink().name == name:
                return True
        except OSError:
            continue
    return False
