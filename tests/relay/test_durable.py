"""What a client received whole is in the ledger: the last bytes wait for the commit."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.clients.answers import events, message
from tests.fake_upstream import Gate, json_answer, stream_answer
from tests.relay.stage import Stage
from tests.relay.wire_client import MODEL, prompt

SAID = events("wait for the book keeper", MODEL)
PLAIN = json_answer(message("all at once", MODEL))


@contextmanager
def _no_commits(data_dir: Path) -> Iterator[None]:
    """Nobody else can write to the ledger while the context is open."""
    (path,) = data_dir.glob("*.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def _let_it_work(stage: Stage) -> None:
    """Return when the gateway has done all that it had to do by now."""
    with stage.client() as other:
        for _ in range(20):
            other.request("GET", "/health")
            other.read_whole()


def test_end_of_a_stream_waits(stage: Stage) -> None:
    """While nothing can be committed a stream comes but for message_stop; then that, once and no more."""
    gate = Gate()
    stage.play(stream_answer([*SAID[:-1], gate, SAID[-1]]))

    with stage.client() as client:
        with _no_commits(stage.gateway.data_dir):
            client.ask(prompt())
            exchange_id = client.read_head().exchange_id
            before = client.read_until(SAID[-2])
            gate.open()
            _let_it_work(stage)

            assert not client.has_more()

        assert (SAID[-1], True) == client.read_rest()

    assert b"".join(SAID[:-1]) == before
    assert "ok" == stage.books.settled(exchange_id).outcome


def test_plain_answer_waits(stage: Stage) -> None:
    """A plain answer ends when its exchange is durable, and not before."""
    stage.play(PLAIN)

    with stage.client() as client:
        with _no_commits(stage.gateway.data_dir):
            client.ask(prompt(stream=False))
            _let_it_work(stage)

            assert not client.has_more()

        exchange_id = client.read_head().exchange_id
        body, complete = client.read_rest()

    assert complete
    assert isinstance(PLAIN.pieces[0], bytes)
    assert PLAIN.pieces[0].endswith(b"\r\n\r\n" + body)
    assert "ok" == stage.books.settled(exchange_id).outcome
