"""Where the gateway listens, and the refusal to listen where it is not safe."""

import os
import resource
import socket
import tempfile
from pathlib import Path

from clearway.config.check import is_loopback
from clearway.config.model import Server

_BACKLOG = 4096
_MAX_CONNECTIONS = 10_000
_OWN_DESCRIPTORS = 64
"""For the ledger, the log, the event loop and the control socket's connections."""
_LONGEST_SOCKET_PATH = 100  # 108 on Linux, 104 on macOS, with the zero


class UnsafeBind(Exception):
    """The address may not be listened on as it is configured; says what to do."""


class CannotListen(Exception):
    """The address cannot be had; says why."""


def check_bind(server: Server) -> None:
    """Refuse an address that others reach, unless a proxy with TLS stands in front.

    Raises:
        UnsafeBind: It would send keys and prompts over the network in the clear.
    """
    if not is_loopback(server.host) and not server.behind_proxy:
        raise UnsafeBind(
            f"server.host = {server.host!r} can be reached from other machines, and what passes is not encrypted; "
            "listen on 127.0.0.1, or put a proxy with TLS in front and set server.behind_proxy = true"
        )


def listen_tcp(server: Server) -> socket.socket:
    """A listening socket.

    Raises:
        CannotListen: The port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((server.host, server.port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        reason = (error.strerror or "it cannot be had").lower()
        raise CannotListen(f"cannot listen on {server.host}:{server.port}: {reason}") from error
    sock.setblocking(False)  # noqa: FBT003  # the standard library's signature
    return sock


def url_of(sock: socket.socket) -> str:
    """The base URL that clients are pointed at."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def listen_control(data_dir: Path) -> tuple[socket.socket, Path]:
    """The control socket, mode 0600, and where it is."""
    path = data_dir / "control.sock"
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        path = Path(tempfile.mkdtemp(prefix="clearway-")) / "control.sock"
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    finally:
        os.umask(before)
    sock.listen(_BACKLOG)
    sock.setblocking(False)  # noqa: FBT003  # the standard library's signature
    return sock, path


def remove_control(path: Path, data_dir: Path) -> None:
    """Take the control socket away again, with the folder that was made for it."""
    path.unlink(missing_ok=True)
    if path.parent != data_dir:
        path.parent.rmdir()


def raise_descriptor_limit() -> int:
    """Use what the system allows; returns how many connections of clients that is enough for.

    Each exchange may need a descriptor on either side, and the ledger some of its own:
    who comes when none is left could only be reset, without a word.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY:
        return _MAX_CONNECTIONS
    return max(1, min(_MAX_CONNECTIONS, (hard - _OWN_DESCRIPTORS) // 2))
