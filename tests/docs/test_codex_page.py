"""The commands of docs/codex.md run as they are written, with Codex itself; its settings are ones that Codex takes."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import codex_program as codex_program  # noqa: PLC0414  # a fixture of theirs
from tests.clients.outside import Outside
from tests.gateway_process import PROGRAM, SIM, GatewayProcess

pytestmark = [pytest.mark.client, pytest.mark.timeout(90)]

PAGE = (Path(__file__).parents[2] / "docs" / "codex.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


FIRST, KEPT_BACK, QUIET = _blocks("toml")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """With a simulated model."""
    with GatewayProcess(tmp_path_factory.mktemp("recipes"), SIM) as gateway:
        yield gateway


class Machine:
    """Somebody's home, with Codex and a key."""

    def __init__(self, home: Path, gateway: GatewayProcess, program: Path) -> None:
        self.folder = home / ".codex"
        self._home = home
        self._variables = {**gateway.environment, "HOME": str(home), "CLEARWAY_KEY": gateway.new_key(home.parent.name)}
        folders = [str(program.parent), str(Path(PROGRAM).parent), self._variables["PATH"]]
        self._variables["PATH"] = os.pathsep.join(folders)
        self.folder.mkdir(parents=True)

    def run(self, script: str) -> str:
        """What is said; nobody but the gateway is asked."""
        with Outside(self._home) as outside:
            return outside.run("bash", "-euo", "pipefail", "-c", script, **self._variables)


@pytest.fixture
def machine(tmp_path: Path, gateway: GatewayProcess, codex_program: Path) -> Machine:
    """With the settings that keep Codex quiet, in a repository, without which it does nothing."""
    machine = Machine(tmp_path / "home", gateway, codex_program)
    (machine.folder / "config.toml").write_text(QUIET)
    for folder in ("objects", "refs"):
        (tmp_path / "home" / ".git" / folder).mkdir(parents=True)
    (tmp_path / "home" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    return machine


@pytest.mark.parametrize("script", _blocks("sh"))
def test_recipe(script: str, machine: Machine, gateway: GatewayProcess, tmp_path: Path) -> None:
    """It says something, and the ledger knows of it."""
    assert machine.run(script).strip()
    (row,) = gateway.settled(1, "--key", tmp_path.name)
    assert ("responses", "ok", "codex_exec") == (row["wire"], row["outcome"], row["client_name"])


def test_settings(machine: Machine, gateway: GatewayProcess, tmp_path: Path) -> None:
    """Those that are shown may stand where the page says, and Codex knows each of them."""
    begin, start = _blocks("sh")[1].splitlines()
    machine.run(begin)
    profile = machine.folder / "clearway.config.toml"
    profile.write_text(FIRST + profile.read_text() + KEPT_BACK)

    assert machine.run(start.replace("codex ", "codex --strict-config ")).strip()
    (row,) = gateway.settled(1, "--key", tmp_path.name)
    assert "claude-opus-5-5" == row["request_model"]
