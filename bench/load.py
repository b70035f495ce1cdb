"""What loads a place: wrk for plain requests, many raw sockets for streams.

Runs on the core that the place doesn't have. Used by bench/run.py.
"""

import os
import selectors
import socket
import subprocess
import time
from pathlib import Path

import msgspec

from bench.places import HERE, LOAD_CORE, Place, need

_DELTA = b"event: content_block_delta"
_LAST = b"\r\n0\r\n\r\n"


class Plain(msgspec.Struct, frozen=True):
    """What wrk saw; times in microseconds."""

    requests: int
    micros: int
    p50: int
    p99: int
    failed: int


class Streams(msgspec.Struct, frozen=True):
    """What the open streams saw."""

    streams: int
    events: int
    failed: int


def body(size: int, *, stream: bool) -> bytes:
    """A request of about `size` bytes: a conversation of turns of 1 KB at most, prose and code in turns."""
    prose = 'I looked at "config.toml" and found nothing that says so;\nthe next step is to run the tests.  '
    turn = (prose * 10)[: min(1_000, max(100, size - 200))]
    count = max(1, size // (len(turn) + 40))
    messages = [{"role": ("user", "assistant")[number % 2], "content": turn} for number in range(count | 1)]
    asked = {"model": "claude-sonnet-5-5", "stream": stream, "max_tokens": 1024, "messages": messages}
    return msgspec.json.encode(asked)


def plain(place: Place, sent: Path, *, connections: int, seconds: float) -> Plain:
    """Requests as fast as they are answered, on so many connections."""
    command = [
        "taskset",
        "-c",
        str(LOAD_CORE),
        need("wrk", "wrk"),
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
    ]
    command += ["-s", str(HERE / "post.lua"), f"http://127.0.0.1:{place.port}", "--", str(sent), place.key]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return msgspec.json.decode(said.strip().splitlines()[-1], type=Plain)


def streams(place: Place, sent: bytes, *, connections: int, seconds: float) -> Streams:
    """Streams one after another on so many connections, until the time is over and the last has ended."""
    os.sched_setaffinity(0, {LOAD_CORE})
    request = _request(place, sent)
    until = time.monotonic() + seconds
    ended = events = failed = 0
    tails: dict[socket.socket, bytes] = {}
    with selectors.DefaultSelector() as waiting:
        for _ in range(connections):
            opened = socket.create_connection(("127.0.0.1", place.port), timeout=10)
            opened.sendall(request)
            tails[opened] = b""
            waiting.register(opened, selectors.EVENT_READ, opened)
        while tails:
            for ready, _ in waiting.select(10) or _give_up():
                one: socket.socket = ready.data
                got = one.recv(1 << 16)
                seen = tails[one] + got
                events += seen.count(_DELTA) - tails[one].count(_DELTA)
                tails[one] = seen[-len(_DELTA) - 8 :]
                whole = seen.endswith(_LAST)
                ended += whole
                failed += not got
                if got and not (whole and time.monotonic() >= until):
                    if whole:
                        one.sendall(request)
                    continue
                waiting.unregister(one)
                one.close()
                del tails[one]
    return Streams(ended, events, failed)


def _give_up() -> list[tuple[selectors.SelectorKey, int]]:
    raise TimeoutError("no event for ten seconds")


def _request(place: Place, sent: bytes) -> bytes:
    head = (
        f"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1:{place.port}\r\nx-api-key: {place.key}\r\n"
        f"anthropic-version: 2023-06-01\r\ncontent-type: application/json\r\ncontent-length: {len(sent)}\r\n\r\n"
    )
    return head.encode() + sent
