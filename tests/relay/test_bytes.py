"""Answers arrive as they were sent: every byte, over connections that are kept.

How streams are framed and cut is in tests/checks, b8.
"""

import gzip
import zlib

import pytest

from tests.clients.answers import FINAL_OUTPUT, USAGE, events, message
from tests.fake_upstream import Answer, answer, json_answer, stream_answer
from tests.relay.stage import Stage
from tests.relay.wire_client import JSON, MODEL, OWN_CREDENTIAL, Whole, prompt

SAID = events("every byte € counts", MODEL)
STREAM = b"".join(SAID)


def _ask(stage: Stage, *, stream: bool = True) -> Whole:
    with stage.client() as client:
        client.ask(prompt(stream=stream))
        return client.read_whole()


def _assert_metered(stage: Stage, whole: Whole) -> None:
    row = stage.books.settled(whole.head.exchange_id)

    assert ("ok", USAGE["input_tokens"], FINAL_OUTPUT, False) == (
        row.outcome,
        row.input_tokens,
        row.output_tokens,
        row.estimated,
    )
    assert "end_turn" == row.stop_reason


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
def test_compressed_answer(stage: Stage, coding: str, *, stream: bool) -> None:
    """An upstream that compresses without being asked is relayed as it is, and metered all the same."""
    pack = gzip.compress if coding == "gzip" else zlib.compress
    plain = STREAM if stream else json_answer(message("packed", MODEL)).pieces[0]
    assert isinstance(plain, bytes)
    packed = pack(plain if stream else plain.partition(b"\r\n\r\n")[2])
    field = ("content-encoding", coding)
    stage.play(
        stream_answer([packed[:25], packed[25:]], headers=[field]) if stream else answer(packed, headers=[JSON, field])
    )

    whole = _ask(stage, stream=stream)

    assert (packed, True, coding) == (whole.body, whole.complete, whole.head.header("content-encoding"))
    assert "identity" == stage.received[0].header("accept-encoding")
    _assert_metered(stage, whole)


def test_headers_of_the_answer(stage: Stage) -> None:
    """Status, length and fields are the upstream's; what concerns its connection is not passed on."""
    fields = (
        ("content-type", "application/json"),
        ("X-Odd-Case", "kept value"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("connection", "x-hop"),
        ("x-hop", "gone"),
        ("keep-alive", "timeout=5"),
    )
    stage.play(answer(b"{}", headers=fields))

    whole = _ask(stage, stream=False)

    names = [name for name, _ in whole.head.headers]
    assert ["content-type", "x-odd-case", "set-cookie", "set-cookie", "content-length", "x-clearway-exchange"] == names
    assert "2" == whole.head.header("content-length")


def test_head_request(stage: Stage) -> None:
    """HEAD is answered with a head alone, its length that of a body that is not there."""
    stage.play(Answer((b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5000\r\n\r\n",)))

    with stage.client() as client:
        client.request("HEAD", "/v1/files/x", [OWN_CREDENTIAL])
        head = client.read_head(has_body=False)

        assert (200, "5000") == (head.status, head.header("content-length"))
        client.request("GET", "/health")
        assert 200 == client.read_whole().head.status
    assert "HEAD" == stage.received[0].method


@pytest.mark.parametrize("status", [204, 304])
def test_no_body(stage: Stage, status: int) -> None:
    """An answer that has no body by its status ends with its head, and the connection goes on."""
    stage.play(Answer((b"HTTP/1.1 %d Nothing\r\nx-said: yes\r\n\r\n" % status,)))

    with stage.client() as client:
        client.request("DELETE", "/v1/files/x", [OWN_CREDENTIAL])
        head = client.read_head(has_body=False)

        assert (status, "yes") == (head.status, head.header("x-said"))
        assert head.header("content-length") is None
        assert head.header("transfer-encoding") is None
        client.request("GET", "/health")
        assert 200 == client.read_whole().head.status


def test_interim_answers(stage: Stage) -> None:
    """1xx answers of the upstream are between it and us."""
    final = answer(b"{}").pieces[0]
    stage.play(Answer((b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", final)))

    whole = _ask(stage, stream=False)

    assert (200, b"{}", True) == (whole.head.status, whole.body, whole.complete)
    assert whole.head.header("link") is None


def test_connections_are_kept(stage: Stage) -> None:
    """Requests one after the other, by different clients, share one connection to the upstream."""
    stage.play(stream_answer(SAID))
    _ask(stage)
    opened = stage.upstream.connections

    for _ in range(10):
        assert STREAM == _ask(stage).body
    with stage.client() as client:
        for _ in range(10):
            client.ask(prompt())

            assert STREAM == client.read_whole().body

    assert opened == stage.upstream.connections
    assert 21 == len(stage.received)


def test_connection_is_not_kept_where_the_upstream_closes(stage: Stage) -> None:
    """`connection: close` and a real close are heard: the next request has a connection of its own."""
    stage.play(Answer((b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",), close=True))

    for _ in range(3):
        assert b"{}" == _ask(stage, stream=False).body

    assert 3 == len(stage.received)


def test_not_modified_keeps_the_connection(stage: Stage) -> None:
    """A 304 may tell the length of a body that it does not have (RFC 9110, section 8.6): nothing is cut."""
    not_modified = b'HTTP/1.1 304 Scripted\r\netag: "x"\r\ncontent-length: 5\r\n\r\n'
    stage.play(Answer((not_modified,)))

    with stage.client() as client:
        for _ in range(2):
            client.request("GET", "/api/setting", [OWN_CREDENTIAL])
            head = client.read_head(has_body=False)

            assert (304, '"x"') == (head.status, head.header("etag"))
    assert ["ok", "ok"] == [row.outcome for row in stage.exchanges(2)]


def test_what_is_not_in_its_coding(stage: Stage) -> None:
    """An answer that cannot be watched arrives all the same; it is told once and its bytes are counted."""
    before = stage.gateway.log.count("watch_failed")
    stage.play(stream_answer(SAID, headers=[("content-encoding", "gzip")]))

    whole = _ask(stage)
    row = stage.books.settled(whole.head.exchange_id)

    assert (STREAM, True) == (whole.body, whole.complete)
    assert ("ok", len(STREAM)) == (row.outcome, row.response_bytes)
    assert 1 == stage.gateway.log.count("watch_failed") - before
