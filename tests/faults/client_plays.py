"""What a client does in each row of the table `Client`.

One function for each id; it plays its part on a connection and tells what came back on
it. A row that is played in several ways (closing, resetting) has several of them, and
all must end alike. Used by the tests of the failures.
"""

import contextlib
import gzip
import re
import time
import zlib
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import brotli
import msgspec
import zstandard

from tests.clients.answers import event, message
from tests.fake_upstream import Answer, Gate, error_answer, json_answer, stream_answer
from tests.faults.said import PLAIN, PLAIN_HEAD, SAID, body_of, good
from tests.faults.seen import Play, Scene, hear
from tests.faults.stage import MAX_BODY
from tests.faults.table import ClientSees
from tests.relay.stage import wait_until
from tests.relay.wire_client import JSON, MODEL, VERSION, Client, prompt

Part = Callable[[Scene, Client], ClientSees]

PARTS: dict[str, Sequence[Part]] = {}
"""By the id of the row."""
HURRIED: set[str] = set()
"""Rows that are about the gateway's own patience, and need one that has little."""
NAMELESS: set[str] = set()
"""Rows whose requests name no model that can be read, and lead to the first upstream."""


def _good(scene: Scene) -> Play:
    """An answer as it should be."""
    answer, body = good(scene.asked)
    return Play([answer], body)


def _body(scene: Scene, text: str = "hi") -> bytes:
    return prompt(text, stream=scene.asked.stream, model=scene.model)


def _head(scene: Scene, client: Client, length: int | None, *fields: tuple[str, str]) -> bytes:
    return client.head("POST", "/v1/messages", [scene.credential, JSON, VERSION, *fields], length)


_NOTHING = ClientSees(answer="no answer", connection="closed")
_PART = ClientSees(status=200, by="upstream", end="cut", connection="closed")
"""What a client knows that leaves within an answer."""


# A client that leaves.


def _leaves(leave: Callable[[Client], None]) -> dict[str, Part]:
    """The rows that end alike however a client leaves."""

    def before_the_body(scene: Scene, client: Client) -> ClientSees:
        scene.stage.begin([])
        client.send(_head(scene, client, 500_000))
        leave(client)
        return _NOTHING

    def in_the_body(scene: Scene, client: Client) -> ClientSees:
        scene.stage.begin([])
        body = _body(scene, "x" * 500_000)
        client.send(_head(scene, client, len(body)) + body[:200_000])
        leave(client)
        return _NOTHING

    def while_waiting(scene: Scene, client: Client) -> ClientSees:
        gate = Gate()
        scene.stage.begin([Answer((gate,))])
        client.ask(_body(scene), [scene.credential])
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
    client.ask(_body(scene), [scene.credential])
    assert 200 == client.read_head().status
    client.read_until(last)
    (gate,) = (piece for piece in said.pieces if isinstance(piece, Gate))
    gate.wait_reached()
    leave(client)
    return _PART


for by_closing, by_resetting in zip(_leaves(Client.leave).items(), _leaves(Client.reset).items(), strict=True):
    PARTS[by_closing[0]] = (by_closing[1], by_resetting[1])


def _part(name: str, *, hurried: bool = False) -> Callable[[Part], Part]:
    def note(part: Part) -> Part:
        assert name not in PARTS
        PARTS[name] = (part,)
        HURRIED.update({name} if hurried else ())
        return part

    return note


# A client that ends its half of the connection, and goes on listening.


@_part("half-closed-in-the-head")
def _half_closed_in_the_head(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    client.send(_head(scene, client, 500_000)[:80])
    client.finish()
    return hear(client, Play())


@_part("half-closed-in-the-body")
def _half_closed_in_the_body(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    body = _body(scene)
    client.send(_head(scene, client, len(body)) + body[:-1])
    client.finish()
    return hear(client, Play())


@_part("half-closed-while-waiting")
def _half_closed_while_waiting(scene: Scene, client: Client) -> ClientSees:
    gate = Gate()
    scene.stage.begin([Answer((gate,))])
    client.ask(_body(scene), [scene.credential])
    gate.wait_reached()
    client.finish()
    return hear(client, Play())


@_part("half-closed-in-the-stream")
def _half_closed_in_the_stream(scene: Scene, client: Client) -> ClientSees:
    gate = Gate()
    scene.stage.begin([stream_answer([*SAID[:5], gate])])
    client.ask(_body(scene), [scene.credential])
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


def _resident(pid: int) -> int:
    """Bytes of memory that a process has now (proc(5), `VmRSS`)."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


@_part("slow-reader")
def _slow_reader(scene: Scene, client: Client) -> ClientSees:
    pid = scene.stage.gateway.pid
    scene.stage.begin([stream_answer(_LARGE)])
    before = _resident(pid)
    client.ask(_body(scene), [scene.credential])
    _wait_until_stuck(scene)

    assert _resident(pid) - before < _MOST_GROWTH
    heard = hear(client, Play(body=b"".join(_LARGE)))
    assert _resident(pid) - before < _MOST_GROWTH
    return heard


def _wait_until_stuck(scene: Scene) -> None:
    """Return when the upstream has been able to say nothing for a while, in the middle of its answer."""

    def is_stuck() -> bool:
        talks = scene.stage.talks(scene.row)
        return bool(talks) and 0.3 < time.monotonic() - talks[-1].said_at < time.monotonic()

    wait_until(is_stuck, "the upstream is stuck")


@_part("reader-that-stopped", hurried=True)
def _reader_that_stopped(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([stream_answer(_LARGE)])
    client.ask(_body(scene), [scene.credential])
    _wait_until_stuck(scene)
    (talk,) = scene.stage.talks(scene.row)
    scene.stage.wait_over(scene.row, talk)
    scene.stage.books.wait_idle()
    return hear(client, Play(body=b"".join(_LARGE[:3]), is_endless=True))


# Requests that do not come whole.


@_part("half-a-head", hurried=True)
def _half_a_head(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    client.send(_head(scene, client, 500_000)[:80])
    return hear(client, Play())


@_part("half-a-body", hurried=True)
def _half_a_body(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    body = _body(scene)
    client.send(_head(scene, client, len(body)) + body[:-1])
    heard = hear(client, Play())
    with contextlib.suppress(ConnectionError):
        client.send(body[-1:])
    return heard


# Several at once.


@_part("pipelined")
def _pipelined(scene: Scene, client: Client) -> ClientSees:
    gate = Gate()
    first = message("the first", MODEL)
    play = _good(scene)
    held = Answer((gate, *json_answer(first).pieces))
    scene.stage.begin([held, *play.answers])
    body = _body(scene)
    client.send((_head(scene, client, len(body)) + body) * 2)
    gate.wait_reached()

    assert 1 == len(scene.stage.received)
    gate.open()
    whole = client.read_whole()
    assert (200, msgspec.json.encode(first), True) == (whole.head.status, whole.body, whole.complete)
    return msgspec.structs.replace(hear(client, play), answers=2)


# Bodies that are compressed.


_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "br": partial(brotli.compress, quality=1),
    "deflate": zlib.compress,
}


def _compressed(coding: str, scene: Scene, client: Client) -> ClientSees:
    play = _good(scene)
    scene.stage.begin(play.answers)
    packed = _PACKERS[coding](_body(scene))
    client.ask(packed, [scene.credential, ("content-encoding", coding)])
    heard = hear(client, play)

    (received,) = scene.stage.received
    assert (packed, coding) == (received.body, received.header("content-encoding"))
    return heard


@cache
def _bomb(coding: str) -> bytes:
    """A prompt of 200 MB, packed."""
    return _PACKERS[coding](prompt(" " * 200_000_000))


def _explodes(coding: str, scene: Scene, client: Client) -> ClientSees:
    bomb = _bomb(coding)
    pid = scene.stage.gateway.pid
    before = _resident(pid)
    scene.stage.begin([])
    client.ask(bomb, [scene.credential, ("content-encoding", coding)])
    heard = hear(client, Play())

    assert len(bomb) < MAX_BODY
    assert _resident(pid) - before < 4 * MAX_BODY
    return heard


for name in _PACKERS:
    PARTS[f"compressed-{name}"] = (partial(_compressed, name),)
    PARTS[f"bomb-{name}"] = (partial(_explodes, name),)


# Bodies over the limit.


@_part("as-large-as-allowed")
def _as_large_as_allowed(scene: Scene, client: Client) -> ClientSees:
    play = _good(scene)
    scene.stage.begin(play.answers)
    body = _body(scene)
    client.ask(body + b" " * (MAX_BODY - len(body)), [scene.credential])
    return hear(client, play)


@_part("too-large-declared")
def _too_large_declared(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    client.send(_head(scene, client, MAX_BODY + 1))
    heard = hear(client, Play())
    # What was announced is still to come, and is thrown away.
    client.send(b" " * (MAX_BODY + 1))
    return heard


@_part("far-too-large")
def _far_too_large(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    with contextlib.suppress(ConnectionError):
        client.ask(b" " * (2 * MAX_BODY), [scene.credential])
    return hear(client, Play())


@_part("too-large-undeclared")
def _too_large_undeclared(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    client.send(_head(scene, client, None, ("transfer-encoding", "chunked")))
    piece = b"%x\r\n%b\r\n" % (1_000_000, b" " * 1_000_000)
    with contextlib.suppress(ConnectionError):
        for _ in range(MAX_BODY // 1_000_000 + 1):
            client.send(piece)
        client.send(b"0\r\n\r\n")
    return hear(client, Play())


# Expectations.


@_part("expects-100")
def _expects_100(scene: Scene, client: Client) -> ClientSees:
    play = _good(scene)
    scene.stage.begin(play.answers)
    body = _body(scene)
    client.send(_head(scene, client, len(body), ("expect", "100-continue")))
    interim = client.read_interim()

    assert [] == scene.stage.received
    client.send(body)
    heard = hear(client, play)
    (received,) = scene.stage.received
    assert received.header("expect") is None
    return msgspec.structs.replace(heard, interim=int(interim.split(b" ")[1]))


@_part("expects-100-and-is-too-large")
def _expects_100_and_is_too_large(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    client.send(_head(scene, client, MAX_BODY + 1, ("expect", "100-continue")))
    heard = hear(client, Play())
    client.send(b" " * (MAX_BODY + 1))
    return heard


# Bodies that cannot be understood.

_REFUSED = error_answer(400, "invalid_request_error", "scripted: this is no JSON")


def _sent_as_it_is(body: bytes, *fields: tuple[str, str]) -> Part:
    def part(scene: Scene, client: Client) -> ClientSees:
        play = Play([_REFUSED], body_of(_REFUSED))
        scene.stage.begin(play.answers)
        client.ask(body, [scene.credential, *fields])
        heard = hear(client, play)

        assert [body] * len(scene.stage.received) == [received.body for received in scene.stage.received]
        return heard

    return part


_UNREADABLE = (b"", b"{", b"[]", b'{"model": 5}', b"\xff\xfe")
_DOUBLED = (
    b'{"model":"a","model":"b","messages":[]}',
    b'{"model":"a","\\u006dodel":"b","messages":[]}',
    b'{"model":"a","stream":true,"stream":false}',
    b'{"model":"a","max_tokens":1,"max_tokens":9}',
)
PARTS["said-twice"] = [_sent_as_it_is(body) for body in _DOUBLED]
for payer in ("passthrough", "own"):
    PARTS[f"malformed-{payer}"] = [_sent_as_it_is(body) for body in _UNREADABLE]
    PARTS[f"no-model-{payer}"] = [_sent_as_it_is(b'{"max_tokens":1,"messages":[]}')]
    PARTS[f"unknown-coding-{payer}"] = [_sent_as_it_is(b"\x04\x05", ("content-encoding", "x-own"))]
    NAMELESS.update(f"{what}-{payer}" for what in ("malformed", "no-model", "unknown-coding"))
NAMELESS.add("said-twice")
