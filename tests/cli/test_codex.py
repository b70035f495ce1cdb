"""How Codex is told: `clearway env codex`, and `clearway run -- codex` with a program of that name that shows it."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Desk
from tests.gateway_process import SIM, GatewayProcess, anthropic, passthrough

KEY = "cw-never-shown"
OWN = "sk-ant-api03-never-shown"
SHOW = """#!/bin/sh
for word in "$@"; do printf '%s\\n' "$word"; done
printf 'base %s\\n' "$ANTHROPIC_BASE_URL"
"""


def _provider(toml: str) -> dict[str, Any]:
    told = tomllib.loads(toml)

    assert ("clearway", ["clearway"]) == (told["model_provider"], list(told["model_providers"]))
    provider: dict[str, Any] = told["model_providers"]["clearway"]
    return provider


def test_env_writes_a_profile(desk: Desk) -> None:
    """The profile names the variable with the key and this address, and says where it belongs; no secret is in it."""
    done = desk.quick("env", "codex", "--with-key", CLEARWAY_KEY=KEY)

    expected = {"base_url": "http://127.0.0.1:8317/v1", "env_key": "CLEARWAY_KEY", "wire_api": "responses"}
    assert expected | {"name": "Clearway"} == _provider(done.stdout)
    assert "~/.codex/clearway.config.toml" in done.stderr
    assert "codex -p clearway" in done.stderr
    assert KEY not in done.stdout + done.stderr


def test_env_as_arguments(desk: Desk) -> None:
    """`--json` has the same as arguments, for scripts."""
    told = json.loads(desk.quick("env", "codex", "--json").stdout)
    flags, values = told["arguments"][::2], told["arguments"][1::2]

    assert ({}, "key", ["-c", "-c"]) == (told["variables"], told["credential"], flags)
    assert "CLEARWAY_KEY" == _provider("\n".join(values))["env_key"]


@pytest.mark.parametrize("behind_proxy", [False, True])
def test_env_with_its_own_credential(desk: Desk, behind_proxy: bool) -> None:  # noqa: FBT001  # a table of two rows
    """With passthrough it is an API key of Anthropic's, and a key stands beside it where every request needs one."""
    environ = {"CLEARWAY_UPSTREAMS": "[]", "CLEARWAY_SERVER__BEHIND_PROXY": str(behind_proxy).lower()}
    done = desk.quick("env", "codex", **environ)
    provider = _provider(done.stdout)

    assert "ANTHROPIC_API_KEY" == provider["env_key"]
    assert ({"x-clearway-key": "CLEARWAY_KEY"} if behind_proxy else None) == provider.get("env_http_headers")
    assert "ANTHROPIC_API_KEY, which passes through unchanged and pays" in done.stderr


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a program that prints what it was told, by its name."""

    def make(name: str) -> Path:
        path = tmp_path / name
        path.write_text(SHOW)
        path.chmod(0o755)
        return path

    return make


PAYING = anthropic("http://127.0.0.1:9")
OPEN = passthrough("http://127.0.0.1:9")
SHOWN = [
    pytest.param(SIM, {"CLEARWAY_KEY": KEY}, "CLEARWAY_KEY", id="a-key"),
    pytest.param(OPEN, {"ANTHROPIC_API_KEY": OWN}, "ANTHROPIC_API_KEY", id="its-own"),
    pytest.param(OPEN + PAYING, {"ANTHROPIC_API_KEY": OWN}, "ANTHROPIC_API_KEY", id="its-own-where-a-key-would-do"),
    pytest.param(
        OPEN + PAYING, {"CLEARWAY_KEY": KEY, "ANTHROPIC_API_KEY": OWN}, "CLEARWAY_KEY", id="a-key-before-its-own"
    ),
    pytest.param(OPEN, {"CLEARWAY_KEY": KEY, "ANTHROPIC_API_KEY": OWN}, "ANTHROPIC_API_KEY", id="no-use-for-a-key"),
]


@pytest.mark.parametrize(("config", "variables", "expected"), SHOWN)
def test_run_tells_codex(
    config: str, variables: dict[str, str], expected: str, program: Callable[[str], Path], tmp_path: Path
) -> None:
    """The provider stands before its own arguments, at the address of this run; secrets stay in their variables."""
    home = GatewayProcess(tmp_path, config, environment={"UPSTREAM_CREDENTIAL": "dummy"})
    done = home.cli("run", "--", str(program("codex")), "exec", "-m", "gpt-5.5", "hi there", environment=variables)
    told = done.stdout.splitlines()
    provider = _provider("\n".join(told[1:4:2]))
    base = told[-1].removeprefix("base ")

    assert ["-c", "-c"] == told[0:4:2]
    assert ["exec", "-m", "gpt-5.5", "hi there"] == told[4:-1]
    assert (f"{base}/v1", expected) == (provider["base_url"], provider["env_key"])
    assert "/run/" in base
    assert not [secret for secret in (KEY, OWN) if secret in done.stdout + done.stderr]


def test_run_tells_nobody_else(program: Callable[[str], Path], tmp_path: Path) -> None:
    """Another program gets its own arguments alone, and needs no key."""
    home = GatewayProcess(tmp_path, SIM)
    done = home.cli("run", "--", str(program("codecs")), "exec", "hi")

    assert ["exec", "hi"] == done.stdout.splitlines()[:-1]


REFUSED = [
    pytest.param(SIM, {"ANTHROPIC_API_KEY": OWN}, "make one with: clearway keys create NAME", id="no-passthrough"),
    pytest.param(OPEN, {"CLEARWAY_KEY": KEY}, "put an API key into ANTHROPIC_API_KEY", id="passthrough-alone"),
    pytest.param(
        "[server]\nbehind_proxy = true\n" + OPEN, {"ANTHROPIC_API_KEY": OWN}, "a Clearway key into", id="both-needed"
    ),
]


@pytest.mark.parametrize(("config", "variables", "hint"), REFUSED)
def test_run_refuses(
    config: str, variables: dict[str, str], hint: str, program: Callable[[str], Path], tmp_path: Path
) -> None:
    """Codex is not started with nothing to show: it would ask the gateway in vain, again and again."""
    home = GatewayProcess(tmp_path, config)
    done = home.cli("run", "--", str(program("codex")), check=False, environment=variables)

    assert (5, "") == (done.returncode, done.stdout)
    assert "Codex has nothing to show the gateway" in done.stderr
    assert hint in done.stderr
