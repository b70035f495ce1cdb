"""A scene for each worker, and scenes of a test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.objects.scene import Scene


@pytest.fixture(scope="session")
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Tests share it one after the other; each makes keys of its own."""
    with Scene(tmp_path_factory.mktemp("scene")) as scene:
        yield scene


@pytest.fixture
def scene(shared_scene: Scene) -> Iterator[Scene]:
    """The shared scene, with an empty workspace."""
    shared_scene.workspace.clear()
    yield shared_scene
    shared_scene.books.wait_idle()


@pytest.fixture
def build_scene(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """Builds scenes with settings of their own that end with the test."""
    with ExitStack() as stack:

        def build(**options: object) -> Scene:
            home = tmp_path / f"scene-{len(list(tmp_path.glob('scene-*')))}"
            home.mkdir()
            return stack.enter_context(Scene(home, **options))  # type: ignore[arg-type]  # handed on

        yield build
