"""The ledger on both databases: a test that takes `place` or `store` runs twice."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import create_engine, text

from clearway.core.ids import IdMaker
from clearway.ledger.store import Store
from tests.ledger.stories import TestClock
from tests.services import Postgres, ServiceMissing, postgres, require


class Place(msgspec.Struct, frozen=True):
    """Where one test's ledger is."""

    url: str
    data_dir: Path


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A PostgreSQL for this worker; tests get a schema of their own in it."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(postgres())
        except ServiceMissing as missing:
            require(missing)
            raise
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty ledger of each kind."""
    if request.param == "sqlite":
        return Place("sqlite", tmp_path / "data")
    return new_schema(request.getfixturevalue("server"), tmp_path)


@pytest.fixture
def other_place(place: Place, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A second empty ledger of the same kind."""
    if place.url == "sqlite":
        return Place("sqlite", tmp_path / "other")
    return new_schema(request.getfixturevalue("server"), tmp_path)


@pytest.fixture
def clock() -> TestClock:
    """Stands still until it is moved."""
    return TestClock()


@pytest.fixture
def open_store(place: Place, clock: TestClock) -> Iterator[Callable[[], Store]]:
    """Opens the test's ledger, several times if asked; closed with the test."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Store.open(place.url, place.data_dir, clock=clock, ids=IdMaker(clock)))


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    """An open, empty ledger."""
    return open_store()


def new_schema(server: Postgres, tmp_path: Path) -> Place:
    """A ledger in a schema of its own: much faster than a database of its own."""
    name = f"t{secrets.token_hex(8)}"
    engine = create_engine(server.url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    engine.dispose()
    return Place(f"{server.url}?options=-csearch_path%3D{name}", tmp_path / "data")
