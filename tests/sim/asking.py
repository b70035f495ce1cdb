"""Asking an upstream directly, and reading what comes as a client would."""

import json
from dataclasses import dataclass, field

from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from clearway.config.model import Timeouts
from clearway.config.model import Upstream as Settings
from clearway.upstreams.protocol import Request
from clearway.upstreams.sim import SimUpstream

MODEL = "claude-sonnet-5-5"
EVENTS: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)

Json = dict[str, object]


class HandClock:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now_us(self) -> int:
        """Wall time."""
        return int(self.seconds * 1_000_000)

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds


@dataclass
class Got:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    pieces: list[bytes] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """Everything that was read."""
        return b"".join(self.pieces)

    def json(self) -> Json:
        """The body, decoded."""
        decoded: Json = json.loads(self.body)
        return decoded

    def message(self) -> Message:
        """The body, checked by the SDK's own types."""
        return Message.model_validate(self.json())

    def events(self) -> list[tuple[str, Json]]:
        """Names and data of a stream, one of each for every piece."""
        return [event_of(piece) for piece in self.pieces]

    def error(self) -> Json:
        """The `error` of the body, after its frame was checked."""
        whole = self.json()
        error = whole["error"]
        assert whole["type"] == "error"
        assert whole["request_id"] == self.headers["request-id"]
        assert isinstance(error, dict)
        return error


def event_of(piece: bytes) -> tuple[str, Json]:
    """One event, in the only framing that the API uses."""
    lines = piece.decode().split("\n")
    assert len(lines) == 4, piece
    assert lines[2:] == ["", ""]
    assert lines[0].startswith("event: ")
    assert lines[1].startswith("data: ")
    data = json.loads(lines[1].removeprefix("data: "))
    assert data["type"] == lines[0].removeprefix("event: ")
    return data["type"], data


def make_sim(clock: HandClock | None = None, **settings: object) -> SimUpstream:
    """A simulated model; `first_byte_s` and `idle_s` are 0.01 so that silence is short."""
    chosen = Settings(name="sim", kind="sim", **settings)  # type: ignore[arg-type]  # the test names them
    return SimUpstream(chosen, clock or HandClock(), Timeouts(first_byte_s=0.01, idle_s=0.01))


def post(fields: Json, target: str = "/v1/messages", **headers: str) -> Request:
    """A request with a JSON body; header names with underscores."""
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(method=b"POST", target=target.encode(), headers=named, body=json.dumps(fields).encode())


def prompt(text: str, **fields: object) -> Json:
    """The fields of a request with one user message."""
    return {"model": MODEL, "max_tokens": 4000, "messages": [{"role": "user", "content": text}], **fields}


async def send(sim: SimUpstream, request: Request) -> Got:
    """Send and read to the end."""
    async with sim.open(request) as reply:
        got = Got(reply.status, {name.decode(): value.decode() for name, value in reply.headers})
        while not reply.ended:
            piece = await reply.read()
            assert piece
            got.pieces.append(piece)
        assert await reply.read() == b""
        return got


async def ask(sim: SimUpstream, text: str, **fields: object) -> Got:
    """Send one user message and read the answer."""
    return await send(sim, post(prompt(text, **fields)))


async def count(sim: SimUpstream, fields: Json) -> int:
    """What `count_tokens` says."""
    wanted = {name: value for name, value in fields.items() if name not in ("max_tokens", "stream")}
    got = await send(sim, post(wanted, "/v1/messages/count_tokens"))
    assert got.status == 200
    counted = got.json()["input_tokens"]
    assert isinstance(counted, int)
    return counted
