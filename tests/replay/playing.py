"""Small recordings, written for these tests, and asking a replay upstream."""

import json
from pathlib import Path

from clearway.config.model import Upstream as Settings
from clearway.core.clock import SystemClock
from clearway.upstreams.protocol import Request
from clearway.upstreams.replay import ReplayUpstream

Json = dict[str, object]

BODY: Json = {
    "model": "claude-haiku-4-5",
    "max_tokens": 16,
    "temperature": 1.0,
    "messages": [{"role": "user", "content": "grüß"}],
}
STREAM = (
    'event: message_start\ndata: {"type":"message_start"}   \n\n'
    "event: ping\r\ndata: {}\r\n\r\n"
    ": a comment\rdata: ü\r\r"
    'event: message_stop\ndata: {"type":"message_stop"}\n\n\n'
)
EVENTS = 4


def recording(name: str, **changes: object) -> Json:
    """One recording; `request` and `response` members can be changed by name."""
    request: Json = {"method": "POST", "path": "/v1/messages", "headers": {}, "body": BODY}
    response: Json = {"status": 200, "headers": {"content-type": "application/json"}}
    for key, value in changes.items():
        (request if key in ("method", "path", "body") else response)[key] = value
    if "answer" in response:
        response["body"] = response.pop("answer")
    return {"id": name, "source": "written for this test", "request": request, "response": response}


def write(folder: Path, *recordings: Json) -> Path:
    """Write each to a file named by its id."""
    for one in recordings:
        (folder / f"{one['id']}.json").write_text(json.dumps(one, indent=1), encoding="utf-8")
    return folder


def make_replay(folder: Path, **settings: object) -> ReplayUpstream:
    """A replay upstream over a folder, not started."""
    chosen = Settings(name="replay", kind="replay", recordings=str(folder), **settings)  # type: ignore[arg-type]  # the test names them
    return ReplayUpstream(chosen, SystemClock())


def request(method: str, target: str, body: bytes = b"", **headers: str) -> Request:
    """A request; header names with underscores."""
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(method=method.encode(), target=target.encode(), headers=named, body=body)


def post(body: object = None, target: str = "/v1/messages", **headers: str) -> Request:
    """A POST of JSON, `BODY` by default."""
    return request("POST", target, json.dumps(BODY if body is None else body).encode(), **headers)


async def send(upstream: ReplayUpstream, sent: Request) -> tuple[int, dict[str, str], list[bytes]]:
    """Send and read to the end: status, headers, pieces."""
    async with upstream.open(sent) as reply:
        pieces = []
        while not reply.ended:
            pieces.append(await reply.read())
        assert await reply.read() == b""
        return reply.status, {name.decode(): value.decode("latin-1") for name, value in reply.headers}, pieces
