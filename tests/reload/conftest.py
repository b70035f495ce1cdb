"""Places for the tests of this folder."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.reload.place import Place


@pytest.fixture
def build_place(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Builds a place that ends with the test."""
    with ExitStack() as stack:

        def build(settings: str = "", *, arguments: tuple[str, ...] = ()) -> Place:
            return stack.enter_context(Place(tmp_path, settings, arguments=arguments))

        yield build


@pytest.fixture
def place(build_place: Callable[..., Place]) -> Place:
    """One with the default settings."""
    return build_place()
