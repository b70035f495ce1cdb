"""What every suite shares. Fixtures of one suite live in its own conftest."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fake_upstream import FakeUpstream, Script
from tests.gateway_process import GatewayProcess

RECORDINGS = Path(__file__).parents[2] / "shared" / "recordings"


def pytest_configure() -> None:
    """A shell that starts the tests in the background has them ignore Ctrl-C, and all that they start, too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The recorded exchanges that may lie beside the project; never part of it."""
    if not (RECORDINGS / "INDEX.jsonl").is_file():
        pytest.skip("no recordings beside the project (../shared/recordings)")
    return RECORDINGS


@pytest.fixture
def fake_upstream() -> Iterator[Callable[[Script], FakeUpstream]]:
    """Starts scripted upstreams that end with the test."""
    with ExitStack() as stack:
        yield lambda script: stack.enter_context(FakeUpstream(script))


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[Callable[..., GatewayProcess]]:
    """Starts real gateways that end with the test; arguments as for GatewayProcess."""
    with ExitStack() as stack:

        def start(*arguments: str, **options: object) -> GatewayProcess:
            home = tmp_path / f"gateway-{len(list(tmp_path.glob('gateway-*')))}"
            home.mkdir()
            return stack.enter_context(GatewayProcess(home, *arguments, **options))  # type: ignore[arg-type]  # handed on

        yield start
