"""Claude Code itself, through the gateway, in each of the ways that are promised."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.answers import FINAL_OUTPUT, USAGE, say
from tests.clients.claude_code import LOGIN, MODEL, arguments, ask, environment, run
from tests.fake_upstream import FakeUpstream, Script, json_answer
from tests.gateway_process import PROGRAM, SIM, GatewayProcess, anthropic, passthrough

pytestmark = [pytest.mark.client, pytest.mark.timeout(90)]

Start = Callable[..., GatewayProcess]
Upstreams = Callable[[Script], FakeUpstream]

WRITE = 'sim:tool Bash {"command": "printf through > made.txt", "description": "write a file"}'


def test_tool_call_through_run(claude_program: Path, tmp_path: Path) -> None:
    """`clearway run -- claude` needs no gateway, no configuration of Claude Code and no server left behind."""
    gateway = GatewayProcess(tmp_path, SIM)
    home = tmp_path / "home"
    command = [PROGRAM, "run", "--", str(claude_program), *arguments(WRITE)]
    variables = {**environment(home), **gateway.environment, "HOME": str(home), "CLAUDE_CODE_OAUTH_TOKEN": LOGIN}

    done = run(command, variables, home)

    assert 0 == done.returncode, done.stderr
    assert "through" == (home / "made.txt").read_text()
    assert "success" == json.loads(done.stdout)["subtype"]
    rows = gateway.settled(2)
    assert {("messages", "ok", MODEL, True)} == {_gist(row) for row in rows if row["endpoint"] == "messages"}
    assert 1 == len({row["run_id"] for row in rows})
    assert rows[0]["run_id"]
    assert 1 == len({row["session_id"] for row in rows})
    assert {"claude-cli"} == {row["client_name"] for row in rows}


@pytest.mark.parametrize("variable", ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"])
def test_tool_call_with_a_key(variable: str, claude_program: Path, tmp_path: Path, start_gateway: Start) -> None:
    """A key works in both variables, and all that Claude Code used is on that key."""
    gateway = start_gateway(SIM)
    key = gateway.new_key("laptop")
    home = tmp_path / "home"

    done = ask(claude_program, home, WRITE, {variable: key}, url=gateway.url)

    assert 0 == done.returncode, done.stderr + done.stdout
    assert "through" == (home / "made.txt").read_text()
    rows = gateway.settled(2)
    assert {"laptop"} == {row["key_name"] for row in rows}
    (total,) = gateway.usage("--by", "key")
    assert {"key": "laptop"} == total["group"]
    assert _sum(rows, "input_tokens") == total["input_tokens"]
    assert _sum(rows, "output_tokens") == total["output_tokens"]
    assert json.loads(done.stdout)["usage"]["output_tokens"] == total["output_tokens"]
    assert 0 == total["cost_nano"]


def test_two_secrets(claude_program: Path, tmp_path: Path, start_gateway: Start, fake_upstream: Upstreams) -> None:
    """A login and a key together: the login goes to the upstream, the key stays here and is who is counted."""
    upstream = fake_upstream(lambda received: say("scripted answer", received))
    gateway = start_gateway(passthrough(upstream.url))
    key = gateway.new_key("two-secrets")
    secrets = {"CLAUDE_CODE_OAUTH_TOKEN": LOGIN, "ANTHROPIC_CUSTOM_HEADERS": f"x-clearway-key: {key}"}

    done = ask(claude_program, tmp_path / "home", "hi", secrets, url=gateway.url)

    assert 0 == done.returncode, done.stderr + done.stdout
    assert "scripted answer" == json.loads(done.stdout)["result"]
    assert upstream.received
    for received in upstream.received:
        assert f"Bearer {LOGIN}" == received.header("authorization")
        assert key.encode() not in received.head + received.body
        assert not [name for name, _ in received.headers if name.startswith("x-clearway")]
        assert str(received.header("user-agent")).startswith("claude-cli/2.1.329")
    (row,) = gateway.settled(1)
    assert (
        row["key_name"],
        row["client_credential"],
        row["billing"],
        row["cost_nano"],
    ) == ("two-secrets", True, "plan", None)
    assert (USAGE["input_tokens"], FINAL_OUTPUT) == (row["input_tokens"], row["output_tokens"])


def test_login_alone(claude_program: Path, tmp_path: Path, start_gateway: Start, fake_upstream: Upstreams) -> None:
    """On loopback a login needs no key, and the request leaves as Claude Code wrote it."""
    upstream = fake_upstream(lambda received: say("scripted answer", received))
    gateway = start_gateway(passthrough(upstream.url))

    done = ask(claude_program, tmp_path / "home", "hi", {"CLAUDE_CODE_OAUTH_TOKEN": LOGIN}, url=gateway.url)

    assert 0 == done.returncode, done.stderr + done.stdout
    (received,) = [one for one in upstream.received if one.method == "POST"]
    assert "/v1/messages?beta=true" == received.target
    assert "oauth-2025-04-20" in str(received.header("anthropic-beta")).split(",")
    (row,) = gateway.settled(1)
    assert (None, True, len(received.body)) == (
        row["key_name"],
        row["client_credential"],
        row["request_bytes"],
    )
    for place in (gateway.log, done.stderr):
        assert LOGIN not in place


def test_no_silent_second_payment(
    claude_program: Path, tmp_path: Path, start_gateway: Start, fake_upstream: Upstreams
) -> None:
    """A wrong key ends at once with a sentence that says what to do; nothing is asked upstream, nothing retried."""
    upstream = fake_upstream(lambda received: say("scripted answer", received))
    gateway = start_gateway(passthrough(upstream.url))
    mistyped = gateway.new_key("laptop")[:-1] + "_"

    done = ask(claude_program, tmp_path / "home", "hi", {"ANTHROPIC_AUTH_TOKEN": mistyped}, url=gateway.url)

    assert 0 != done.returncode
    assert "mistyped" in done.stdout
    assert [] == upstream.received
    assert mistyped not in gateway.log


def test_refusal_of_the_upstream_is_seen_whole(
    claude_program: Path, tmp_path: Path, start_gateway: Start, fake_upstream: Upstreams
) -> None:
    """What the upstream says about a login's limit reaches Claude Code word for word, after one request."""
    sentence = "You have reached your scripted limit."
    body = {"type": "error", "error": {"type": "billing_error", "message": sentence}}

    upstream = fake_upstream(lambda _: json_answer(body, status=429, headers=[("x-should-retry", "false")]))
    gateway = start_gateway(passthrough(upstream.url))

    done = ask(claude_program, tmp_path / "home", "hi", {"CLAUDE_CODE_OAUTH_TOKEN": LOGIN}, url=gateway.url)

    assert sentence in done.stdout
    assert 1 == len(upstream.received)
    (row,) = gateway.settled(1)
    assert ("upstream_error", 429, "billing_error") == (row["outcome"], row["status"], row["error_type"])


def test_model_discovery(claude_program: Path, tmp_path: Path, start_gateway: Start) -> None:
    """Claude Code's own list of models can come from the gateway."""
    gateway = start_gateway(SIM)
    home = tmp_path / "home"
    variables = {"ANTHROPIC_AUTH_TOKEN": gateway.new_key("laptop"), "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1"}
    everything = {**environment(home), **variables, "ANTHROPIC_BASE_URL": gateway.url}
    del everything["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"]

    done = run([str(claude_program), *arguments("hi")], everything, home)

    assert 0 == done.returncode, done.stderr + done.stdout
    kept = json.loads((home / "claude" / "cache" / "gateway-models.json").read_text())
    assert gateway.url == kept["baseUrl"]
    assert MODEL in {model["id"] for model in kept["models"]}


def _gist(row: dict[str, object]) -> tuple[object, ...]:
    return (row["endpoint"], row["outcome"], row["request_model"], row["stream"])


def _sum(rows: list[dict[str, object]], name: str) -> int:
    return sum(value for row in rows if isinstance(value := row[name], int))


@pytest.mark.parametrize("variable", ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"])
def test_a_spent_budget(
    variable: str, claude_program: Path, tmp_path: Path, start_gateway: Start, fake_upstream: Upstreams
) -> None:
    """One request, our sentence on the screen, and no storm of retries."""
    upstream = fake_upstream(lambda received: say("scripted answer", received))
    gateway = start_gateway(anthropic(upstream.url), environment={"UPSTREAM_CREDENTIAL": "dummy-credential"})
    key = gateway.new_key("spent", "--budget", "0.000001usd/day")

    done = ask(claude_program, tmp_path / "home", "hi", {variable: key}, url=gateway.url)

    assert 0 != done.returncode
    assert "Request rejected (429)" in done.stdout
    assert "the budget of the key 'spent', $0.00 a day, has $0.00 left, less than this request may cost" in done.stdout
    assert "it begins anew at " in done.stdout
    assert [] == upstream.received
    (row,) = [row for row in gateway.settled(1) if row["endpoint"] == "messages"]
    assert ("denied", "budget_exceeded", 429) == (row["outcome"], row["error_code"], row["status"])
