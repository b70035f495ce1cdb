"""A stage with cool-downs off, shared within a module."""

from collections.abc import Iterator

import pytest

from tests.relay.stage import Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway in front of one scripted upstream, reached with either credential."""
    settings = '[server]\nwrong_keys_per_minute = 0\n[models.aliases]\nswift = "claude-haiku-4-5"\n'
    stage = Stage(tmp_path_factory.mktemp("stage"), settings=settings)
    with stage.upstream, stage.gateway:
        yield stage
