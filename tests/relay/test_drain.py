"""SIGTERM drains: running answers finish, nobody new is let in; a second one ends at once."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from urllib.parse import urlsplit

from tests.clients.answers import FINAL_OUTPUT, events
from tests.fake_upstream import Gate, stream_answer
from tests.relay.stage import Stage, wait_until
from tests.relay.wire_client import MODEL, prompt

SAID = events("to the end", MODEL)


def _is_refused(url: str) -> bool:
    where = urlsplit(url)
    try:
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=5):
            return False
    except ConnectionRefusedError:
        return True


def _term(stage: Stage) -> None:
    os.kill(stage.gateway.pid, signal.SIGTERM)


def _is_running(pid: int) -> bool:
    said = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(said.stdout.strip()) and "Z" not in said.stdout


def test_running_stream_finishes(build_stage: Callable[[], Stage]) -> None:
    """A stream that runs goes on to its end and is in the books; new clients are refused; the exit code is 0."""
    stage = build_stage()
    gate = Gate()
    stage.play(stream_answer([*SAID[:3], gate, *SAID[3:]]))

    with stage.client() as client, stage.client() as idle:
        idle.request("GET", "/ready")
        assert b'{"status":"ready"}' == idle.read_whole().body
        client.ask(prompt())
        exchange_id = client.read_head().exchange_id
        client.read_until(SAID[2])
        _term(stage)
        wait_until(lambda: _is_refused(stage.gateway.url), "new connections are refused")

        # Whoever only kept a connection is let go.
        assert idle.is_ended()
        gate.open()
        assert (b"".join(SAID[3:]), True) == client.read_rest()

    wait_until(lambda: not _is_running(stage.gateway.pid), "the gateway has ended")
    # To a process that has ended the signal does nothing: this reads its exit code.
    assert 0 == stage.gateway.stop()
    stage.gateway.start()
    row = stage.books.settled(exchange_id)
    assert ("ok", FINAL_OUTPUT) == (row.outcome, row.output_tokens)


def test_second_signal_ends_at_once(build_stage: Callable[[], Stage]) -> None:
    """Who cannot wait sends it again: streams are cut, and are in the books all the same."""
    stage = build_stage()
    stage.play(stream_answer([*SAID[:5], Gate()]))

    with stage.client() as client:
        client.ask(prompt(), [stage.key_field])
        exchange_id = client.read_head().exchange_id
        client.read_until(SAID[4])
        _term(stage)
        wait_until(lambda: _is_refused(stage.gateway.url), "new connections are refused")

        assert not client.has_more()
        assert 0 == stage.gateway.stop()
        assert not client.read_rest()[1]

    stage.upstream.wait_left()
    stage.gateway.start()
    row = stage.books.settled(exchange_id)
    assert "interrupted" == row.outcome
    assert row.cost_nano


def test_drain_is_bounded(build_stage: Callable[[str], Stage]) -> None:
    """After `drain_s` what still runs is cut."""
    stage = build_stage("[server]\ndrain_s = 1\n")
    stage.play(stream_answer([*SAID[:5], Gate()]))

    with stage.client() as client:
        client.ask(prompt())
        exchange_id = client.read_head().exchange_id
        client.read_until(SAID[4])

        assert 0 == stage.gateway.stop()
        assert not client.read_rest()[1]

    stage.gateway.start()
    assert "interrupted" == stage.books.settled(exchange_id).outcome


def _ready(stage: Stage) -> int | None:
    """The status of /ready; None where nobody listens any more."""
    try:
        with stage.client() as balancer:
            balancer.request("GET", "/ready")
            return balancer.read_whole().head.status
    except (ConnectionError, AssertionError):
        return None


def test_not_ready_while_draining(build_stage: Callable[[], Stage]) -> None:
    """From the signal on a balancer hears 503 or nothing; once it was told so, never 200 again."""
    stage = build_stage()
    gate = Gate()
    stage.play(stream_answer([*SAID[:3], gate, *SAID[3:]]))

    with stage.client() as client:
        client.ask(prompt())
        client.read_head()

        assert 200 == _ready(stage)
        _term(stage)
        heard: list[int | None] = [_ready(stage)]
        while heard[-1] is not None:
            heard.append(_ready(stage))
        told = [status for status in heard if status != 200]

        assert told == heard[len(heard) - len(told) :]
        assert {503, None} >= set(told)
        gate.open()
        assert client.read_rest()[1]
    wait_until(lambda: not _is_running(stage.gateway.pid), "the gateway has ended")
