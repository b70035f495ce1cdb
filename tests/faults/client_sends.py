"""Rows of the table `Client` in which it sends what is unusual, too large, or cannot be understood.

Used by the tests of the failures.
"""

import contextlib
import gzip
import zlib
from collections.abc import Callable
from functools import cache, partial

import brotli
import msgspec
import zstandard

from tests.clients.answers import message
from tests.fake_upstream import Answer, Gate, error_answer, json_answer
from tests.faults.client_leaves import asked_well, body_for, head_for, resident
from tests.faults.plays import Part, Scenarios
from tests.faults.said import body_of
from tests.faults.seen import Play, Scene, hear
from tests.faults.stage import MAX_BODY
from tests.faults.table import ClientSees
from tests.relay.wire_client import MODEL, Client, prompt

PARTS = Scenarios[Part]()


# Several at once.


@PARTS.note("pipelined")
def _pipelined(scene: Scene, client: Client) -> ClientSees:
    gate = Gate()
    first = message("the first", MODEL)
    play = asked_well(scene)
    held = Answer((gate, *json_answer(first).pieces))
    scene.stage.begin([held, *play.answers])
    body = body_for(scene)
    client.send((head_for(scene, client, len(body)) + body) * 2)
    gate.wait_reached()

    assert 1 == len(scene.stage.received)
    gate.open()
    whole = client.read_whole()
    assert (200, msgspec.json.encode(first), True) == (whole.head.status, whole.body, whole.complete)
    return msgspec.structs.replace(hear(client, play), answers=2)


# Bodies that are compressed.


_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": partial(gzip.compress, compresslevel=1),
    "zstd": zstandard.ZstdCompressor().compress,
    "br": partial(brotli.compress, quality=1),
    "deflate": partial(zlib.compress, level=1),
}


def _compressed(coding: str, scene: Scene, client: Client) -> ClientSees:
    play = asked_well(scene)
    scene.stage.begin(play.answers)
    packed = _PACKERS[coding](body_for(scene))
    client.ask(packed, [scene.credential, ("content-encoding", coding)])
    heard = hear(client, play)

    (received,) = scene.stage.received
    assert (packed, coding) == (received.body, received.header("content-encoding"))
    return heard


@cache
def _bomb(coding: str) -> bytes:
    """A prompt of 100 MB, packed."""
    return _PACKERS[coding](prompt(" " * 100_000_000))


def _explodes(coding: str, scene: Scene, client: Client) -> ClientSees:
    bomb = _bomb(coding)
    pid = scene.stage.gateway.pid
    before = resident(pid)
    scene.stage.begin([])
    client.ask(bomb, [scene.credential, ("content-encoding", coding)])
    heard = hear(client, Play())

    assert len(bomb) < MAX_BODY
    assert resident(pid) - before < 4 * MAX_BODY
    return heard


for name in _PACKERS:
    PARTS.note(f"compressed-{name}")(partial(_compressed, name))
    PARTS.note(f"bomb-{name}")(partial(_explodes, name))


# Bodies over the limit.


@PARTS.note("as-large-as-allowed")
def _as_large_as_allowed(scene: Scene, client: Client) -> ClientSees:
    play = asked_well(scene)
    scene.stage.begin(play.answers)
    body = body_for(scene)
    client.ask(body + b" " * (MAX_BODY - len(body)), [scene.credential])
    return hear(client, play)


@PARTS.note("too-large-declared")
def _too_large_declared(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    client.send(head_for(scene, client, MAX_BODY + 1))
    heard = hear(client, Play())
    # What was announced is still to come, and is thrown away.
    client.send(b" " * (MAX_BODY + 1))
    return heard


@PARTS.note("far-too-large")
def _far_too_large(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    with contextlib.suppress(ConnectionError):
        client.ask(b" " * (2 * MAX_BODY), [scene.credential])
    return hear(client, Play())


@PARTS.note("too-large-undeclared")
def _too_large_undeclared(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    client.send(head_for(scene, client, None, ("transfer-encoding", "chunked")))
    piece = b"%x\r\n%b\r\n" % (1_000_000, b" " * 1_000_000)
    with contextlib.suppress(ConnectionError):
        for _ in range(MAX_BODY // 1_000_000 + 1):
            client.send(piece)
        client.send(b"0\r\n\r\n")
    return hear(client, Play())


# Expectations.


@PARTS.note("expects-100")
def _expects_100(scene: Scene, client: Client) -> ClientSees:
    play = asked_well(scene)
    scene.stage.begin(play.answers)
    body = body_for(scene)
    client.send(head_for(scene, client, len(body), ("expect", "100-continue")))
    interim = client.read_interim()

    assert [] == scene.stage.received
    client.send(body)
    heard = hear(client, play)
    (received,) = scene.stage.received
    assert received.header("expect") is None
    return msgspec.structs.replace(heard, interim=int(interim.split(b" ")[1]))


@PARTS.note("expects-100-and-is-too-large")
def _expects_100_and_is_too_large(scene: Scene, client: Client) -> ClientSees:
    scene.stage.begin([])
    client.send(head_for(scene, client, MAX_BODY + 1, ("expect", "100-continue")))
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
for body in _DOUBLED:
    PARTS.note("said-twice", nameless=True)(_sent_as_it_is(body))
for payer in ("passthrough", "own"):
    for body in _UNREADABLE:
        PARTS.note(f"malformed-{payer}", nameless=True)(_sent_as_it_is(body))
    PARTS.note(f"no-model-{payer}", nameless=True)(_sent_as_it_is(b'{"max_tokens":1,"messages":[]}'))
    PARTS.note(f"unknown-coding-{payer}", nameless=True)(_sent_as_it_is(b"\x04\x05", ("content-encoding", "x-own")))
