"""Services for the tests of a module, and two gateways on them."""

from collections.abc import Iterator

import pytest

from tests.limits.shared.several import Several
from tests.services import Postgres, ServiceMissing, ValkeyProcess, postgres, require


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    """A PostgreSQL of the module's own."""
    try:
        with postgres() as running:
            yield running
    except ServiceMissing as missing:
        require(missing)


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyProcess]:
    """A Valkey of the module's own."""
    try:
        process = ValkeyProcess()
        with process:
            yield process
    except ServiceMissing as missing:
        require(missing)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, database: Postgres, valkey: ValkeyProcess) -> Iterator[Several]:
    """Two gateways without budgets of their own."""
    with Several(tmp_path_factory.mktemp("two"), database, valkey) as several:
        yield several
