"""A client on a bare socket: it sends what a test wrote and tells how the answer ended.

Owns the reading of one HTTP/1.1 answer at a time, framing included; it never
repairs, retries or decodes anything. Rules: RFC 9112, sections 6 and 7.
Used by the tests of the relay.
"""

import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import msgspec

from tests.fake_upstream import Fields

PATIENCE_S = 15.0
MODEL = "claude-sonnet-5-5"
# Not anybody's credential: only its form is real.
OWN_CREDENTIAL = ("x-api-key", "sk-ant-api03-" + "dummy" * 8)
JSON = ("content-type", "application/json")
VERSION = ("anthropic-version", "2023-06-01")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer."""

    status: int
    headers: list[tuple[str, str]]

    def header(self, name: str) -> str | None:
        """The only value of a field, None where it is missing."""
        values = [value for field, value in self.headers if field == name]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def exchange_id(self) -> str:
        """What `clearway show` takes."""
        value = self.header("x-clearway-exchange")
        assert value, f"no exchange in {self}"
        return value


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer that was read to its end."""

    head: Head
    body: bytes
    complete: bool
    """Its framing says that nothing is missing."""

    def error(self) -> tuple[str, str]:
        """`error.type` and `error.message` of the body."""
        said = msgspec.json.decode(self.body, type=dict[str, object])["error"]
        assert isinstance(said, dict)
        return said["type"], said["message"]


class Client:
    """One connection to a gateway while the context is open.

    Args:
        url: `http://127.0.0.1:PORT`.
        receive_buffer: Bytes that the kernel may hold unread; None: its own choice.
    """

    def __init__(self, url: str, *, receive_buffer: int | None = None) -> None:
        where = urlsplit(url)
        self._host = where.netloc
        self._socket = socket.socket()
        if receive_buffer is not None:
            # Before connecting, so that the window is small from the start (tcp(7)).
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(PATIENCE_S)
        try:
            self._socket.connect((where.hostname, where.port))
        except BaseException:
            self._socket.close()
            raise
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self._left: int | None = 0

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def request(self, method: str, target: str, headers: Fields = (), body: bytes | None = None) -> None:
        """Send a request, with its length where it has a body."""
        self.send(self.head(method, target, headers, None if body is None else len(body)) + (body or b""))

    def head(self, method: str, target: str, headers: Fields = (), length: int | None = None) -> bytes:
        """The bytes before a body."""
        fields = [("host", self._host), *headers]
        if length is not None:
            fields.append(("content-length", str(length)))
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def ask(self, body: bytes, headers: Fields = (OWN_CREDENTIAL,), target: str = "/v1/messages") -> None:
        """Post to the Messages API."""
        self.request("POST", target, [*headers, VERSION, JSON], body)

    def read_interim(self) -> bytes:
        """The next head as it stands, whatever its status."""
        while b"\r\n\r\n" not in self._buffer:
            data = self._socket.recv(65_536)
            assert data, f"the connection ended within a head: {self._buffer!r}"
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head

    def read_head(self, *, has_body: bool = True) -> Head:
        """The head of the answer; afterwards its body can be read."""
        first, *lines = self.read_interim().decode("latin-1").split("\r\n")
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        head = Head(int(first.split(" ")[1]), headers)
        length = head.header("content-length")
        if head.header("transfer-encoding") is not None:
            assert length is None
            self._left = None
        else:
            self._left = int(length or 0) if has_body else 0
        return head

    def read_piece(self) -> bytes:
        """What comes next of the body; b"" at its proper end.

        Raises:
            ConnectionError: The connection ended before.
        """
        if self._left is not None:
            taken = b""
            if self._left:
                taken = self._buffer or self._receive()
                self._buffer = taken[self._left :]
                taken = taken[: self._left]
                self._left -= len(taken)
            return taken
        size = int(self._take_line().split(b";")[0], 16)
        piece = self._take(size)
        end = self._take(2)
        assert end == b"\r\n"
        if not size:
            self._left = 0
        return piece

    def read_until(self, needle: bytes) -> bytes:
        """The body up to the piece in which `needle` has come whole."""
        seen = b""
        while needle not in seen:
            piece = self.read_piece()
            assert piece, f"the answer ended without {needle!r}: {seen!r}"
            seen += piece
        return seen

    def read_rest(self) -> tuple[bytes, bool]:
        """The rest of the body, and whether it came to its proper end."""
        parts = []
        try:
            while piece := self.read_piece():
                parts.append(piece)
        except ConnectionError:
            return b"".join(parts), False
        return b"".join(parts), True

    def read_whole(self, *, has_body: bool = True) -> Whole:
        """The whole answer."""
        head = self.read_head(has_body=has_body)
        return Whole(head, *self.read_rest())

    def has_more(self) -> bool:
        """Something has come that was not read."""
        if self._buffer:
            return True
        self._socket.settimeout(0)
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        finally:
            self._socket.settimeout(PATIENCE_S)

    def is_ended(self) -> bool:
        """Wait for the end of the connection; False: bytes came instead, and can be read."""
        try:
            return not self._buffer and not self._socket.recv(1, socket.MSG_PEEK)
        except ConnectionError:
            return True

    def finish(self) -> None:
        """Send no more, and go on listening (FIN)."""
        self._socket.shutdown(socket.SHUT_WR)

    def leave(self) -> None:
        """Go away as a program that ended does."""
        self._socket.close()

    def reset(self) -> None:
        """Go away as a program that crashed does (RST; socket(7), SO_LINGER)."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()

    def _receive(self) -> bytes:
        data = self._socket.recv(65_536)
        if not data:
            raise ConnectionError("the connection ended")
        return data

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._buffer += self._receive()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _take_line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._buffer += self._receive()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line


def prompt(text: str = "hi", *, stream: bool = True, model: str = MODEL, **members: object) -> bytes:
    """The body of a request."""
    return msgspec.json.encode(
        {
            "model": model,
            "max_tokens": 100,
            "stream": stream,
            **members,
            "messages": [{"role": "user", "content": text}],
        }
    )
