"""An upstream that keeps every byte of every connection, in order.

It answers each request that a strict reader finds in them, and understands nothing
else: what a test compares is the bytes. Used by the suites of hostile bytes.
"""

import contextlib
import re
import socket
import threading
from types import TracebackType
from typing import Self

import msgspec

from tests.fuzz.http1 import read_requests
from tests.security.talk import PATIENCE_S
from tests.security.world import MESSAGE

_BODY = msgspec.json.encode(MESSAGE)
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


class Tap:
    """Listens on 127.0.0.1 while the context is open."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._open: list[tuple[socket.socket, threading.Thread]] = []
        self._kept: list[bytearray] = []
        self._marks: list[int] = []
        self._lock = threading.Lock()
        self.says = OK
        """What every request is answered with."""

    @property
    def authority(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.authority}"

    @property
    def bytes(self) -> bytes:
        """What came since the test began, one connection after the other."""
        with self._lock:
            marks = [*self._marks, *[0] * (len(self._kept) - len(self._marks))]
            return b"".join(bytes(kept[mark:]) for kept, mark in zip(self._kept, marks, strict=True))

    def renew(self) -> None:
        """Forget what came. Nothing may be on its way."""
        with self._lock:
            self._marks = [len(kept) for kept in self._kept]
        self.says = OK

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Closing alone does not wake the threads that wait.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(PATIENCE_S)
        for connection, talking in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            talking.join(PATIENCE_S)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            kept = bytearray()
            with self._lock:
                self._kept.append(kept)
            talking = threading.Thread(target=self._talk, args=(accepted, kept), daemon=True)
            self._open.append((accepted, talking))
            talking.start()

    def _talk(self, connection: socket.socket, kept: bytearray) -> None:
        read = needed = 0
        with connection, contextlib.suppress(ConnectionError):
            while data := connection.recv(1 << 20):
                with self._lock:
                    kept += data
                if len(kept) < needed:
                    continue
                found = read_requests(bytes(kept[read:]))
                connection.sendall(self.says * len(found.whole))
                read += found.end
                needed = read + (_size(bytes(kept[read:])) if found.begun else 0)


def _size(request: bytes) -> int:
    """Of a request whose head is there, so that a large body is read once."""
    head, _, _ = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: ([0-9]+)", head)
    return len(head) + 4 + int(length[1]) if length else 0
