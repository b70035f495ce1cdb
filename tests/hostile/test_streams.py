"""Streams that abuse server-sent events, through the real program.

The client gets every byte as the upstream sent it; the watch beside it counts what
can be counted and is never in the way.
"""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

from tests.fake_upstream import Answer, Piece, stream_answer
from tests.hostile.memory import peak_mb
from tests.relay.stage import Stage
from tests.relay.wire_client import OWN_CREDENTIAL, Whole, prompt

EXTRA_MB = 100
PATIENT_S = 5.0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway in front of a scripted upstream."""
    stage = Stage(tmp_path_factory.mktemp("stage"))
    with stage.upstream, stage.gateway:
        yield stage


def event(name: str, **data: object) -> bytes:
    """One event as the API frames it."""
    return f"event: {name}\n".encode() + b"data: " + msgspec.json.encode({"type": name, **data}) + b"\n\n"


START = event(
    "message_start",
    message={"id": "msg_0123456", "type": "message", "model": "claude-sonnet-5-5", "role": "assistant",
             "content": [], "stop_reason": None, "usage": {"input_tokens": 11, "output_tokens": 1}},
)  # fmt: skip
DELTA = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "hello"})
END = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 42})
STOP = event("message_stop")
WHOLE = START + DELTA * 3 + END + STOP


@dataclass(frozen=True)
class Case:
    """A stream and what the books have of it."""

    wire: bytes
    outcome: str = "ok"
    input_tokens: int | None = 11
    output_tokens: int | None = 42
    is_estimate: bool = False
    """The last word on usage is missing: the output is counted by what passed."""
    complete: bool = True
    """It comes to a proper end."""


def odd_usage(usage: bytes) -> bytes:
    """A stream whose last word on usage is that."""
    return START + b'data: {"type":"message_delta","delta":{},"usage":%b}\n\n' % usage + STOP


CASES = {
    "as-the-api-sends-it": Case(WHOLE),
    "crlf": Case(WHOLE.replace(b"\n", b"\r\n")),
    "cr": Case(WHOLE.replace(b"\n", b"\r")),
    "mixed-line-ends": Case(START.replace(b"\n", b"\r\n") + DELTA.replace(b"\n", b"\r") + END + STOP),
    "no-blank-line-at-the-end": Case(WHOLE[:-2]),
    "one-line-end-at-the-end": Case(WHOLE[:-1]),
    "no-blanks-after-colons": Case(WHOLE.replace(b": ", b":")),
    "byte-order-mark": Case(b"\xef\xbb\xbf" + WHOLE),
    "comments": Case(b": hello\n\n" + START + b":\n:\n\n" + DELTA + b": message_stop error\n\n" + END + STOP),
    "unknown-events": Case(START + event("vendor_thing", x=1) + b"event\n\nx: x\n\nid: 1\nretry: 5\n\n" + END + STOP),
    "no-names": Case(WHOLE.replace(b"event: ", b"x-event: ")),
    "data-in-several-lines": Case(START.replace(b",", b",\ndata: ") + END.replace(b",", b",\ndata: ") + STOP),
    "empty-lines": Case(b"\n\n\n" + WHOLE.replace(b"\n\n", b"\n\n\n\n\n")),
    "not-utf-8": Case(START + DELTA.replace(b"hello", b"\xff\xfe\xc0\xae") + END + STOP),
    "nul": Case(START + DELTA.replace(b"hello", b"\0\0") + END + STOP),
    "after-the-end": Case(WHOLE + DELTA * 3 + event("ping") + END.replace(b"42", b"43")),
    "two-starts": Case(START + START.replace(b":11", b":12") + END + STOP, input_tokens=12),
    "the-end-alone": Case(STOP, input_tokens=None, output_tokens=None),
    "error-without-data": Case(START + b"event: error\n\n" + END + STOP),
    "error-that-is-no-json": Case(START + b"event: error\ndata: {{{\n\n" + END + STOP),
    "error-of-no-type": Case(START + b'event: error\ndata: {"type":"error","error":{}}\n\n', "upstream_error", 11, 1),
    "null-usage": Case(odd_usage(b"null"), is_estimate=True),
    "usage-of-nulls": Case(odd_usage(b'{"output_tokens":null,"input_tokens":null}'), is_estimate=True),
    "usage-in-words": Case(odd_usage(b'{"output_tokens":"many","iterations":"none"}'), output_tokens=0),
    "usage-below-zero": Case(odd_usage(b'{"output_tokens":-5}'), output_tokens=0),
    "usage-with-fractions": Case(odd_usage(b'{"output_tokens":42.9}')),
    "usage-beyond-all-numbers": Case(
        odd_usage(b'{"output_tokens":1e300,"input_tokens":%b}' % (b"9" * 400)), input_tokens=0, output_tokens=0
    ),
    "usage-that-is-nested": Case(odd_usage(b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"), is_estimate=True),
    "a-line-of-ten-megabytes": Case(START + DELTA.replace(b"hello", b"x" * 10_000_000) + END + STOP),
    "ten-megabytes-that-matter": Case(START + DELTA.replace(b"hello", b"error" * 2_000_000) + END + STOP),
    "beyond-the-limit": Case(START + DELTA.replace(b"hello", b"x" * 20_000_000) + END + STOP, is_estimate=True),
    "a-hundred-thousand-events": Case(START + b"data: x\n\n" * 100_000 + END + STOP),
    "a-hundred-thousand-events-that-matter": Case(START + b"data: error\n\n" * 100_000 + END + STOP),
    "a-hundred-thousand-empty-lines": Case(START + b"\n" * 100_000 + b"\r\n" * 100_000 + END + STOP),
    "a-long-name": Case(START + b"event: " + b"n" * 1_000_000 + b"\n\n" + END + STOP),
    "nothing": Case(b"", "upstream_error", None, None, complete=False),
    "no-events": Case(random.Random(7).randbytes(20_000), "upstream_error", None, None, complete=False),  # noqa: S311
    "carriage-returns": Case(b"\r" * 20_000, "upstream_error", None, None, complete=False),
}  # fmt: skip


def relayed(stage: Stage, pieces: list[Piece]) -> Whole:
    """What a client gets of it."""
    stage.play(stream_answer(pieces))
    with stage.client() as client:
        client.ask(prompt(), [OWN_CREDENTIAL])
        return client.read_whole()


@pytest.mark.parametrize("name", CASES)
def test_every_byte_reaches_the_client(stage: Stage, name: str) -> None:
    """In one chunk; what can be counted is counted, and memory and time are bounded."""
    case = CASES[name]
    before = peak_mb(stage.gateway.pid)
    begin = time.monotonic()
    whole = relayed(stage, [case.wire] if case.wire else [])
    took_s = time.monotonic() - begin
    row = stage.books.settled(whole.head.exchange_id)

    assert (200, case.complete) == (whole.head.status, whole.complete)
    assert case.wire == whole.body
    assert case.outcome == row.outcome
    assert case.input_tokens == row.input_tokens
    assert row.estimated if case.is_estimate else case.output_tokens == row.output_tokens
    assert PATIENT_S > took_s
    assert EXTRA_MB > peak_mb(stage.gateway.pid) - before
    assert "watch_failed" not in stage.gateway.log


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if 0 < len(case.wire) < 2000])
def test_however_it_is_cut(stage: Stage, name: str) -> None:
    """A chunk for every few bytes: the same bytes, the same books."""
    case = CASES[name]
    whole = relayed(stage, [case.wire[at : at + 3] for at in range(0, len(case.wire), 3)])
    row = stage.books.settled(whole.head.exchange_id)

    assert (case.wire, case.complete) == (whole.body, whole.complete)
    assert case.outcome == row.outcome
    assert case.input_tokens == row.input_tokens
    assert row.estimated if case.is_estimate else case.output_tokens == row.output_tokens


def test_byte_by_byte(stage: Stage) -> None:
    """Each in a chunk and a segment of its own."""
    whole = relayed(stage, [WHOLE[at : at + 1] for at in range(len(WHOLE))])
    row = stage.books.settled(whole.head.exchange_id)

    assert (WHOLE, True) == (whole.body, whole.complete)
    assert ("ok", 11, 42) == (row.outcome, row.input_tokens, row.output_tokens)


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"[" * 100_000, b'{"usage":[]}', b'{"usage":{"output_tokens":"x"}}', b""]
)
def test_a_plain_answer_that_nobody_can_read(stage: Stage, body: bytes) -> None:
    """It goes to the client as it came, and nothing is counted."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    stage.play(Answer((head + body,)))
    with stage.client() as client:
        client.ask(prompt(stream=False), [OWN_CREDENTIAL])
        whole = client.read_whole()
    row = stage.books.settled(whole.head.exchange_id)

    assert (body, True, "ok") == (whole.body, whole.complete, row.outcome)
    assert not row.output_tokens
