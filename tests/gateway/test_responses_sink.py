"""The sink that takes an answer from the relay, with a teller that tells it in Responses.

Ids are those of the acceptance list of `docs/responses.md`.
"""

import json

import pytest

from clearway.core.clock import Clock, SystemClock
from clearway.core.errors import BudgetExceeded, GatewayError, LimitExceeded, UpstreamUnreachable
from clearway.core.fields import Headers
from clearway.gateway.answer_sink import AnswerSink, Backing, Translation
from clearway.wire.hub.plan import NO_PLAN
from clearway.wire.messages.watch import PING
from clearway.wire.responses.form import Form
from clearway.wire.responses.teller import ResponsesTeller
from tests.chat.telling import end, event, start, text, thinking, tool_use
from tests.gateway.listening import Client
from tests.responses.answering import FORM, events_of, seal, types_of

STREAM: Headers = [(b"content-type", b"text/event-stream"), (b"request-id", b"req_1")]
OVERLOADED = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
ANSWER = start() + thinking(0, "hm") + text(1, "a") + tool_use(2, "t", "f", "{}") + end("tool_use")


def _sink(client: Client, *, stream: bool = True, form: Form = FORM, clock: Clock | None = None) -> AnswerSink:
    translation = Translation(name="gpt-5", model="claude-x", plan=NO_PLAN, warnings=b"ignored:top_k")
    teller = ResponsesTeller(form, seal, "0190", is_stream=stream)
    return AnswerSink(client, "0190", translation, teller, clock or SystemClock(), Backing())


class HandClock:
    """Turned by hand."""

    seconds = 5_000.0

    def now_us(self) -> int:
        """Wall time."""
        return int(self.seconds * 1_000_000)

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds


def test_any_cut() -> None:
    """RR1, b8: cut anywhere, the events are the same, under a head that names the exchange and what was ignored."""
    said = set()
    for cut in range(len(ANSWER) + 1):
        client = Client()
        sink = _sink(client)
        sink.start(200, STREAM)
        sink.write(ANSWER[:cut])
        sink.write(ANSWER[cut:])
        sink.finish()

        assert client.is_over
        assert client.head is not None
        status, fields = client.head
        assert (200, b"text/event-stream; charset=utf-8") == (status, fields[b"content-type"])
        assert (b"0190", b"ignored:top_k", b"claude-x") == (
            fields[b"x-request-id"], fields[b"x-clearway-warnings"], fields[b"x-clearway-model"],
        )  # fmt: skip
        said.add(client.said)
    (only,) = said
    assert "completed" == types_of(events_of(only))[-1]


def test_whole() -> None:
    """RR9: who does not stream is sent the object of the last event."""
    streamed, whole = Client(), Client()
    for client, stream in ((streamed, True), (whole, False)):
        sink = _sink(client, stream=stream)
        sink.start(200, STREAM)
        sink.write(PING)
        sink.write(ANSWER)
        sink.finish()

    assert events_of(streamed.said)[-1]["response"] == json.loads(whole.said)
    assert whole.head is not None
    assert b"application/json" == whole.head[1][b"content-type"]


def test_heartbeats() -> None:
    """RR7, X5: silence is filled with `response.in_progress`, never before `response.created`; so are the upstream's
    own pings told, for Codex counts no comments.
    """
    client = Client()
    sink = _sink(client)
    sink.start(200, STREAM)
    sink.write(PING)
    assert not client.started
    sink.write(event("ping"))
    assert not client.started

    sink.write(start())
    sink.write(PING)
    sink.write(event("ping"))
    sink.write(text(0, "a") + end())
    sink.finish()
    assert ["created", "in_progress", "in_progress", "in_progress", "output_item.added"] == types_of(
        events_of(client.said)
    )[:5]


def test_what_is_not_told() -> None:
    """X5: while much comes of which nothing is told, here thoughts that are not shown, the client hears a heartbeat."""
    client, clock = Client(), HandClock()
    sink = _sink(client, form=Form(model="gpt-5", created=1, summarizes=False), clock=clock)
    sink.start(200, STREAM)
    first, *deltas = thinking(0, *["hm"] * 9).split(b"\n\n")
    sink.write(start() + first + b"\n\n")
    for delta in deltas[:-1]:
        clock.seconds += 4
        sink.write(delta + b"\n\n")
    sink.write(text(1, "a") + end())
    sink.finish()

    kinds = types_of(events_of(client.said))
    assert ["created", "in_progress", "output_item.added", "in_progress", "in_progress", "output_item.done"] == kinds[
        :6
    ]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_error_first(*, stream: bool) -> None:
    """E7, X6: what fails before its first word has a status of its own, one that Codex knows."""
    client = Client()
    sink = _sink(client, stream=stream)
    sink.start(200, STREAM)
    sink.write(OVERLOADED)
    sink.finish()

    assert client.head is not None
    assert 503 == client.head[0]
    assert "server_is_overloaded" == json.loads(client.said)["error"]["code"]


def test_refused_at_the_head() -> None:
    """E6, X7: a refusal of the upstream's keeps its status, its sentence and when to come back."""
    client = Client()
    sink = _sink(client)
    sink.start(429, [(b"content-type", b"application/json"), (b"retry-after", b"7")])
    sink.finish(b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}')

    assert client.head is not None
    assert (429, b"7") == (client.head[0], client.head[1][b"retry-after"])
    assert ("rate_limit_exceeded", "slow down") == (
        json.loads(client.said)["error"]["code"], json.loads(client.said)["error"]["message"],
    )  # fmt: skip


BROKEN = [
    pytest.param(OVERLOADED, id="error"),
    pytest.param(b"", id="cut"),
    pytest.param(b"event: x\ndata: {\n\n", id="no-json"),
]


@pytest.mark.parametrize("last", BROKEN)
def test_failure_in_the_middle(last: bytes) -> None:
    """RR6, b7: what breaks off later ends with `response.failed`, with a code that Codex tries again, and no more."""
    client = Client()
    sink = _sink(client)
    sink.start(200, STREAM)
    sink.write(start() + text(0, "a") + last)
    sink.write(end() if last else b"")
    sink.finish()

    events = events_of(client.said)
    assert ["failed"] == [kind for kind in types_of(events) if kind in ("failed", "completed", "incomplete")]
    assert ("response.failed", "server_error") == (events[-1]["type"], events[-1]["response"]["error"]["code"])
    assert client.is_over


OURS = [
    pytest.param(BudgetExceeded("spent"), "insufficient_quota", id="X8-budget"),
    pytest.param(LimitExceeded("too many", retry_after_s=3), "rate_limit_exceeded", id="E11-limit"),
    pytest.param(UpstreamUnreachable("gone"), "server_error", id="unreachable"),
]


@pytest.mark.parametrize(("error", "code"), OURS)
def test_ours_in_the_middle(error: GatewayError, code: str) -> None:
    """An error of ours that ends an answer is the next event of it, numbered like the others."""
    client = Client()
    sink = _sink(client)
    sink.start(200, STREAM)
    sink.write(start() + text(0, "a"))

    events = events_of(client.said + sink.last_words(error))
    assert (code, "failed") == (events[-1]["response"]["error"]["code"], events[-1]["response"]["status"])
