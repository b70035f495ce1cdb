"""Safe from the first day: where it listens, what its files are like, and who may start it."""

import os
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.gateway_process import PROGRAM, SIM, GatewayProcess, passthrough
from tests.security.talk import ask

PATIENCE_S = 15


class Home:
    """An empty home, and the program in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data_dir = root / "data"
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(root), "LANG": "C.UTF-8"}

    def run(self, *arguments: str, config: str = SIM, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
        """Run a command that is expected to end by itself."""
        (self.root / "clearway.toml").write_text(f'{config}\n[server]\ndata_dir = "{self.data_dir}"\n')
        return self.run_as_is(*arguments, umask=umask)

    def run_as_is(self, *arguments: str, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
        """The same with the configuration that is there."""
        return subprocess.run(
            [PROGRAM, *arguments],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            umask=umask,
        )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def listening(pid: int) -> set[tuple[str, int]]:
    """The addresses that a process listens on, as the kernel knows them."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            name = str(entry.readlink())
        except FileNotFoundError:
            continue
        if name.startswith("socket:["):
            inodes.add(name[8:-1])
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and columns[9] in inodes:  # 0A: LISTEN (proc(5))
                address, port = columns[1].split(":")
                raw = b"".join(int(address[at : at + 8], 16).to_bytes(4, "little") for at in range(0, len(address), 8))
                found.add((socket.inet_ntop(family, raw), int(port, 16)))
    return found


def test_it_listens_on_loopback_alone(start_gateway: Callable[..., GatewayProcess]) -> None:
    """Without a word about it: one address, 127.0.0.1."""
    gateway = start_gateway()

    assert {("127.0.0.1", int(gateway.url.rsplit(":", 1)[1]))} == listening(gateway.pid)


REACHED_BY_OTHERS = ["::", "192.168.1.4", "10.0.0.1", "gateway.lan", "::ffff:0:0"]


@pytest.mark.parametrize(
    ("host", "way"),
    [*[("0.0.0.0", way) for way in ("file", "flag", "environment")], *[(host, "file") for host in REACHED_BY_OTHERS]],  # noqa: S104  # refused, not bound
)
def test_it_does_not_listen_where_others_hear(home: Home, host: str, way: str) -> None:
    """Whoever asks for it: exit code 3 and a sentence that says what to do, before a file is made."""
    (home.root / "clearway.toml").write_text(
        f'{SIM}\n[server]\ndata_dir = "{home.data_dir}"\n' + (f'host = "{host}"\n' if way == "file" else "")
    )
    if way == "environment":
        home.environment["CLEARWAY_SERVER__HOST"] = host
    done = home.run_as_is("serve", "--port", "0", "--json", *(("--host", host) if way == "flag" else ()))

    assert (3, "") == (done.returncode, done.stdout)
    assert "behind_proxy" in done.stderr
    assert "127.0.0.1" in done.stderr
    assert host in done.stderr
    assert not home.data_dir.exists()


def test_behind_a_proxy_it_may(start_gateway: Callable[..., GatewayProcess]) -> None:
    """Said explicitly: then nobody is served without a key, whoever they are."""
    gateway = start_gateway(SIM + "[server]\nbehind_proxy = true\n", arguments=("--host", "0.0.0.0"))  # noqa: S104  # what is tested
    ((address, port),) = listening(gateway.pid)
    key = gateway.new_key("k")
    url = f"http://127.0.0.1:{port}"

    assert "0.0.0.0" == address  # noqa: S104
    assert 401 == ask(url).status
    assert 401 == ask(url, ("authorization", "Bearer sk-ant-oat01-x")).status
    assert 200 == ask(url, ("x-api-key", key)).status


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_it_keeps_is_its_owners(tmp_path: Path, umask: int) -> None:
    """Directory 0700, files and socket 0600, whatever the umask; nothing else is made."""
    before = os.umask(umask)
    try:
        with GatewayProcess(tmp_path) as gateway:
            key = gateway.new_key("k")
            ask(gateway.url, ("x-api-key", key))
            gateway.settled(1)
            found = {path.name: path.lstat() for path in [gateway.data_dir, *gateway.data_dir.rglob("*")]}
    finally:
        os.umask(before)
    left = {path.name: path.lstat() for path in [gateway.data_dir, *gateway.data_dir.rglob("*")]}

    # The names that other tests of this file plant links at.
    assert {"data", "owner.lock", "owner.json", "control.sock", "ledger.db", "ledger.db-wal"} <= set(found)
    for seen in (found, left):
        for name, status in seen.items():
            is_dir = stat.S_ISDIR(status.st_mode)

            assert (name, 0o700 if is_dir else 0o600) == (name, stat.S_IMODE(status.st_mode))
            assert not stat.S_ISLNK(status.st_mode)
    assert not {"control.sock", "owner.json"} & set(left)


def test_a_directory_that_was_open_is_closed(start_gateway: Callable[..., GatewayProcess], tmp_path: Path) -> None:
    """Modes that were too wide before are narrowed."""
    data_dir = tmp_path / "wide"
    data_dir.mkdir(mode=0o755)
    data_dir.chmod(0o777)
    start_gateway(environment={"CLEARWAY_SERVER__DATA_DIR": str(data_dir)})

    assert 0o700 == stat.S_IMODE(data_dir.stat().st_mode)


@pytest.mark.parametrize("name", ["", "ledger.db", "owner.lock"], ids=["directory", "database", "lock"])
@pytest.mark.parametrize(
    "command", [("serve", "--port", "0", "--json"), ("keys", "create", "k")], ids=["serve", "keys"]
)
def test_links_are_not_followed(home: Home, name: str, command: tuple[str, ...]) -> None:
    """A directory, database or lock that is a link is refused; what it points to stays as it was."""
    elsewhere = home.root / "elsewhere"
    if name:
        home.data_dir.mkdir(mode=0o700)
        elsewhere.write_bytes(b"precious")
        (home.data_dir / name).symlink_to(elsewhere)
    else:
        elsewhere.mkdir()
        home.data_dir.symlink_to(elsewhere)
    done = home.run(*command)

    assert (1, "") == (done.returncode, done.stdout)
    assert "link" in done.stderr
    if name:
        assert b"precious" == elsewhere.read_bytes()
    else:
        assert [] == list(elsewhere.iterdir())


def test_a_planted_socket_is_replaced(start_gateway: Callable[..., GatewayProcess], tmp_path: Path) -> None:
    """What lies where the control socket belongs is not connected to, and a link there is not followed."""
    data_dir = tmp_path / "planted"
    data_dir.mkdir(mode=0o700)
    target = tmp_path / "target"
    target.write_text("precious")
    (data_dir / "control.sock").symlink_to(target)
    start_gateway(environment={"CLEARWAY_SERVER__DATA_DIR": str(data_dir)})
    status = (data_dir / "control.sock").lstat()

    assert stat.S_ISSOCK(status.st_mode)
    assert 0o600 == stat.S_IMODE(status.st_mode)
    assert "precious" == target.read_text()


def test_one_data_directory_has_one_gateway(start_gateway: Callable[..., GatewayProcess]) -> None:
    """A second one is refused with exit code 5 and told where the first is; the first goes on."""
    gateway = start_gateway()
    done = gateway.cli("serve", "--port", "0", "--json", check=False)

    assert (5, "") == (done.returncode, done.stdout)
    assert gateway.url in done.stderr
    assert str(gateway.pid) in done.stderr
    assert "hint: " in done.stderr
    assert 200 == ask(gateway.url, method="GET", target="/health").status


def test_health_tells_nothing(start_gateway: Callable[..., GatewayProcess]) -> None:
    """Without a key: that it lives, and neither version, paths nor upstreams."""
    gateway = start_gateway(passthrough("http://127.0.0.1:9"))
    for target in ("/health", "/v1/health", "/ready", "/api/hello"):
        said = ask(gateway.url, target=target, method="GET")

        assert 200 == said.status
        assert {"status"} == set(msgspec.json.decode(said.body, type=dict[str, str]))
        assert said.header("server") is None


def test_there_is_no_default_secret(start_gateway: Callable[..., GatewayProcess]) -> None:
    """A new installation has no key at all where nobody would see it."""
    gateway = start_gateway()

    assert "[]" == gateway.cli("keys", "list", "--json", "--all").stdout.strip()
    assert "cw-" not in gateway.log
