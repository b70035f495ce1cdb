"""What loads a place: wrk for plain requests, bench/streams.c for streams.

Runs on the core that the place doesn't have. Used by bench/cases.
"""

import subprocess
from collections.abc import Callable

import msgspec

from bench.places import HERE, LOAD_CORE, Failed, Place, need
from bench.request import fields, request


class Plain(msgspec.Struct, frozen=True):
    """What wrk saw; times in microseconds."""

    requests: int
    micros: int
    p50: int
    p99: int
    failed: int


class Streams(msgspec.Struct, frozen=True):
    """What the open streams saw; how late events came, in microseconds."""

    streams: int
    events: int
    failed: int
    p50: int
    p99: int
    worst: int


def plain(  # the ways in which requests differ
    place: Place, sent: bytes, *, connections: int, seconds: float, bare: bool = False, path: str = "/v1/messages"
) -> Plain:
    """Requests as fast as they are answered, on so many connections."""
    (body := place.home / "sent").write_bytes(sent)
    (head := place.home / "fields").write_text("\n".join(fields(place.key, bare=bare)) + "\n")
    command = [*_on_load_core(), need("wrk", "wrk"), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    command += ["-s", str(HERE / "post.lua"), f"http://127.0.0.1:{place.port}", "--", str(body), str(head), path]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seen = msgspec.json.decode(said.strip().splitlines()[-1], type=Plain)
    if seen.failed or not seen.requests:
        raise Failed(f"{place.name}: {seen.failed} of {seen.requests} requests failed")
    return seen


def streams(
    place: Place,
    sent: bytes,
    *,
    connections: int,
    per_second: float = 100_000,
    while_open: Callable[[], None] | None = None,
    path: str = "/v1/messages",
) -> Streams:
    """One stream on each of so many connections, to the last one's end.

    Args:
        place: What is loaded.
        sent: The body of each request.
        connections: How many.
        per_second: How many of them are opened in a second.
        while_open: Called when all have their first event.
        path: Where they go.
    """
    (whole := place.home / "request").write_bytes(request(place.port, place.key, sent, path=path))
    command = [*_on_load_core(), str(place.programs / "streams"), str(place.port), str(connections), "0"]
    with subprocess.Popen([*command, str(per_second), str(whole)], stdout=subprocess.PIPE, text=True) as asking:
        said = _lines(asking, while_open)
    if asking.returncode or not said:
        raise Failed(f"{place.name}: the streams broke off with {asking.returncode}")
    seen = msgspec.json.decode(said, type=Streams)
    if seen.failed:
        raise Failed(f"{place.name}: {seen.failed} of {connections} streams failed")
    return seen


def _lines(asking: subprocess.Popen[str], while_open: Callable[[], None] | None) -> str:
    assert asking.stdout is not None  # noqa: S101  # asked for a pipe
    last = ""
    for line in asking.stdout:
        if line == "open\n" and while_open:
            while_open()
        last = line
    return last


def _on_load_core() -> list[str]:
    return [need("taskset", "util-linux"), "-c", str(LOAD_CORE)]
