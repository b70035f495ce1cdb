"""Webhooks as their owner meets them: settings, the test message, doctor, reload."""

import base64
import hashlib
import hmac
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.fake_upstream import FakeUpstream, Script, answer
from tests.gateway_process import SIM, GatewayProcess
from tests.relay.stage import wait_until
from tests.security.talk import ask

SECRET = "a-secret-of-the-owners-own"  # noqa: S105  # of nobody


def usage(*urls: str, more: str = "") -> str:
    """A configuration with webhooks."""
    return f'[usage]\nwebhooks = {list(urls)}\nwebhook_secret = {{ env = "HOOK_SECRET" }}\n{more}\n{SIM}'


@pytest.fixture
def hooks(fake_upstream: Callable[[Script], FakeUpstream]) -> FakeUpstream:
    """A receiver."""
    return fake_upstream(lambda got: answer(b"ok", status=404 if "nowhere" in got.target else 200))


def gateway(home: Path, config: str) -> GatewayProcess:
    """Not started yet."""
    return GatewayProcess(home, config, environment={"HOOK_SECRET": SECRET})


def test_a_test_message(tmp_path: Path, hooks: FakeUpstream) -> None:
    """`clearway alerts test` sends one signed message to each, and says whether it was taken; nothing runs for it."""
    done = gateway(tmp_path, usage(f"{hooks.url}/T0/hush")).cli("alerts", "test")
    (got,) = hooks.wait_received(1)
    signed = f"{got.header('webhook-id')}.{got.header('webhook-timestamp')}.".encode() + got.body
    signature = base64.b64encode(hmac.digest(SECRET.encode(), signed, hashlib.sha256)).decode()

    assert f"{hooks.url} took the message\n" == done.stdout
    assert f"v1,{signature}" == got.header("webhook-signature")
    body = msgspec.json.decode(got.body)
    assert ("test", "Clearway: a test message; all is well") == (body["type"], body["text"])


def test_one_does_not_take_it(tmp_path: Path, hooks: FakeUpstream) -> None:
    """Exit code 1, and which one; the others are sent to all the same; no path is shown."""
    ended = gateway(tmp_path, usage(f"{hooks.url}/nowhere/hush", "http://127.0.0.1:1/hush", f"{hooks.url}/T0"))
    done = ended.cli("alerts", "test", "--json", check=False)

    assert 1 == done.returncode
    assert [False, False, True] == [each["taken"] for each in msgspec.json.decode(done.stdout)]
    assert f"clearway: {hooks.url} did not take the message: it answered 404" in done.stderr
    assert "hush" not in done.stdout + done.stderr


def test_none_is_configured(tmp_path: Path) -> None:
    """It says what to set."""
    done = gateway(tmp_path, SIM).cli("alerts", "test", check=False)

    assert (1, True) == (done.returncode, "name one in usage.webhooks" in done.stderr)


def test_settings_that_are_refused(tmp_path: Path) -> None:
    """All at once, without repeating a URL."""
    config = usage("http://hooks.example/hush", "https://10.0.0.1/hush", more="thresholds = [0.9, 0.8, 95]")
    done = gateway(tmp_path, config).cli("config", "check", check=False)

    assert 3 == done.returncode
    for said in ("usage.webhooks[0]: would send", "usage.webhooks[1]: leads to", "usage.thresholds: expected numbers"):
        assert said in done.stderr
    assert "hush" not in done.stderr


def test_looked_at(tmp_path: Path) -> None:
    """Doctor says what is set up and what is missing, and sends nothing; no command shows a path."""
    place = gateway(tmp_path, usage("http://127.0.0.1:1/T0/hush"))
    good, shown = place.cli("doctor", check=False).stdout, place.cli("config", "show").stdout
    (tmp_path / "clearway.toml").write_text(usage("http://127.0.0.1:1/T0/hush").replace("HOOK_SECRET", "NOT_SET"))
    bad = place.cli("doctor", check=False).stdout

    assert "ok   webhooks: http://127.0.0.1:1 (not tried" in good
    assert "http://127.0.0.1:1/***" in shown
    assert "fail webhooks: environment NOT_SET: usage.webhook_secret: is not set" in bad
    assert "hush" not in good + shown + bad


def test_without_its_secret(tmp_path: Path, hooks: FakeUpstream) -> None:
    """A gateway does not start without what it signs with; a running one keeps what it has."""
    place = gateway(tmp_path, usage(hooks.url))
    with place:
        (tmp_path / "clearway.toml").write_text(usage(hooks.url).replace("HOOK_SECRET", "NOT_SET"))
        refused = place.cli("reload", check=False)
    failed = place.cli("serve", "--port", "0", check=False)

    assert (3, 3) == (refused.returncode, failed.returncode)
    for said in (refused.stderr, failed.stderr):
        assert "environment NOT_SET: usage.webhook_secret: is not set" in said


SERVE = """
import asyncio, sys
from pathlib import Path
from clearway.cli.serving import started
from clearway.config.load import environment, load
from clearway.core.budget import parse_budget
from clearway.limits.protocol import BudgetState

async def main():
    config = load(path=Path(sys.argv[1]), environ=environment(), flags={"server.port": 0}).config
    async with started(config, show_first_key=False) as running:
        budget = parse_budget("2Mtokens/week")
        for spent in 100_000, 1_600_000, 1_700_000:
            running.alerts.budget(
                BudgetState(
                    key_id=None, key_name=None, budget=budget, spent=spent, held=0, since_us=1, resets_us=None
                )
            )
        while running.alerts.waiting:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


def test_a_gateway_tells(tmp_path: Path, hooks: FakeUpstream) -> None:
    """What is counted within a gateway reaches the webhook while it serves; after a restart it is not told again."""
    place = gateway(tmp_path, usage(f"{hooks.url}/T0", more="thresholds = [0.5, 0.8]"))
    for turn in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", SERVE, str(tmp_path / "clearway.toml")],
            env=place.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            hooks.wait_received(1)
            said, _ = process.communicate("\n", timeout=15)

        assert (0, 1) == (process.returncode, len(hooks.received))
        assert (1 - turn) == said.count("budget_threshold")
    assert b"the gateway has used 80 % of its budget of 2000000tokens/week" in hooks.received[0].body


@pytest.mark.timeout(60)
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_receiver_that_was_down(tmp_path: Path, how: str) -> None:
    """Down when a threshold is passed and when the gateway ends: the message comes with the next start, once."""
    with FakeUpstream(lambda _: answer(b"")) as place:
        url = place.url
    port = int(url.rpartition(":")[2])
    running = gateway(tmp_path, usage(f"{url}/T0/hush", more="thresholds = [0.001]"))
    with running:
        key = running.new_key("ada", "--budget", "1000tokens/day")
        body = {"model": "claude-sonnet-5-5", "max_tokens": 3, "messages": [{"role": "user", "content": "hi"}]}
        said = ask(running.url, ("x-api-key", key), body=body)
        assert said.status == 200, said
        # Once it is claimed, nobody else would tell it.
        wait_until(lambda: "budget_threshold" in running.log, "it is told")
        getattr(running, how)()
    with FakeUpstream(lambda _: answer(b""), port=port) as receiver:
        with running:
            (got,) = receiver.wait_received(1)
            wait_until(lambda: not _kept(running), "it is kept no more")
        with running:
            pass

    assert (1, []) == (len(receiver.received), _kept(running))
    assert b"the key ada has used" in got.body
    assert 1 == running.log.count('"budget_threshold"')
    assert ("webhook_waits" in running.log) == (how == "stop")
    assert "hush" not in running.log


def _kept(running: GatewayProcess) -> list[object]:
    """What waits for receivers, in the database itself."""
    with closing(sqlite3.connect(running.data_dir / "ledger.db")) as database:
        return database.execute("SELECT * FROM alert_messages").fetchall()
