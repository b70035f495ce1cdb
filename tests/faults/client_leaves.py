"""Rows of the table `Client` in which it leaves, half closes, is slow, or does not send all of a request.

Used by the tests of the failures.
"""

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path

from tests.clients.answers import event
from tests.fake_upstream import Answer, Gate, stream_answer
from tests.faults.plays import Part, Scenarios
from tests.faults.said import PLAIN, PLAIN_HEAD, SAID, good
from tests.faults.seen import Play, Scene, hear
from tests.faults.table import ClientSees
from tests.relay.stage import wait_until
from tests.relay.wire_client import JSON, VERSION, Client, prompt

PARTS = Scenarios[Part]()


def asked_well(scene: Scene) -> Play:
    """An answer as it should be."""
    answer, body = good(scene.asked)
    return Play([answer], body)


def body_for(scene: Scene, text: str = "hi") -> bytes:
    return prompt(text, stream=scene.asked.stream, model=scene.model)


def head_for(scene: Scene, client: Client, length: int | None, *fields: tuple[str, str]) -> bytes:
    return client.head("POST", "/v1/messages", [scene.credential, JSON, VERSION, *fields], length)


def resident(pid: int) -> int:
    """Bytes of memory that a process has now (proc(5), `VmRSS`)."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


_NOTHING = ClientSees(answer="no answer", connection="closed")
_PART = ClientSees(status=200, by="upstream", end="cut", connection="closed")
"""What a client knows that leaves within an answer."""


# A client that leaves.


def _leaves(leave: Callable[[Client], None]) -> dict[str, Part]:
    """The rows that end alike however a client leaves."""

    def before_the_body(scene: Scene, client: Client) -> ClientSees:
        scene.stage.begin([])
        client.send(head_for(scene, client, 500_000))
        leave(client)
        return _NOTHING

    def in_the_body(scene: Scene, client: Client) -> ClientSees:
        scene.stage.begin([])
        body = body_for(scene, "x" * 500_000)
        client.send(head_for(scene, client, len(body)) + body[:200_000])
        leave(client)
        return _NOTHING

    def while_waiting(scene: Scene, client: Client) -> ClientSees:
        gate = Gate()
        scene.stage.begin([Answer((gate,))])
        client.ask(body_for(scene), [scene.credential])
        gate.wait_reached()
        leave(client)
        return _NOTHING

    def in_the_stream(scene: Scene, client: Client) -> ClientSees:
        return _leave_within(scene, client, stream_answer([*SAID[:5], Gate()]), SAID[4], leave)

    def in_the_answer(scene: Scene, client: Client) -> ClientSees:
        return _leave_within(scene, client, Answer((PLAIN_HEAD + PLAIN[:50], Gate())), PLAIN[:50], leave)

    def after_message_stop(scene: Scene, client: Client) -> ClientSees:
        return _leave_within(scene, client, stream_answer([*SAID, Gate(), event("ping")]), SAID[-1], leave)

    return {
        "gone-before-the-body": before_the_body,
        "gone-in-the-body": in_the_body,
        "gone-while-waiting": while_waiting,
        "gone-in-the-stream": in_the_stream,
        "gone-in-the-answer": in_the_answer,
        "gone-after-message-stop": after_message_stop,
    }


def _leave_within(
    scene: Scene, client: Client, said: Answer, last: bytes, leave: Callable[[Client], None]
) -> ClientSees:
    scene.stage.begin([said])
    client.ask(body_for(scene), [scene.credential])
    assert 200 == client.read_head().status
    client.read_until(last)
    (gate,) = (piece for piece in said.pieces if isinstance(piece, Gate))
    gate.wait_reached()
    leave(client)
    return _PART


for way in (Client.leave, Client.reset):
    for name, part in _leaves(way).items():
        PARTS.note(name)(part)


# A client that ends its half of the connection, and goes on listening.


@PARTS.note("half-closed-in-the-head")
def _half_closed_in_the_head(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    client.send(head_for(scene, client, 500_000)[:80])
    client.finish()
    return hear(client, Play())


@PARTS.note("half-closed-in-the-body")
def _half_closed_in_the_body(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    body = body_for(scene)
    client.send(head_for(scene, client, len(body)) + body[:-1])
    client.finish()
    return hear(client, Play())


@PARTS.note("half-closed-while-waiting")
def _half_closed_while_waiting(scene: Scene, client: Client) -> ClientSees:
    gate = Gate()
    scene.stage.begin([Answer((gate,))])
    client.ask(body_for(scene), [scene.credential])
    gate.wait_reached()
    client.finish()
    return hear(client, Play())


@PARTS.note("half-closed-in-the-stream")
def _half_closed_in_the_stream(scene: Scene, client: Client) -> ClientSees:
    gate = Gate()
    scene.stage.begin([stream_answer([*SAID[:5], gate])])
    client.ask(body_for(scene), [scene.credential])
    assert 200 == client.read_head().status
    seen = client.read_until(SAID[4])
    gate.wait_reached()
    client.finish()
    rest = client.read_rest()

    assert (b"".join(SAID[:5]), False) == (seen + rest[0], rest[1])
    return _PART


# A client that is slow.

_DELTA = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x" * 65_000})
_LARGE = [*SAID[:2], *[_DELTA] * 500, *SAID[-3:]]
_MOST_GROWTH = 8 * 1024 * 1024


@PARTS.note("slow-reader")
def _slow_reader(scene: Scene, client: Client) -> ClientSees:
    pid = scene.stage.gateway.pid
    scene.stage.begin([stream_answer(_LARGE)])
    before = resident(pid)
    client.ask(body_for(scene), [scene.credential])
    _wait_until_stuck(scene)

    assert resident(pid) - before < _MOST_GROWTH
    heard = hear(client, Play(body=b"".join(_LARGE)))
    assert resident(pid) - before < _MOST_GROWTH
    return heard


def _wait_until_stuck(scene: Scene) -> None:
    """Return when the upstream has been able to say nothing for a while, in the middle of its answer."""

    def is_stuck() -> bool:
        talks = scene.stage.talks(scene.row)
        return bool(talks) and 0.3 < time.monotonic() - talks[-1].said_at < time.monotonic()

    wait_until(is_stuck, "the upstream is stuck")


@PARTS.note("reader-that-stopped", hasty=True)
def _reader_that_stopped(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([stream_answer(_LARGE)])
    client.ask(body_for(scene), [scene.credential])
    _wait_until_stuck(scene)
    (talk,) = scene.stage.talks(scene.row)
    scene.stage.wait_over(scene.row, talk)
    scene.stage.books.wait_idle()
    return hear(client, Play(body=b"".join(_LARGE[:3]), is_endless=True))


# Requests that do not come whole.


@PARTS.note("half-a-head", hasty=True)
def _half_a_head(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    client.send(head_for(scene, client, 500_000)[:80])
    return hear(client, Play())


@PARTS.note("half-a-body", hasty=True)
def _half_a_body(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    body = body_for(scene)
    client.send(head_for(scene, client, len(body)) + body[:-1])
    heard = hear(client, Play())
    with contextlib.suppress(ConnectionError):
        client.send(body[-1:])
    return heard
