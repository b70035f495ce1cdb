"""One gateway for the tests of a module; each makes keys of its own."""

from collections.abc import Iterator

import pytest

from tests.limits.purse import Purse


@pytest.fixture(scope="module")
def purse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Purse]:
    """A gateway without a budget of its own."""
    with Purse(tmp_path_factory.mktemp("purse")) as purse:
        yield purse
