"""Where the real clients are, what they run in, and what answers them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.installed import MISSING, NODE, modules_with, programs_of
from tests.clients.outside import Outside
from tests.clients.stage import FORGETS, Stage, enter, set_up
from tools import clients


@pytest.fixture(scope="session")
def claude_program() -> Path:
    """Anthropic's Claude Code, unmodified: the binary of its npm package for this platform."""
    found = sorted(clients.CLIENTS.glob("node_modules/@anthropic-ai/claude-code-*/claude"))
    assert found, f"Claude Code is {MISSING}"
    return found[0]


@pytest.fixture(scope="session")
def codex_program() -> Path:
    """OpenAI's Codex CLI, unmodified: the binary of its npm package for this platform."""
    found = sorted(clients.CLIENTS.glob("node_modules/@openai/codex-*/vendor/*/bin/codex"))
    assert found, f"Codex is {MISSING}"
    return found[0]


@pytest.fixture(scope="session")
def node_program() -> Path:
    """Node itself."""
    return NODE / "node"


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder whose `node_modules` holds the SDKs for Node and the AI SDK."""
    return modules_with("@anthropic-ai/sdk", "openai", "ai")


@pytest.fixture(scope="session")
def common_programs() -> Path:
    """The programs of the environment with LangChain, pydantic-ai, llm and OpenAI's Agents SDK."""
    return programs_of("common")


@pytest.fixture(scope="session")
def instructor_programs() -> Path:
    """The programs of the environment with instructor."""
    return programs_of("instructor")


@pytest.fixture(scope="session")
def aider_programs() -> Path:
    """The programs of the environment with aider."""
    return programs_of("aider")


@pytest.fixture(scope="session")
def _shared_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with set_up(tmp_path_factory.mktemp("stage")) as shared:
        yield shared


@pytest.fixture
def stage(_shared_stage: Stage, request: pytest.FixtureRequest) -> Stage:
    """One gateway for all tests; the key, and what the model was asked, is this test's alone."""
    return enter(_shared_stage, f"{request.path.stem} {request.node.name}"[:60])


@pytest.fixture(scope="session")
def _shared_bare_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with set_up(tmp_path_factory.mktemp("bare"), FORGETS) as shared:
        yield shared


@pytest.fixture
def bare_stage(_shared_bare_stage: Stage, request: pytest.FixtureRequest) -> Stage:
    """The same with a gateway that keeps no thoughts, so that those that come back were in the client's hands."""
    return enter(_shared_bare_stage, f"{request.path.stem} {request.node.name}"[:60])


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """Runs client programs."""
    home = tmp_path / "home"
    home.mkdir()
    with Outside(home) as outside:
        yield outside
