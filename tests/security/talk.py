"""Speaking to a gateway in raw bytes, as an honest client or a hostile one.

A client library would repair, refuse or merge what these suites need to send.
"""

import contextlib
import http.client
import io
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

PATIENCE_S = 10.0
Fields = tuple[tuple[str, str], ...]
ASK: dict[str, object] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 16,
    "messages": [{"role": "user", "content": "hi"}],
}


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer as it came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a field, None where it is missing."""
        return next((value for field, value in self.headers if field == name), None)

    @property
    def error(self) -> str | None:
        """Our own error code; None where the answer is not one of ours."""
        return self.header("x-clearway-error")

    @property
    def message(self) -> str:
        """The message of an error in Anthropic's shape, which is checked."""
        shape = msgspec.json.decode(self.body, type=dict[str, object])
        inner = shape["error"]

        assert shape["type"] == "error"
        assert isinstance(inner, dict)
        assert isinstance(inner["type"], str)
        return str(inner["message"])


def connect(url: str) -> socket.socket:
    """A connection to a gateway."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return socket.create_connection((parts.hostname, parts.port), PATIENCE_S)


def exchange(url: str, data: bytes, *, method: str = "POST") -> Answered | None:
    """Send bytes and read one answer; None where the connection ends without one."""
    with connect(url) as sock:
        # Refused while we were still talking: the answer may be there all the same.
        with contextlib.suppress(ConnectionError):
            sock.sendall(data)
        return _read(sock, method)


def conversation(url: str, data: bytes) -> list[Answered]:
    """Send bytes and read every answer until the gateway ends the connection."""
    with connect(url) as sock:
        sock.sendall(data)
        said = b""
        with contextlib.suppress(ConnectionError):
            while piece := sock.recv(65_536):
                said += piece
    stream = _Bytes(said)
    answers = []
    while stream.left:
        answer = _read(stream, "POST")
        if answer is None:
            break
        answers.append(answer)
    return answers


def head(method: str, target: str, *fields: tuple[str, str], host: str | None = "127.0.0.1") -> bytes:
    """A request head of HTTP/1.1, exactly as told."""
    lines = [f"{method} {target} HTTP/1.1", *([f"Host: {host}"] if host is not None else [])]
    lines += [f"{name}: {value}" for name, value in fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def request(
    target: str, *fields: tuple[str, str], body: bytes = b"", method: str = "POST", host: str | None = "127.0.0.1"
) -> bytes:
    """A whole request with a body of known length."""
    return head(method, target, *fields, ("content-length", str(len(body))), host=host) + body


def ask(
    url: str,
    *fields: tuple[str, str],
    target: str = "/v1/messages",
    method: str = "POST",
    body: bytes | dict[str, object] = ASK,
) -> Answered:
    """One honest request and its answer."""
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    answer = exchange(
        url, request(target, *fields, body=b"" if method == "GET" else data, method=method), method=method
    )

    assert answer is not None
    return answer


class _Bytes:
    """Bytes in the place of a socket, for http.client, read answer by answer."""

    def __init__(self, data: bytes) -> None:
        self._stream = _Open(data)

    @property
    def left(self) -> bool:
        return self._stream.tell() < self._stream.getbuffer().nbytes

    def makefile(self, mode: str) -> io.BytesIO:  # noqa: ARG002  # the signature of sockets
        return self._stream


class _Open(io.BytesIO):
    """Stays open when one answer has been read."""

    def close(self) -> None:
        """Not yet."""


def _read(source: socket.socket | _Bytes, method: str) -> Answered | None:
    answer = http.client.HTTPResponse(source, method=method)  # type: ignore[arg-type]  # needs makefile only
    try:
        answer.begin()
        body = answer.read()
    except http.client.IncompleteRead as error:
        body = error.partial
    except (http.client.BadStatusLine, ConnectionError):
        return None
    return Answered(answer.status, tuple((name.lower(), value) for name, value in answer.getheaders()), body)
