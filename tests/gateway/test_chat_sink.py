"""The sink that takes an answer from the relay and tells it in Chat Completions, piece by piece.

What a whole gateway makes of it is in tests/chat; here the pieces are cut as no socket would.
"""

import gzip
import json

import pytest

from clearway.core.clock import SystemClock
from clearway.core.fields import Headers
from clearway.gateway.answer_sink import AnswerSink, Backing, Translation
from clearway.wire.chat.teller import ChatTeller
from clearway.wire.messages.watch import PING
from tests.chat.asking import ask
from tests.chat.telling import end, event, start, text
from tests.gateway.listening import Client

STREAM: Headers = [(b"content-type", b"text/event-stream"), (b"request-id", b"req_1")]
OVERLOADED = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


def _sink(client: Client, *, stream: bool, model: str = "claude-sonnet-5-5") -> AnswerSink:
    translated = ask(stream=stream)
    asked = Translation(name="gpt-4o", model=model, plan=translated.plan, warnings=translated.warnings)
    return AnswerSink(client, "0190", asked, ChatTeller(translated.form, is_stream=stream), SystemClock(), Backing())


@pytest.mark.parametrize("whole", [start() + text(0, "a"), start() + text(0, "a") + OVERLOADED], ids=["end", "error"])
def test_any_cut(whole: bytes) -> None:
    """b7, b8: cut anywhere, what came before an error is said, and the error behind it, once."""
    for cut in range(len(whole) + 1):
        client = Client()
        sink = _sink(client, stream=True)
        sink.start(200, STREAM)
        sink.write(whole[:cut])
        sink.write(whole[cut:])
        if OVERLOADED not in whole:
            sink.write(end())
        sink.finish()

        assert client.head is not None
        assert (200, b"0190", b"req_1") == (
            client.head[0], client.head[1][b"x-request-id"], client.head[1][b"x-clearway-upstream-request-id"],
        )  # fmt: skip
        assert b'"content":"a"' in client.said
        assert (1, 0) == (client.said.count(b"[DONE]"), client.said.count(b'"error"')) or OVERLOADED in whole
        assert (0, 1) == (client.said.count(b"[DONE]"), client.said.count(b'"error"')) or OVERLOADED not in whole
        assert client.is_over


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_error_first(*, stream: bool) -> None:
    """CS9: what fails before its first word has a status of its own."""
    client = Client()
    sink = _sink(client, stream=stream)
    sink.start(200, STREAM)
    sink.write(OVERLOADED)
    assert not client.started
    sink.finish()

    assert client.head is not None
    assert 503 == client.head[0]
    assert "server_is_overloaded" == json.loads(client.said)["error"]["code"]


def test_heartbeats() -> None:
    """CS6: a heartbeat is a comment for a stream, at its head too, and nothing for an answer in one piece."""
    streamed, whole = Client(), Client()
    for client, stream in ((streamed, True), (whole, False)):
        sink = _sink(client, stream=stream)
        sink.start(200, STREAM)
        sink.write(PING)
        sink.write(start() + text(0, "a") + end())
        sink.finish()

    assert streamed.said.startswith(b": keepalive\n\ndata: ")
    assert "a" == json.loads(whole.said)["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"event: message_start\ndata: {\n\n", id="no-json"),
        pytest.param(b'data: {"type": 1}\n\n', id="no-event"),
        pytest.param(b"", id="nothing"),
        pytest.param(start(), id="no-end"),
    ],
)
def test_what_cannot_be_read(said: bytes) -> None:
    """An answer that is none is an error of the upstream's, never an empty success."""
    client = Client()
    sink = _sink(client, stream=True)
    sink.start(200, STREAM)
    sink.write(said)
    sink.finish()

    assert client.head is not None
    assert (200 if said == start() else 500) == client.head[0]
    last = client.said.strip().split(b"\n")[-1].removeprefix(b"data: ")
    assert "server_error" == json.loads(last)["error"]["code"]


def test_names_end_no_field() -> None:
    """A model's name with the end of a line in it begins no field of the answer."""
    client = Client()
    sink = _sink(client, stream=False, model="a\r\nset-cookie: x")
    sink.start(404, STREAM)
    sink.finish(b"{}")

    assert client.head is not None
    assert b"a??set-cookie: x" == client.head[1][b"x-clearway-model"]


def test_coded_answer() -> None:
    """An answer that is packed though it was asked for plain is unpacked."""
    client = Client()
    sink = _sink(client, stream=True)
    sink.start(200, [*STREAM, (b"content-encoding", b"gzip")])
    packed = gzip.compress(start() + text(0, "a") + end())
    for place in range(0, len(packed), 7):
        sink.write(packed[place : place + 7])
    sink.finish()

    assert b'"content":"a"' in client.said
    assert client.said.endswith(b"data: [DONE]\n\n")
