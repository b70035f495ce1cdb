"""Every asynchronous test here runs on both event loops that Clearway runs on."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import trustme
import uvloop

from tests.upstreams.speakers import Speaker


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """An authority that nobody but these tests trusts."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    """Its certificate, as a setting names it."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the failures that a speaker is known for, by test or by `test[case]`."""
    for item in items:
        call = getattr(item, "callspec", None)
        speaker = call.params.get("speaker") if call is not None else None
        if call is None or not isinstance(speaker, Speaker):
            continue
        name = getattr(item, "originalname", "")
        for broken, reason in speaker.breaks.items():
            test, _, case = broken.removesuffix("]").partition("[")
            if name == test and (not case or call.id.endswith(f"-{case}") or call.id.startswith(f"{case}-")):
                item.add_marker(pytest.mark.xfail(strict=True, reason=reason))
