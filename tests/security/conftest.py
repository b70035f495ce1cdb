"""One gateway for a module's table; each test finds it as new."""

from collections.abc import Iterator

import pytest

from tests.security.world import World


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both kinds of upstream, one alias."""
    with World(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture
def world(shared_world: World) -> World:
    """The module's gateway; its upstreams have received nothing and say the usual."""
    shared_world.renew()
    return shared_world


@pytest.fixture(scope="module")
def key(shared_world: World) -> str:
    """A key that may do everything."""
    return shared_world.gateway.new_key("anyone")
