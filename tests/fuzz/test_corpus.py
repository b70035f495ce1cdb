"""Every input that was ever worth keeping keeps the promises."""

import pytest

from tests.fuzz.run import CORPUS
from tests.fuzz.targets import TARGETS

KEPT = [
    pytest.param(target, path.read_bytes(), id=f"{target}-{path.name}")
    for target in TARGETS
    for path in sorted((CORPUS / target).iterdir())
]


@pytest.mark.parametrize(("target", "data"), KEPT)
def test_kept(target: str, data: bytes) -> None:
    """Seeds and findings."""
    TARGETS[target](data)


def test_nothing_is_left_out() -> None:
    """Each folder of the corpus has a target, and each target has seeds."""
    folders = {path.name for path in CORPUS.iterdir()}

    assert set(TARGETS) == folders
    assert all(any((CORPUS / target).iterdir()) for target in TARGETS)
