"""One owner at a time, and a data directory that is private."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clearway.ledger.lock import AlreadyOwned, DataDirLock, OwnerInfo, read_owner
from clearway.ledger.protocol import LedgerError

INFO = OwnerInfo(pid=1, instance_id="me", version="0.1.0", started_us=5, url="http://127.0.0.1:1", socket="/run/s")
HOLDER = """
import sys, time
from pathlib import Path
from clearway.ledger.lock import DataDirLock, OwnerInfo
lock = DataDirLock(Path(sys.argv[1]))
lock.acquire(OwnerInfo(pid=4711, instance_id="child", version="0.1.0", started_us=5))
print("held", flush=True)
sys.stdin.read()
"""


def test_owner_is_known_until_released(tmp_path: Path) -> None:
    """While the lock is held everybody can read who holds it; afterwards nobody does."""
    data_dir = tmp_path / "data"

    assert read_owner(data_dir) is None

    with DataDirLock(data_dir) as lock:
        lock.acquire(INFO)

        assert read_owner(data_dir) == INFO

    assert read_owner(data_dir) is None


def test_second_owner_is_refused(tmp_path: Path) -> None:
    """The refusal names the owner and its address."""
    with DataDirLock(tmp_path / "data") as lock:
        lock.acquire(INFO)

        with pytest.raises(AlreadyOwned, match=r"process 1, a gateway at http://127\.0\.0\.1:1") as refused:
            DataDirLock(tmp_path / "data").acquire(INFO)

        assert refused.value.info == INFO


def test_publish_changes_what_others_know(tmp_path: Path) -> None:
    """An address that is known only later can be told later."""
    with DataDirLock(tmp_path / "data") as lock:
        lock.acquire(OwnerInfo(pid=1, instance_id="me", version="0.1.0", started_us=5))
        lock.publish(INFO)

        assert read_owner(tmp_path / "data") == INFO


def test_killed_owner_owns_nothing(tmp_path: Path) -> None:
    """What a killed owner left is not believed, and the next one can begin."""
    data_dir = tmp_path / "data"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        owner = read_owner(data_dir)
        assert owner is not None
        assert owner.pid == 4711

        child.send_signal(signal.SIGKILL)
        child.wait()

    assert (data_dir / "owner.json").exists()
    assert read_owner(data_dir) is None
    with DataDirLock(data_dir) as lock:
        lock.acquire(INFO)


def test_everything_is_private(tmp_path: Path) -> None:
    """The directory is 0700 and its files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        with DataDirLock(tmp_path / "data") as lock:
            lock.acquire(INFO)
            modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()}
    finally:
        os.umask(before)

    assert modes == {"owner.lock": 0o600, "owner.json": 0o600}
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_open_directory_is_closed(tmp_path: Path) -> None:
    """A data directory that others could read is made private."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o755)

    with DataDirLock(tmp_path / "data") as lock:
        lock.acquire(INFO)

    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_links_are_refused(tmp_path: Path) -> None:
    """Neither the directory nor the lock may lead elsewhere."""
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "data").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "owner.lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(LedgerError, match="symbolic link"):
        DataDirLock(tmp_path / "data").acquire(INFO)
    with pytest.raises(LedgerError, match=r"owner\.lock cannot be used"):
        DataDirLock(tmp_path / "real").acquire(INFO)

    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a directory for somebody else")
def test_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    """Another user's directory could be read by that user."""
    (tmp_path / "data").mkdir()
    os.chown(tmp_path / "data", 65534, 65534)

    with pytest.raises(LedgerError, match="belongs to another user"):
        DataDirLock(tmp_path / "data").acquire(INFO)
