"""One gateway for a module, in front of an upstream that keeps every byte."""

from collections.abc import Iterator

import pytest

from tests.gateway_process import GatewayProcess, anthropic, passthrough
from tests.hostile.tap import Tap


@pytest.fixture(scope="module")
def shared_tap() -> Iterator[Tap]:
    """The upstream."""
    with Tap() as tap:
        yield tap


@pytest.fixture
def tap(shared_tap: Tap) -> Tap:
    """The upstream, as new."""
    shared_tap.renew()
    return shared_tap


@pytest.fixture(scope="module")
def gateway(shared_tap: Tap, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Reaches the upstream with the client's login, and with a credential of its own."""
    aliases = '[models.aliases]\n"swift" = "claude-haiku-4-5"\n"odd" = "claude\\r\\nx-injected: 1\\u0000\\u00e4"\n'
    config = aliases + passthrough(shared_tap.url) + anthropic(shared_tap.url)
    home = tmp_path_factory.mktemp("gateway")
    with GatewayProcess(home, config, environment={"UPSTREAM_CREDENTIAL": "dummy-upstream-credential"}) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def key(gateway: GatewayProcess) -> str:
    """A key that may do everything."""
    return gateway.new_key("anyone")
