"""A client that reads slowly, or not at all: nothing piles up here, and nobody else waits."""

import re
from pathlib import Path

import pytest

from tests.clients.answers import event, events
from tests.fake_upstream import Answer, Gate, stream_answer
from tests.relay.stage import Stage, wait_until
from tests.relay.wire_client import MODEL, Client, prompt

SIZE = 64 * 1024 * 1024
MOST_GROWTH = 8 * 1024 * 1024
MOST_IN_KERNELS = 16 * 1024 * 1024
"""What Linux may hold in both sockets' buffers at its default limits, with room."""
SMALL = 16 * 1024
"""The reader's own receive buffer."""
SAID = events("slowly now", MODEL)


def _resident(pid: int) -> int:
    """Bytes of memory that a process has now (proc(5), `VmRSS`)."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def _read_by(pid: int) -> int:
    """Bytes that a process has read so far, from sockets too (proc(5), `rchar`)."""
    found = re.search(r"rchar: (\d+)", Path(f"/proc/{pid}/io").read_text())
    assert found
    return int(found[1])


def _wait_until_still(stage: Stage) -> int:
    """Return when the gateway has read nothing for ten looks, each after other clients were served."""
    seen: list[int] = []

    def is_still() -> bool:
        with stage.client() as other:
            before = _read_by(stage.gateway.pid)
            for _ in range(10):
                other.request("GET", "/health")
                assert 200 == other.read_whole().head.status
        seen.append(_read_by(stage.gateway.pid) - before)
        # Ten requests for /health weigh far less than one read of a stream.
        return len(seen) >= 10 and max(seen[-10:]) < 16 * 1024

    wait_until(is_still, "the gateway has stopped reading")
    return _read_by(stage.gateway.pid)


def _large_stream() -> tuple[Answer, int]:
    delta = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x" * 65_000})
    said = [*SAID[:2], *[delta] * (SIZE // len(delta)), *SAID[-3:]]
    return stream_answer(said), sum(map(len, said))


def _large_body() -> tuple[Answer, int]:
    piece = b"y" * 65_536
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: %d\r\n\r\n" % SIZE
    return Answer((head, *[piece] * (SIZE // len(piece)))), SIZE


@pytest.mark.parametrize("large", [_large_stream, _large_body], ids=["stream", "plain"])
def test_reader_that_stopped(stage: Stage, large: object) -> None:
    """64 MB for a client that does not read: the gateway stops reading, too, and its memory stays; then all arrives."""
    assert callable(large)
    said, size = large()
    stage.play(said)
    memory = _resident(stage.gateway.pid)
    before = _read_by(stage.gateway.pid)

    with stage.client(receive_buffer=SMALL) as client:
        client.ask(prompt())
        exchange_id = client.read_head().exchange_id
        taken = _wait_until_still(stage) - before

        assert taken < MOST_IN_KERNELS
        assert _resident(stage.gateway.pid) - memory < MOST_GROWTH

        total = 0
        while piece := client.read_piece():
            total += len(piece)

    assert size == total
    assert _resident(stage.gateway.pid) - memory < MOST_GROWTH
    assert "ok" == stage.books.settled(exchange_id).outcome


def test_leaving_while_stalled(stage: Stage) -> None:
    """A client that stopped reading and then leaves lets the upstream go, too."""
    said, _ = _large_body()
    stage.play(said)
    left = stage.upstream.left_early

    with stage.client(receive_buffer=SMALL) as client:
        client.ask(prompt())
        exchange_id = client.read_head().exchange_id
        _wait_until_still(stage)
        client.reset()

    stage.upstream.wait_left(left + 1)
    assert "client_closed" == stage.books.settled(exchange_id).outcome


def test_others_are_not_disturbed(stage: Stage) -> None:
    """Beside readers that stopped, another stream comes event by event."""
    large, _ = _large_stream()
    gates = [Gate() for _ in SAID]
    small = stream_answer([piece for pair in zip(SAID, gates, strict=True) for piece in pair])
    stage.play(lambda received: large if b"stall" in received.body else small)
    left = stage.upstream.left_early
    stalled: list[Client] = []
    for _ in range(3):
        stalled.append(stage.client(receive_buffer=SMALL))
        stalled[-1].ask(prompt("stall"))
        stalled[-1].read_head()

    with stage.client() as quick:
        quick.ask(prompt("go"))
        quick.read_head()
        for said, gate in zip(SAID, gates, strict=True):
            assert said == quick.read_until(said)
            gate.open()

        assert (b"", True) == quick.read_rest()

    for client in stalled:
        client.reset()
    stage.upstream.wait_left(left + 3)
