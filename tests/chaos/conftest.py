"""Stages for tests of their own settings, as the relay's have them."""

from tests.relay.conftest import build_stage

__all__ = ["build_stage"]
