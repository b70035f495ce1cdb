"""Directives that break things on request."""

import asyncio
import contextlib
import json
import time

import pytest

from clearway.core.errors import UpstreamProtocolError, UpstreamTimeout
from clearway.upstreams.protocol import Reply
from tests.sim.asking import ask, event_of, make_sim, post, prompt
from tests.sim.grammar import run

ERRORS = [
    pytest.param("sim:error 400", 400, "invalid_request_error", "false", id="400"),
    pytest.param("sim:error 401", 401, "authentication_error", "false", id="401"),
    pytest.param("sim:error 402", 402, "billing_error", "false", id="402"),
    pytest.param("sim:error 403", 403, "permission_error", "false", id="403"),
    pytest.param("sim:error 413", 413, "request_too_large", "false", id="413"),
    pytest.param("sim:error 429", 429, "rate_limit_error", "true", id="429"),
    pytest.param("sim:error 429 billing_error", 429, "billing_error", "true", id="other-type"),
    pytest.param("sim:error 500", 500, "api_error", "true", id="500"),
    pytest.param("sim:error 529", 529, "overloaded_error", "true", id="529"),
    pytest.param("please:\n  sim:error 503  \nthanks", 503, "api_error", "true", id="between-other-lines"),
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("text", "status", "kind", "retry"), ERRORS)
async def test_error(text: str, status: int, kind: str, retry: str, *, stream: bool) -> None:
    """An error before the stream is an error answer, streamed or not."""
    got = await ask(make_sim(), text, stream=stream)

    assert status == got.status
    assert kind == got.error()["type"]
    assert retry == got.headers["x-should-retry"]
    assert ("retry-after" in got.headers) == (status == 429)


@pytest.mark.parametrize("deltas", [0, 1, 7, 20])
async def test_error_in_the_stream(deltas: int) -> None:
    """An error event comes after exactly so many deltas and ends the stream."""
    got = await ask(make_sim(), f"sim:text 20\nsim:error-after {deltas} api_error", stream=True)
    name, data = got.events()[-1]
    machine = run(got)

    assert name == "error"
    assert {"type": "api_error", "message": "The request asked for this error"} == data["error"]
    assert deltas == machine.deltas


async def test_error_in_the_stream_without_a_stream() -> None:
    """Where nothing is streamed, the same order is an error answer."""
    got = await ask(make_sim(), "sim:error-after 3")

    assert got.status == 529
    assert got.error()["type"] == "overloaded_error"


async def drain(reply: Reply, pieces: list[bytes]) -> None:
    """Read until something breaks; a reply that ends by itself is a failure."""
    while True:
        assert not reply.ended
        pieces.append(await reply.read())


@pytest.mark.parametrize("deltas", [0, 1, 7, 20, 99])
async def test_cut(deltas: int) -> None:
    """The connection is cut after so many deltas, before the end in any case."""
    pieces: list[bytes] = []
    async with make_sim().open(post(prompt(f"sim:text 20\nsim:cut-after {deltas}", stream=True))) as reply:
        with pytest.raises(UpstreamProtocolError):
            await drain(reply, pieces)
    names = [event_of(piece)[0] for piece in pieces]

    assert min(deltas, 20) == names.count("content_block_delta")
    assert "message_delta" not in names


async def test_cut_without_a_stream() -> None:
    """A whole message that is cut comes half, and then the error."""
    async with make_sim().open(post(prompt("sim:cut-after 1"))) as reply:
        length = int(dict(reply.headers)[b"content-length"])
        half = await reply.read()

        assert 0 < len(half) < length
        assert not reply.ended
        with pytest.raises(UpstreamProtocolError):
            await reply.read()


@pytest.mark.parametrize(("text", "events"), [("sim:stall", 1), ("sim:stall 2\nsim:text 5", 5)])
async def test_stall(text: str, events: int) -> None:
    """Nothing comes any more, until the patience for silence is over."""
    async with make_sim().open(post(prompt(text, stream=True))) as reply:
        for _ in range(events):
            assert await reply.read()

        assert not reply.ended
        with pytest.raises(UpstreamTimeout):
            await reply.read()


@pytest.mark.parametrize("text", ["sim:stall", "sim:delay 60000"])
async def test_no_head(text: str) -> None:
    """Silence before the head is a timeout of `open`."""
    with pytest.raises(UpstreamTimeout):
        async with make_sim().open(post(prompt(text))):
            pass


async def test_delay() -> None:
    """The head comes no earlier than was asked for."""
    began = time.monotonic()
    got = await ask(make_sim(), "sim:delay 8")

    assert got.status == 200
    assert time.monotonic() - began >= 0.008


async def test_pace() -> None:
    """`pace_ms` lies between any two events."""
    began = time.monotonic()
    got = await ask(make_sim(pace_ms=2.0), "sim:text 5", stream=True)

    assert time.monotonic() - began >= 0.002 * (len(got.pieces) - 1)


async def test_earliest_end_wins() -> None:
    """Of several endings the earliest comes to pass."""
    got = await ask(make_sim(), "sim:text 9\nsim:cut-after 5\nsim:stall 4\nsim:error-after 2", stream=True)

    assert got.events()[-1][0] == "error"
    assert run(got).deltas == 2


WRONG = [
    "sim:nonsense",
    "sim:text",
    "sim:text many",
    "sim:text -1",
    "sim:text 100001",
    "sim:text ٣",
    "sim:text 1" + "0" * 5000,
    "sim:tool",
    "sim:tool read {",
    "sim:tool read [1]",
    "sim:error",
    "sim:error 200",
    "sim:error 600",
    "sim:error 500 Not A Type",
    "sim:error-after",
    "sim:cut-after soon",
    "sim:delay 1.5",
    "sim:stall x",
    "sim:thinking hard",
    "sim:refusal now",
]


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:24])
async def test_wrong_directive(text: str) -> None:
    """A directive that is not understood is a 400 that names it."""
    got = await ask(make_sim(), text)

    assert got.status == 400
    assert text.split(" ", 1)[0] in str(got.error()["message"])


NOT_DIRECTIVES = ["see sim:error 500", "sim: error 500", "SIM:error 500", "xsim:text 1", "`sim:text 3`"]


@pytest.mark.parametrize("text", NOT_DIRECTIVES)
async def test_not_a_directive(text: str) -> None:
    """Only a line of its own that begins with `sim:` and a name is a directive."""
    got = await ask(make_sim(), text)

    assert got.status == 200
    assert text in json.dumps(got.json(), ensure_ascii=False)


async def test_only_the_last_turn_counts() -> None:
    """Directives of earlier turns and in tool results are not obeyed again."""
    messages = [
        {"role": "user", "content": "sim:error 500"},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sim:error 500"}]},
        {"role": "user", "content": "go on"},
    ]
    got = await ask(make_sim(), "", messages=messages)

    assert got.status == 200


@pytest.mark.parametrize(("text", "pace_ms"), [("sim:text 100", 0.0), ("sim:text 3", 3.0)], ids=["no-pace", "pace"])
async def test_interrupted_reads_lose_nothing(text: str, pace_ms: float) -> None:
    """A reader who gives up and comes back gets every event, however impatient."""
    undisturbed = await ask(make_sim(), text, stream=True)
    pieces: list[bytes] = []
    async with make_sim(pace_ms=pace_ms).open(post(prompt(text, stream=True))) as reply:
        while not reply.ended:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0):
                    pieces.append(await reply.read())

    assert undisturbed.pieces == pieces


async def test_interrupted_silence_ends() -> None:
    """Silence is measured from its beginning, also for a reader who interrupts it."""
    async with make_sim().open(post(prompt("sim:stall", stream=True))) as reply:
        await reply.read()
        with pytest.raises(UpstreamTimeout):
            await insist(reply)


async def insist(reply: Reply) -> None:
    """Read for a millisecond at a time."""
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.001):
                await reply.read()
