"""The simulated model for the conformance suite of upstreams."""

import contextlib
from collections.abc import AsyncIterator

from clearway.upstreams.protocol import Upstream
from tests.sim.asking import make_sim


@contextlib.asynccontextmanager
async def sim() -> AsyncIterator[Upstream]:
    """As it comes."""
    yield make_sim()
