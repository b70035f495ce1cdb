"""An upstream that keeps every byte of every connection, in order.

It answers each request that a strict reader finds in them, and understands nothing
else: what a test compares is the bytes. Used by the suites of hostile bytes.
"""

import socket
import threading
from types import TracebackType
from typing import Self

import msgspec

from tests.fuzz.http1 import read_requests
from tests.security.world import MESSAGE

_BODY = msgspec.json.encode(MESSAGE)
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


class Tap:
    """Listens on 127.0.0.1 while the context is open."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._kept: list[bytearray] = []
        self._seen = 0
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
            return b"".join(self._kept)[self._seen :]

    def renew(self) -> None:
        """Forget what came. Nothing may be on its way."""
        with self._lock:
            self._seen = sum(map(len, self._kept))
        self.says = OK

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Closing alone does not wake the thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
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
            threading.Thread(target=self._talk, args=(accepted, kept), daemon=True).start()

    def _talk(self, connection: socket.socket, kept: bytearray) -> None:
        answered = 0
        with connection:
            try:
                while data := connection.recv(1 << 16):
                    with self._lock:
                        kept += data
                    found = len(read_requests(bytes(kept)).whole)
                    connection.sendall(self.says * (found - answered))
                    answered = found
            except ConnectionError:
                return
