"""A stage for each worker, cleared for each test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.relay.stage import Stage


@pytest.fixture(scope="session")
def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway with default settings; tests share it one after the other."""
    stage = Stage(tmp_path_factory.mktemp("stage"), settings='[models.aliases]\nswift = "claude-haiku-4-5"\n')
    with stage.upstream, stage.gateway:
        yield stage


@pytest.fixture
def stage(shared_stage: Stage) -> Iterator[Stage]:
    """The shared stage, with nothing going on before and after."""
    yield shared_stage
    shared_stage.books.wait_idle()


@pytest.fixture
def build_stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Builds stages with settings of their own that end with the test."""
    with ExitStack() as stack:

        def build(settings: str = "", upstreams: Callable[[str], str] | None = None) -> Stage:
            home = tmp_path / "stage"
            home.mkdir()
            stage = Stage(home, settings=settings, upstreams=upstreams)
            stack.enter_context(stage.upstream)
            stack.enter_context(stage.gateway)
            return stage

        yield build
