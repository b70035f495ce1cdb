"""A client in a few lines, for cases where it matters when and how it leaves, and what the upstream saw.

Used by bench/cases and bench/soak.
"""

import socket
import time

import msgspec

from bench.places import Failed, Fake, Place
from bench.request import request

PATIENCE_S = 20.0


class Seen(msgspec.Struct, frozen=True):
    """The upstream's counters since its start."""

    begun: int
    """Requests whose head came."""
    requests: int
    """Requests that came whole."""
    streams: int
    dropped: int
    """Connections that ended within a request or an answer."""
    dropped_ns: int
    """When the last of them did, on the monotonic clock."""
    sent_bytes: int
    connections: int
    open: int
    answering: int


def seen(fake: Fake) -> Seen:
    """Ask the upstream itself."""
    with socket.create_connection(("127.0.0.1", fake.port), PATIENCE_S) as asked:
        asked.sendall(b"GET /stats HTTP/1.1\r\nhost: upstream\r\n\r\n")
        _, _, said = whole_answer(asked).partition(b"\r\n\r\n")
    return msgspec.json.decode(said, type=Seen)


def wait_seen(fake: Fake, name: str, more_than: int, patience_s: float = PATIENCE_S) -> Seen:
    """Return when one of its counters has grown past a value."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        now = seen(fake)
        if getattr(now, name) > more_than:
            return now
        time.sleep(0.002)
    raise Failed(f"the upstream's `{name}` stays at {more_than}")


def ask(place: Place, sent: bytes, *, length: int | None = None, receive_buffer: int = 0) -> socket.socket:
    """A new connection with a request on it; `length` promises a longer body."""
    opened = socket.socket()
    opened.settimeout(PATIENCE_S)
    if receive_buffer:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    opened.connect(("127.0.0.1", place.port))
    opened.sendall(request(place.port, place.key, sent, length=length))
    return opened


def until_said(opened: socket.socket, mark: bytes) -> bytes:
    """Read until that has come.

    Raises:
        Failed: The answer is another one, or ends before.
    """
    said = b""
    while mark not in said:
        got = opened.recv(1 << 16)
        if not got or not (said + got).startswith(b"HTTP/1.1 200"):
            raise Failed(f"instead of {mark!r} came {(said + got)[:300]!r}")
        said += got
    return said


def whole_answer(opened: socket.socket) -> bytes:
    """Read a plain answer of known length to its end, head and all."""
    said = until_said(opened, b"\r\n\r\n")
    head, _, rest = said.partition(b"\r\n\r\n")
    length = next(
        (int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")),
        -1,
    )
    if length < 0:
        raise Failed(f"an answer without a length: {head[:300]!r}")
    while len(rest) < length:
        got = opened.recv(1 << 16)
        if not got:
            raise Failed("the answer ended early")
        rest += got
    return head + b"\r\n\r\n" + rest


def warm(place: Place, requests: int = 50) -> None:
    """Let the place do once what it does the first time only."""
    for _ in range(requests):
        with ask(place, b'{"model":"claude-sonnet-5-5","max_tokens":1,"messages":[]}') as opened:
            whole_answer(opened)
