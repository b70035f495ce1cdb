"""A gateway between the official OpenAI SDK and a scripted upstream."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import openai
import pytest

from tests.fake_upstream import Answer, FakeUpstream, Received, Script
from tests.gateway_process import GatewayProcess, anthropic

CREDENTIAL = "sk-ant-dummy-of-the-gateway"


class Bench:
    """One gateway for many tests, each with a script and a key of its own."""

    gateway: GatewayProcess
    upstream: FakeUpstream

    def __init__(self) -> None:
        self.script: Script = _unwritten

    def answer(self, received: Received) -> Answer:
        """As the test says."""
        return self.script(received)


def _unwritten(_: Received) -> Answer:
    raise AssertionError("this test expects no request upstream")


@contextmanager
def connected(url: str, key: str, *, retries: int = 0) -> Iterator[openai.OpenAI]:
    """The official SDK, which looks neither for proxies nor for variables."""
    client = openai.DefaultHttpxClient(trust_env=False)
    with openai.OpenAI(api_key=key, base_url=f"{url}/v1", max_retries=retries, http_client=client) as made:
        yield made


@pytest.fixture(scope="module")
def shared_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Without cool-down: upstreams fail here on purpose, again and again."""
    with ExitStack() as stack:
        bench = Bench()
        upstream = bench.upstream = stack.enter_context(FakeUpstream(bench.answer))
        config = f"[retries]\nlongest_cool_down_s = 0\nmax = 0\n[server]\nheartbeat_s = 0.3\n{anthropic(upstream.url)}"
        environment = {"UPSTREAM_CREDENTIAL": CREDENTIAL}
        home = tmp_path_factory.mktemp("chat")
        bench.gateway = stack.enter_context(GatewayProcess(home, config, environment=environment))
        yield bench


@pytest.fixture
def bench(shared_bench: Bench) -> Iterator[Bench]:
    """The shared gateway, with no script yet."""
    yield shared_bench
    shared_bench.script = _unwritten


@pytest.fixture
def key(bench: Bench, request: pytest.FixtureRequest) -> str:
    """A key named after the test, so that the ledger's rows are told apart."""
    return bench.gateway.new_key(request.node.name[:60])


@pytest.fixture
def client(bench: Bench, key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[openai.OpenAI]:
    """The official SDK with that key."""
    for name in ("API_KEY", "BASE_URL", "ORG_ID", "PROJECT_ID", "LOG"):
        monkeypatch.delenv(f"OPENAI_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with connected(bench.gateway.url, key) as made:
        yield made


Rows = Callable[[int], list[dict[str, object]]]


@pytest.fixture
def rows(bench: Bench, request: pytest.FixtureRequest) -> Rows:
    """The exchanges of this test's key, when so many are settled."""
    return lambda count: bench.gateway.settled(count, "--key", request.node.name[:60])
