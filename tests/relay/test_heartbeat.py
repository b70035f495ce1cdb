"""Silence in a stream is filled with `ping` events: between events only, and nowhere else."""

import gzip
from collections.abc import Callable, Iterator

import msgspec
import pytest

from tests.clients.answers import event, events, message
from tests.fake_upstream import Answer, Gate, Received, answer, stream_answer
from tests.relay.stage import Stage
from tests.relay.wire_client import MODEL, Client, prompt

BEAT = "[server]\nheartbeat_s = 0.1\n"
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
SAID = events("silence is filled", MODEL)
CLOCK = "keep the time"
"""The prompt of a stream beside the one that is tested: its pings tell that time has passed."""


@pytest.fixture(scope="module")
def beating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway with a quick heart."""
    stage = Stage(tmp_path_factory.mktemp("stage"), settings=BEAT)
    with stage.upstream, stage.gateway:
        yield stage


def _play(stage: Stage, said: Answer) -> None:
    def script(received: Received) -> Answer:
        return stream_answer([SAID[0], Gate()]) if CLOCK.encode() in received.body else said

    stage.play(script)


def _let_beats_pass(stage: Stage, count: int = 4) -> None:
    """Return when another stream has had its heartbeats."""
    with stage.client() as clock:
        clock.ask(prompt(CLOCK))
        clock.read_head()
        clock.read_until(PING * count)


def _without_pings(body: bytes) -> tuple[bytes, int]:
    return body.replace(PING, b""), body.count(PING)


def test_between_events(beating: Stage) -> None:
    """While the upstream is silent the client hears pings; every other byte is the upstream's."""
    gate = Gate()
    _play(beating, stream_answer([SAID[0], gate, *SAID[1:]]))

    with beating.client() as client:
        client.ask(prompt())
        exchange_id = client.read_head().exchange_id
        seen = client.read_until(PING + PING)
        gate.open()
        rest, complete = client.read_rest()

    assert complete
    assert seen.startswith(SAID[0] + PING)
    body, pings = _without_pings(seen + rest)
    assert b"".join(SAID) == body
    assert pings >= 2
    # The books count what the upstream sent, and nothing of ours.
    row = beating.books.settled(exchange_id)
    assert ("ok", len(body)) == (row.outcome, row.response_bytes)


INSIDE = [
    pytest.param(len(SAID[3]) - 1, id="between-its-two-last-line-ends"),
    pytest.param(len(SAID[3]) - 2, id="before-its-line-ends"),
    pytest.param(len(b"event: content_block_delta\n"), id="after-its-name"),
    pytest.param(5, id="within-its-name"),
]


@pytest.mark.parametrize("cut", INSIDE)
def test_never_inside_an_event(beating: Stage, cut: int) -> None:
    """An event that came in part is never broken by a ping, however long the rest takes."""
    gate = Gate()
    _play(beating, stream_answer([*SAID[:3], SAID[3][:cut], gate, SAID[3][cut:], *SAID[4:]]))

    with beating.client() as client:
        client.ask(prompt())
        client.read_head()
        seen = client.read_until(b"".join(SAID[:3]) + SAID[3][:cut])
        gate.wait_reached()
        _let_beats_pass(beating)
        gate.open()
        rest, complete = client.read_rest()

    assert complete
    assert b"".join(SAID[:3]) + SAID[3][:cut] == seen
    assert rest.startswith(SAID[3][cut:])
    assert b"".join(SAID) == _without_pings(seen + rest)[0]


def test_none_in_a_compressed_stream(beating: Stage) -> None:
    """A compressed stream is not ours to write into."""
    packed = gzip.compress(b"".join(SAID))
    gate = Gate()
    _play(beating, stream_answer([packed[:40], gate, packed[40:]], headers=[("content-encoding", "gzip")]))

    with beating.client() as client:
        client.ask(prompt())
        client.read_head()
        seen = client.read_piece()
        gate.wait_reached()
        _let_beats_pass(beating)
        gate.open()
        rest, complete = client.read_rest()

    assert (packed, True) == (seen + rest, complete)


PLAIN = msgspec.json.encode(message("no events here", MODEL))
NOT_STREAMS: list[tuple[str, Callable[[Gate], Answer]]] = [
    ("plain", lambda gate: _in_two(PLAIN, "application/json", gate)),
    ("text", lambda gate: _in_two(b"half a word", "text/plain", gate)),
]


def _in_two(body: bytes, kind: str, gate: Gate) -> Answer:
    whole = answer(body, headers=[("content-type", kind)]).pieces[0]
    assert isinstance(whole, bytes)
    return Answer((whole[:-4], gate, whole[-4:]))


@pytest.mark.parametrize("build", [pytest.param(build, id=name) for name, build in NOT_STREAMS])
def test_none_where_there_are_no_events(beating: Stage, build: Callable[[Gate], Answer]) -> None:
    """A plain answer has no place for pings."""
    gate = Gate()
    said = build(gate)
    _play(beating, said)

    with beating.client() as client:
        client.ask(prompt(stream=False))
        client.read_head()
        seen = client.read_piece()
        gate.wait_reached()
        _let_beats_pass(beating)
        gate.open()
        rest, complete = client.read_rest()

    assert complete
    assert b"".join(piece for piece in said.pieces if isinstance(piece, bytes)).endswith(seen + rest)
    assert b"ping" not in seen + rest


def test_none_before_the_head(beating: Stage) -> None:
    """The status is the upstream's to tell: until its head has come, nothing is sent."""
    gate = Gate()
    _play(beating, Answer((gate, *stream_answer(SAID).pieces)))

    with beating.client() as client:
        client.ask(prompt())
        gate.wait_reached()
        _let_beats_pass(beating)
        gate.open()
        whole = client.read_whole()

    assert (b"".join(SAID), True) == (_without_pings(whole.body)[0], whole.complete)
    assert whole.body.startswith(SAID[0])


def test_none_after_the_end(beating: Stage) -> None:
    """After the end of a stream the connection is silent, and good for the next request."""
    _play(beating, stream_answer(SAID))

    with beating.client() as client:
        client.ask(prompt())
        client.read_whole()
        _let_beats_pass(beating)
        client.request("GET", "/health")

        assert (200, b'{"status":"ok"}') == _gist(client)


def _gist(client: Client) -> tuple[int, bytes]:
    whole = client.read_whole()
    return whole.head.status, whole.body


def test_none_after_message_stop(beating: Stage) -> None:
    """A message that has ended is not added to, though the upstream keeps its stream open."""
    gate = Gate()
    _play(beating, stream_answer([*SAID, gate, event("late")]))

    with beating.client() as client:
        client.ask(prompt())
        client.read_head()
        seen = client.read_until(SAID[-1])
        gate.wait_reached()
        _let_beats_pass(beating)
        gate.open()
        rest, complete = client.read_rest()

    assert (b"".join(SAID), event("late"), True) == (seen, rest, complete)


def test_none_where_the_length_is_told(beating: Stage) -> None:
    """A stream of known length has no room for pings: it arrives whole, and nothing else with it."""
    whole = b"".join(SAID)
    head = b"HTTP/1.1 200 Scripted\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(whole)
    gate = Gate()
    _play(beating, Answer((head + SAID[0], gate, whole[len(SAID[0]) :])))

    with beating.client() as client:
        client.ask(prompt())
        client.read_head()
        seen = client.read_until(SAID[0])
        gate.wait_reached()
        _let_beats_pass(beating)
        gate.open()
        rest, complete = client.read_rest()

    assert (whole, True) == (seen + rest, complete)
