"""The control socket: for its owner alone, and gone afterwards."""

import contextlib
import stat
from pathlib import Path

import pytest

from clearway.server.listen import listen_control, remove_control


@pytest.mark.parametrize("deep", [1, 40], ids=["beside-the-ledger", "too-long-a-path-for-a-socket"])
def test_made_and_removed(tmp_path: Path, deep: int) -> None:
    """Mode 0600, in a place that only its owner enters; nothing is left behind."""
    data_dir = tmp_path.joinpath(*["folder"] * deep)
    data_dir.mkdir(parents=True, mode=0o700)
    sock, path = listen_control(data_dir)
    with contextlib.closing(sock):
        modes = (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode))
    parent = path.parent
    remove_control(path, data_dir)

    assert modes[0] == 0o600
    assert deep == 1 or modes[1] == 0o700
    assert not path.exists()
    assert parent.exists() == (parent == data_dir)
