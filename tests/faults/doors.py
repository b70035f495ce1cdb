"""Upstreams that cannot be talked to: nobody at home, a queue that is full, TLS that is wrong.

Each is a port of 127.0.0.1 that is held while its context is open; those that accept
count connections and note who ended them. Used by the tests of the failures.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from tests.fake_upstream import PATIENCE_S, Talk

Greet = Callable[[socket.socket], object]


@dataclass
class Door:
    """A port that never becomes an upstream."""

    url: str
    talks: list[Talk] = field(default_factory=list)
    """Connections that were accepted so far."""
    changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_over(self, talk: Talk) -> None:
        """Return when either side has ended a connection."""
        with self.changed:
            assert self.changed.wait_for(lambda: talk.left_at or talk.ended_at, PATIENCE_S)


@contextlib.contextmanager
def refused() -> Iterator[Door]:
    """A port that is taken, so that nobody else gets it, and not listened on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield _door(held, "http")


@contextlib.contextmanager
def full() -> Iterator[Door]:
    """A listener that accepts nobody, and whose queue is full: nothing answers a SYN."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # Linux queues one more than told, and what is not queued stays unanswered (listen(2)).
        while stack.enter_context(_connecting(listener)).connect_ex(listener.getsockname()) == 0:
            pass
        yield _door(listener, "http")


def _connecting(listener: socket.socket) -> socket.socket:
    reaching = socket.socket(listener.family)
    reaching.settimeout(0.25)
    return reaching


@contextlib.contextmanager
def greeting(greet: Greet) -> Iterator[Door]:
    """A port for TLS where each connection is accepted, greeted, and read until it ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    door = _door(listener, "https")
    ended = threading.Event()

    def accept() -> None:
        while True:
            accepted, _ = listener.accept()
            if ended.is_set():
                accepted.close()
                return
            _receive(accepted, greet, door)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield door
    finally:
        ended.set()
        socket.create_connection(listener.getsockname()).close()
        thread.join(PATIENCE_S)
        listener.close()


def _receive(accepted: socket.socket, greet: Greet, door: Door) -> None:
    talk = Talk(said_at=time.monotonic())
    with door.changed:
        door.talks.append(talk)
    with accepted, contextlib.suppress(OSError):
        accepted.settimeout(PATIENCE_S)
        with contextlib.suppress(OSError):
            greet(accepted)
        while accepted.recv(65_536):
            pass
    with door.changed:
        talk.left_at = time.monotonic()
        door.changed.notify_all()


def silence(accepted: socket.socket) -> None:
    """Let the client begin, and say nothing."""
    del accepted


def plain_http(accepted: socket.socket) -> None:
    """What a server says that expected HTTP and was sent TLS."""
    accepted.recv(65_536)
    accepted.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")


class Certificates:
    """An authority that nobody trusts but who is given its file."""

    def __init__(self, home: Path) -> None:
        self._authority = trustme.CA()
        self.path = home / "authority.pem"
        self._authority.cert_pem.write_to_path(self.path)

    def server(self, name: str) -> Greet:
        """Greets with TLS, under a certificate for `name`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(name).configure_cert(context)

        def greet(accepted: socket.socket) -> object:
            with context.wrap_socket(accepted.dup(), server_side=True) as talking:
                return talking.recv(1)

        return greet


def _door(holding: socket.socket, scheme: str) -> Door:
    return Door(f"{scheme}://127.0.0.1:{holding.getsockname()[1]}")
