"""What the checks stand on: the relay's stage, the world of two secrets, and SDKs that know nothing of this machine."""

from pathlib import Path

import pytest

from tests.clients.sdk import forget_this_machine
from tests.relay.conftest import build_stage, shared_stage, stage
from tests.security.conftest import key, shared_world, world

__all__ = ["build_stage", "key", "shared_stage", "shared_world", "stage", "world"]


@pytest.fixture
def _no_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """For tests that use an SDK in this process."""
    forget_this_machine(monkeypatch, tmp_path)
