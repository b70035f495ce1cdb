"""The recipes of docs/clients.md run as they are written, one after the other and each against the same gateway."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.installed import NODE, modules_with, programs_of
from tests.clients.outside import Outside
from tests.gateway_process import PROGRAM, SIM, GatewayProcess

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
PLACES = {
    "OpenAI's SDK for Python": "common",
    "OpenAI's SDK for Node": "node",
    "LangChain": "common",
    "pydantic-ai": "common",
    "OpenAI's Agents SDK": "common",
    "instructor": "instructor",
    "AI SDK": "node",
    "llm": "common",
    "aider": "aider",
}
"""Where each section's client is installed."""
WIRES = {
    "instructor": ["chat"],
    "llm": ["chat"],
    "aider": ["chat"],
    "OpenAI's Agents SDK": ["responses"],
}
"""What the recipes of one speak that do not speak both formats."""
PROGRAMS = {"python": "python recipe", "js": "node recipe.mjs", "sh": "bash -euo pipefail recipe"}


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """With the settings that the page shows."""
    with GatewayProcess(tmp_path_factory.mktemp("recipes"), SIM + "\n".join(_blocks(PAGE, "toml"))) as gateway:
        yield gateway


def test_every_section_is_run() -> None:
    """A new recipe is told here, too."""
    assert list(PLACES) == list(SECTIONS)
    assert all(any(_blocks(text, language) for language in PROGRAMS) for text in SECTIONS.values())


@pytest.mark.client
@pytest.mark.timeout(180)
@pytest.mark.parametrize("section", PLACES)
def test_recipe(section: str, gateway: GatewayProcess, tmp_path: Path) -> None:
    """It says something, and so does the ledger."""
    key = gateway.new_key(section)
    home = tmp_path / "home"
    home.mkdir()
    place = PLACES[section]
    if place == "node":
        (home / "node_modules").symlink_to(modules_with("openai", "ai") / "node_modules")
    folders = [NODE if place == "node" else programs_of(place), Path(PROGRAM).parent]
    variables = {**gateway.environment, "HOME": str(home), "CLEARWAY_KEY": key}
    variables["PATH"] = os.pathsep.join([*map(str, folders), variables["PATH"]])
    (begin,) = _blocks(PAGE.partition("\n## ")[0], "sh")
    with Outside(home) as outside:
        for language, program in PROGRAMS.items():
            for block in _blocks(SECTIONS[section], language):
                (home / program.split()[-1]).write_text(block)
                said = outside.run("bash", "-euo", "pipefail", "-c", f"{begin}\n{program}", **variables)
                assert said.strip()

    served = [row for row in gateway.settled(1, "--key", section) if row["outcome"] == "ok"]
    assert {(wire, 200) for wire in WIRES.get(section, ["chat", "responses"])} == {
        (row["wire"], row["status"]) for row in served
    }
