"""A gateway that cannot keep anything does not start, and says why in one line."""

from pathlib import Path

import pytest

from tests.chaos.disk import fill_up, read_only, small_disk
from tests.gateway_process import SIM, GatewayProcess


@pytest.mark.timeout(90)
@pytest.mark.parametrize("has_ledger", [True, False], ids=["with-ledger", "empty"])
def test_full_disk(tmp_path: Path, *, has_ledger: bool) -> None:
    """On a full disk `serve` fails with a line that names the place, and leaves no draft of a file there."""
    gateway = GatewayProcess(tmp_path, SIM)
    with small_disk(gateway.data_dir):
        if has_ledger:
            with gateway:
                pass
        before = {path.name for path in gateway.data_dir.iterdir()}
        fill_up(gateway.data_dir / "ballast")

        said = _start(gateway)
        left = {path.name for path in gateway.data_dir.iterdir()}

        assert said.endswith("No space left on device")
        assert str(gateway.data_dir) in said
        assert {"ballast", "owner.lock"} >= left - before
        (gateway.data_dir / "ballast").unlink()
        with gateway:
            pass


@pytest.mark.timeout(90)
@pytest.mark.parametrize("has_ledger", [True, False], ids=["with-ledger", "empty"])
def test_read_only_disk(tmp_path: Path, *, has_ledger: bool) -> None:
    """On a disk that takes no writes `serve` fails with a line that names the place."""
    gateway = GatewayProcess(tmp_path, SIM)
    with small_disk(gateway.data_dir):
        if has_ledger:
            with gateway:
                pass
        with read_only(gateway.data_dir):
            said = _start(gateway)

        assert said.endswith("Read-only file system")
        assert str(gateway.data_dir) in said


def _start(gateway: GatewayProcess) -> str:
    """The line that a failed start says."""
    failed = gateway.cli("serve", "--port", "0", check=False)
    assert 1 == failed.returncode
    (line,) = failed.stderr.strip().splitlines()
    return line
