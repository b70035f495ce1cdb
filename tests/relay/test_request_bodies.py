"""Requests leave as they came; where an alias must change the model, nothing else changes.

Compressed ones are in tests/checks, b23; header fields in b14.
"""

import msgspec
import pytest

from tests.clients.answers import events, message
from tests.fake_upstream import Received, json_answer, stream_answer
from tests.relay.stage import CREDENTIAL, Stage
from tests.relay.wire_client import JSON, MODEL, OWN_CREDENTIAL, VERSION, prompt

# Spacing, key order, escapes and numbers that any rewrite would change.
ODD = (
    b'\n{ "x_future":[1.0,1e3, -0.0], "messages":[{"role":"user","content":"\\u20ac \xe2\x82\xac \\/"}],'
    b'  "model" : "swift",\t"max_tokens":50,"stream":true,"model_hint":"swift"}\n'
)


@pytest.fixture(autouse=True)
def _answers(stage: Stage) -> None:
    stage.play(stream_answer(events("heard", MODEL)))


def _send(stage: Stage, body: bytes, *fields: tuple[str, str]) -> Received:
    with stage.client() as client:
        client.ask(body, fields, target="/v1/messages?beta=true")
        whole = client.read_whole()

    assert 200 == whole.head.status, whole.body
    (received,) = stage.received
    assert "/v1/messages?beta=true" == received.target
    return received


def test_passthrough_is_untouched(stage: Stage) -> None:
    """A client that pays for itself sends what it wants, aliases included."""
    agent = ("user-agent", "scripted/1.0 (odd)")
    beta = ("anthropic-beta", "future-2027-01-01, other")

    received = _send(stage, ODD, OWN_CREDENTIAL, agent, beta, ("x-unknown", "kept"))

    assert ODD == received.body
    fields = received.headers
    for field in (OWN_CREDENTIAL, agent, beta, ("x-unknown", "kept"), VERSION, JSON):
        assert field in fields
    assert ["host", "x-api-key", "user-agent", "anthropic-beta", "x-unknown", "anthropic-version", "content-type"] == [
        name for name, _ in fields
    ][:7]


def test_alias_replaces_the_model_alone(stage: Stage) -> None:
    """On the gateway's own upstreams the alias's bytes change, and no others."""
    received = _send(stage, ODD, stage.key_field)

    assert ODD.replace(b'"model" : "swift"', b'"model" : "claude-haiku-4-5"') == received.body
    assert CREDENTIAL == received.header("x-api-key")
    assert str(len(received.body)) == received.header("content-length")
    (row,) = stage.exchanges(1)
    assert "swift" == row.request_model
    assert "claude-haiku-4-5" == stage.books.attempts(row.id)[0].model


def test_chunked_request(stage: Stage) -> None:
    """A request without a length is read whole and sent on with one."""
    with stage.client() as client:
        head = client.head("POST", "/v1/messages", [OWN_CREDENTIAL, JSON, ("transfer-encoding", "chunked")])
        client.send(head)
        for at in range(0, len(ODD), 50):
            piece = ODD[at : at + 50]
            client.send(b"%x;x=y\r\n%b\r\n" % (len(piece), piece))
        client.send(b"0\r\n\r\n")

        assert 200 == client.read_whole().head.status

    (received,) = stage.received
    assert (ODD, str(len(ODD))) == (received.body, received.header("content-length"))
    assert received.header("transfer-encoding") is None


def test_expect_continue(stage: Stage) -> None:
    """We say 100 ourselves as soon as the body is wanted; the upstream never hears of it."""
    with stage.client() as client:
        head = client.head("POST", "/v1/messages", [OWN_CREDENTIAL, JSON, ("expect", "100-continue")], len(ODD))
        client.send(head)

        assert client.read_interim().startswith(b"HTTP/1.1 100 ")
        client.send(ODD)
        assert 200 == client.read_whole().head.status

    (received,) = stage.received
    assert ODD == received.body
    assert received.header("expect") is None


def test_what_is_too_large_is_not_asked_for(stage: Stage) -> None:
    """Who waits for a 100 with a body over the limit hears the refusal, and no 100 before it."""
    with stage.client() as client:
        head = [OWN_CREDENTIAL, JSON, ("expect", "100-continue")]
        client.send(client.head("POST", "/v1/messages", head, 64_000_001))
        whole = client.read_whole()

    assert (413, "too_large") == (whole.head.status, whole.head.header("x-clearway-error"))


def test_strangers_are_refused_unread(stage: Stage) -> None:
    """Who brings nothing to pay with is refused before the body was sent, and is not told to send it."""
    with stage.client() as client:
        mistyped = ("x-api-key", "cw-" + "0" * 40)
        client.send(client.head("POST", "/v1/messages", [mistyped, JSON, ("expect", "100-continue")], 5_000_000))
        whole = client.read_whole()

    assert (401, "invalid_key") == (whole.head.status, whole.head.header("x-clearway-error"))
    assert [] == stage.received


def test_large_body(stage: Stage) -> None:
    """Twenty megabytes go through, byte for byte."""
    stage.play(json_answer(message("much", MODEL)))
    body = prompt("x" * 20_000_000, stream=False)

    with stage.client() as client:
        client.ask(body)

        assert 200 == client.read_whole().head.status
    assert body == stage.received[0].body


DOUBLES = [
    pytest.param(b'{"model":"a","model":"b","messages":[]}', id="model"),
    pytest.param(b'{"model":"a","\\u006dodel":"b","messages":[]}', id="model-escaped"),
    pytest.param(b'{"model":"a","stream":true,"stream":false}', id="stream"),
    pytest.param(b'{"model":"a","max_tokens":1,"max_tokens":9}', id="max-tokens"),
]


@pytest.mark.parametrize("payer", ["client", "gateway"])
@pytest.mark.parametrize("body", DOUBLES)
def test_said_twice(stage: Stage, body: bytes, payer: str) -> None:
    """A body that two readers could read differently is refused for everybody."""
    with stage.client() as client:
        client.ask(body, [OWN_CREDENTIAL if payer == "client" else stage.key_field])
        whole = client.read_whole()

    assert (400, "invalid_request_error") == (whole.head.status, whole.error()[0])
    assert [] == stage.received


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model": 5}', b"\xff\xfe"])
def test_unreadable(stage: Stage, body: bytes) -> None:
    """The provider judges what a client sends at its own expense; where the gateway pays, it is a 400."""
    with stage.client() as client:
        client.ask(body)

        assert 200 == client.read_whole().head.status
    (received,) = stage.received
    assert body == received.body

    with stage.client() as client:
        client.ask(body, [stage.key_field])

        assert 400 == client.read_whole().head.status
    assert 1 == len(stage.received)


def test_what_the_books_know(stage: Stage) -> None:
    """Model, stream and size are read from the request; nothing of its text is kept."""
    body = prompt("a sentence that stays out of the books")
    _send(stage, body, stage.key_field)

    (row,) = stage.exchanges(1)

    assert ("stage", MODEL, True, len(body)) == (row.key_name, row.request_model, row.stream, row.request_bytes)
    assert b"stays out" not in msgspec.json.encode(row)
