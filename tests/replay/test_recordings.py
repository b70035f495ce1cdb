"""The recorded exchanges beside the project, every one, byte for byte."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.replay.playing import Json, make_replay, request, send

pytestmark = pytest.mark.recordings


def expected_body(response: Json) -> bytes:
    """The bytes that were recorded."""
    for name in ("sse", "body_text"):
        if name in response:
            return str(response[name]).encode()
    return json.dumps(response["body"], separators=(",", ":"), ensure_ascii=False).encode()


def read(recordings: Path, pattern: str) -> list[dict[str, Any]]:
    """Recordings by the pattern of their paths."""
    return [json.loads(path.read_bytes()) for path in sorted(recordings.glob(pattern))]


async def test_every_anthropic_exchange(recordings: Path) -> None:
    """By its id, each recording answers with its status and its bytes, a piece for each event."""
    replay = make_replay(recordings)
    await replay.start()
    seen = 0
    for whole in read(recordings, "anthropic.*/*.json"):
        asked, response = whole["request"], whole["response"]
        sent = request(asked["method"], asked["path"], x_replay_id=whole["id"])
        status, headers, pieces = await send(replay, sent)
        body = b"" if asked["method"] == "HEAD" else expected_body(response)
        seen += 1

        assert response["status"] == status, whole["id"]
        assert body == b"".join(pieces), whole["id"]
        assert not any("REDACTED" in value for value in headers.values()), whole["id"]
        if "sse" in response:
            assert len(pieces) == sum(line.startswith("data:") for line in response["sse"].splitlines()), whole["id"]
    assert seen > 500


def asked_for(asked: Json) -> tuple[object, ...]:
    """What makes two requests the same, to Python's own `json`."""
    return asked["method"], str(asked["path"]).partition("?")[0], json.dumps(asked["body"], sort_keys=True)


async def test_found_by_their_requests(recordings: Path) -> None:
    """A request that was recorded, written differently, gets a recorded answer to that request."""
    replay = make_replay(recordings)
    await replay.start()
    answers: dict[tuple[object, ...], set[tuple[int, bytes]]] = {}
    messages = [whole for whole in read(recordings, "anthropic.messages/*.json") if whole["request"]["body"]]
    for whole in messages:
        answer = whole["response"]["status"], expected_body(whole["response"])
        answers.setdefault(asked_for(whole["request"]), set()).add(answer)
    for whole in messages[::5]:
        asked = whole["request"]
        body = json.dumps(asked["body"], indent=2, sort_keys=True).encode()
        status, _, pieces = await send(replay, request(asked["method"], asked["path"], body))

        assert (status, b"".join(pieces)) in answers[asked_for(asked)], whole["id"]


async def test_start_holds_nobody_up(recordings: Path) -> None:
    """The whole collection is indexed in well under a second while the event loop goes on."""
    replay = make_replay(recordings)
    longest = 0.0
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(replay.start())
        while not task.done():
            before = time.monotonic()
            await asyncio.sleep(0)
            longest = max(longest, time.monotonic() - before)

    # Measured: 0.2 s and 5 ms; the bounds leave room for a busy machine.
    assert time.monotonic() - began < 5
    assert longest < 0.5
