"""What is answered: the recorded bytes, safe headers, recorded delays."""

import asyncio
import contextlib
import itertools
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.upstreams.replaying.recording import cut
from tests.replay.playing import EVENTS, STREAM, Json, make_replay, post, recording, send, write

BODIES = [
    pytest.param({"answer": {"b": 1.0, "a": [None, "ü"]}}, '{"b":1.0,"a":[null,"ü"]}', id="json-compact"),
    pytest.param({"answer": {"a": 1}, "body_text": '{ "a":1 }\n'}, '{ "a":1 }\n', id="text-wins"),
    pytest.param({"body_text": "not here"}, "not here", id="text"),
    pytest.param({"body_text": ""}, "", id="empty"),
    pytest.param({"answer": None}, "", id="null"),
]


@pytest.mark.parametrize(("response", "expected"), BODIES)
async def test_body(tmp_path: Path, response: Json, expected: str) -> None:
    """A whole body comes as it was recorded, with its length."""
    folder = write(tmp_path, recording("one", status=418, **response))
    status, headers, pieces = await send(make_replay(folder), post())

    assert status == 418
    assert expected.encode() == b"".join(pieces)
    assert headers["content-length"] == str(len(expected.encode()))


async def test_stream(tmp_path: Path) -> None:
    """A stream comes event by event; joined, it is the recorded bytes."""
    _, headers, pieces = await send(make_replay(write(tmp_path, recording("one", sse=STREAM))), post())

    assert STREAM.encode() == b"".join(pieces)
    assert len(pieces) == EVENTS
    assert "content-length" not in headers


@given(st.text(alphabet="a\r\n:ü").map(str.encode))
def test_cut_loses_nothing(stream: bytes) -> None:
    """Whatever the stream, its pieces joined are the stream, and none ends within a CR LF."""
    pieces = cut(stream)

    assert stream == b"".join(pieces)
    assert not any(one.endswith(b"\r") and other.startswith(b"\n") for one, other in itertools.pairwise(pieces))


CUTS = [
    pytest.param(b"a\n\nb\n\n", [b"a\n\n", b"b\n\n"], id="lf"),
    pytest.param(b"a\r\n\r\nb\r\nc\r\n\r\n", [b"a\r\n\r\n", b"b\r\nc\r\n\r\n"], id="crlf"),
    pytest.param(b"a\r\rb", [b"a\r\r", b"b"], id="cr"),
    pytest.param(b"a\n\n\n\nb", [b"a\n\n\n\n", b"b"], id="several-blank-lines"),
    pytest.param(b"", [], id="nothing"),
]


@pytest.mark.parametrize(("stream", "expected"), CUTS)
def test_cuts(stream: bytes, expected: list[bytes]) -> None:
    """Events end with their blank line, whatever ends a line."""
    assert expected == list(cut(stream))


async def test_safe_headers(tmp_path: Path) -> None:
    """Only headers that a client may act upon come back, and none that was redacted or forged."""
    headers = {
        "content-type": "application/json",
        "request-id": "req_1",
        "retry-after": "3",
        "x-should-retry": "true",
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-organization-id": "REDACTED",
        "anthropic-forged": "a\r\nset-cookie: b",
        "anthropic forged": "a",
        "set-cookie": "a",
        "content-encoding": "gzip",
        "content-length": "999",
        "transfer-encoding": "chunked",
    }
    replay = make_replay(write(tmp_path, recording("one", headers=headers, answer={})))
    _, answered, _ = await send(replay, post())

    assert {**dict(list(headers.items())[:5]), "content-length": "2"} == answered


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"sse": STREAM}, "text/event-stream; charset=utf-8"),
        ({"answer": {}}, "application/json"),
        ({"body_text": "a"}, "text/plain"),
    ],
    ids=["stream", "json", "text"],
)
async def test_content_type_by_default(tmp_path: Path, response: Json, expected: str) -> None:
    """Where no content type was recorded, the body decides."""
    _, headers, _ = await send(make_replay(write(tmp_path, recording("one", headers={}, **response))), post())

    assert expected == headers["content-type"]


async def test_no_content(tmp_path: Path) -> None:
    """A status without a body has neither body nor length."""
    folder = write(tmp_path, recording("one", status=204, headers={}, body_text=""))

    assert (204, {}, []) == await send(make_replay(folder), post())


TIMES = [0, 10, 10, 25]


@pytest.mark.parametrize(
    ("delays", "times", "least_s"),
    [("recorded", TIMES, 0.025), ("recorded", TIMES[:2], 0.010), ("recorded", [], 0.0), ("none", [60_000], 0.0)],
    ids=["all", "some", "none-recorded", "not-wanted"],
)
async def test_delays(tmp_path: Path, delays: str, times: list[int], least_s: float) -> None:
    """Events come no earlier than recorded, where that is wanted."""
    replay = make_replay(write(tmp_path, recording("one", sse=STREAM, sse_times_ms=times)), delays=delays)
    await replay.start()
    began = time.monotonic()
    _, _, pieces = await send(replay, post())

    assert least_s <= time.monotonic() - began < 10
    assert len(pieces) == EVENTS


@pytest.mark.parametrize("delays", ["recorded", "none"])
async def test_interrupted_reads_lose_nothing(tmp_path: Path, delays: str) -> None:
    """A reader who gives up and comes back gets every event, however impatient."""
    stream = "data: x\n\n" * 100
    replay = make_replay(write(tmp_path, recording("one", sse=stream, sse_times_ms=[0, 3, 6])), delays=delays)
    pieces: list[bytes] = []
    async with replay.open(post()) as reply:
        while not reply.ended:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0):
                    pieces.append(await reply.read())

    assert stream.encode() == b"".join(pieces)


async def test_close(tmp_path: Path) -> None:
    """A closed upstream can be started again; starting twice does nothing."""
    replay = make_replay(write(tmp_path, recording("one", answer=1)))
    await replay.start()
    await replay.start()
    await replay.aclose()
    await replay.start()

    assert (await send(replay, post()))[0] == 200
    assert ("replay", "replay", "nobody", ("*",)) == (replay.name, replay.kind, replay.pays, replay.models)
