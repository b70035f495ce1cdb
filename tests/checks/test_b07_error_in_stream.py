"""b7: An `error` within a stream reaches the client as it was said, and the ledger says that it failed.

Elsewhere it was swallowed, turned into a made-up `end_turn`, or left the client hanging: envoy#2697,
litellm PR #32475, Marinara#2659, agent-os PR #2137, Portkey PR #741, talon PR #254, sub2api PR #5567.
Formats: messages
"""

from collections.abc import Callable
from pathlib import Path

import anthropic
import pytest

from tests.clients.answers import HEADERS, USAGE, event, events
from tests.clients.sdk import connect
from tests.fake_upstream import Cut, Gate, Piece, error_answer, stream_answer
from tests.recordings.recorded import SEVERAL, read
from tests.relay.stage import PAYERS, Payer, Stage
from tests.relay.wire_client import MODEL, OWN_CREDENTIAL, prompt

Builder = Callable[..., Stage]
SAID = events("it was said that", MODEL)
ERROR = event("error", error={"type": "overloaded_error", "message": "scripted overload"})


@pytest.mark.parametrize("payer", PAYERS)
@pytest.mark.parametrize("count", range(len(SAID)))
def test_after_any_number_of_events(stage: Stage, count: int, payer: Payer) -> None:
    """b7: Wherever it comes, the client gets it and nothing made up behind it; what came before is charged."""
    before = SAID[:count]
    stage.play(stream_answer([*before, ERROR], headers=HEADERS))

    whole = stage.ask(payer, prompt())

    assert (200, b"".join(before) + ERROR, True) == (whole.head.status, whole.body, whole.complete)
    row = stage.books.settled(whole.head.exchange_id)
    assert ("upstream_error", 200, "overloaded_error") == (row.outcome, row.status, row.error_type)
    assert (USAGE["input_tokens"] if before else None, bool(before)) == (row.input_tokens, bool(row.cost_nano))
    assert (1, 1) == (row.attempts, len(stage.received))


ENDINGS = [
    pytest.param([], True, id="then-a-proper-end"),
    pytest.param([Cut.FIN], False, id="then-fin"),
]


@pytest.mark.parametrize(("ending", "complete"), ENDINGS)
def test_ended_as_the_upstream_ended(stage: Stage, ending: list[Piece], *, complete: bool) -> None:
    """b7: What follows the error is the upstream's: a proper end, or a cut that stays one."""
    stage.play(stream_answer([*SAID[:5], ERROR, *ending], headers=HEADERS))

    whole = stage.ask("client", prompt())

    assert (b"".join(SAID[:5]) + ERROR, complete) == (whole.body, whole.complete)
    row = stage.books.settled(whole.head.exchange_id)
    assert ("upstream_error", 200, True) == (row.outcome, row.status, row.estimated)
    if complete:
        assert "overloaded_error" == row.error_type


FRAMES = [
    pytest.param([ERROR[at : at + 1] for at in range(len(ERROR))], id="byte-by-byte"),
    pytest.param([ERROR.replace(b"\n", b"\r\n")], id="crlf"),
    pytest.param([ERROR[:-1]], id="no-final-blank-line"),
    pytest.param([ERROR.partition(b"\n")[2]], id="without-its-name"),
]


@pytest.mark.parametrize("frame", FRAMES)
def test_in_any_frame(stage: Stage, frame: list[Piece]) -> None:
    """b7: However it is cut and framed, it is passed on as it is and noticed."""
    stage.play(stream_answer([*SAID[:4], *frame]))

    whole = stage.ask("client", prompt())

    said = b"".join(piece for piece in (*SAID[:4], *frame) if isinstance(piece, bytes))
    assert (said, True) == (whole.body, whole.complete)
    row = stage.books.settled(whole.head.exchange_id)
    assert ("upstream_error", "overloaded_error") == (row.outcome, row.error_type)


def test_it_does_not_wait_for_the_end(stage: Stage) -> None:
    """b7: An upstream that says it and then hangs makes nobody wait for the error itself."""
    gate = Gate()
    stage.play(stream_answer([*SAID[:3], ERROR, gate]))

    with stage.client() as client:
        client.ask(prompt())
        client.read_head()

        assert client.read_until(ERROR).endswith(ERROR)
        gate.open()
        assert (b"", True) == client.read_rest()


OVERLOADS = [
    pytest.param("client", True, id="passthrough-stream"),
    pytest.param("client", False, id="passthrough-plain"),
    pytest.param("gateway", True, id="anthropic-stream"),
    pytest.param("gateway", False, id="anthropic-plain"),
]


@pytest.mark.parametrize(("payer", "stream"), OVERLOADS)
def test_overload_before_any_output(stage: Stage, build_stage: Builder, payer: Payer, *, stream: bool) -> None:
    """b7: An upstream that is overloaded before it says anything is a 529 for the client, not a stream."""
    # What an overload means for the next request is no business of other tests.
    chosen = stage if payer == "client" else build_stage()
    chosen.play(error_answer(529, "overloaded_error", "scripted overload", headers=HEADERS))

    whole = chosen.ask(payer, prompt(stream=stream))

    assert (529, None) == (whole.head.status, whole.head.header("x-clearway-error"))
    assert ("overloaded_error", "scripted overload") == whole.error()
    row = chosen.books.settled(whole.head.exchange_id)
    assert ("upstream_error", 529, "overloaded_error", None) == (row.outcome, row.status, row.error_type, row.cost_nano)


SDK_KINDS = ["overloaded_error", "api_error", "rate_limit_error", "scripted_error"]


@pytest.mark.client
@pytest.mark.usefixtures("_no_machine")
@pytest.mark.parametrize("kind", SDK_KINDS)
def test_the_sdk_raises_it(stage: Stage, kind: str) -> None:
    """b7: The official SDK hands out what came before and then raises the error with its type and sentence."""
    error = {"type": kind, "message": "scripted"}
    stage.play(stream_answer([*SAID[:5], event("error", error=error)], headers=HEADERS))
    text: list[str] = []

    with (
        connect(stage.gateway.url, OWN_CREDENTIAL[1]) as client,
        pytest.raises(anthropic.APIStatusError) as caught,
        client.messages.stream(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as stream,
    ):
        text.extend(stream.text_stream)

    assert "it was said that" == "".join(text)
    assert isinstance(caught.value.body, dict)
    assert error == caught.value.body["error"]
    assert HEADERS[0][1] == caught.value.request_id
    assert 1 == len(stage.received)


@pytest.mark.recordings
def test_in_recorded_streams(stage: Stage, recordings: Path) -> None:
    """b7: Recorded streams that end in an error, each after another number of events, are passed on and charged."""
    streams = [one for one in read(recordings) if one.sse is not None and SEVERAL not in one.notes]
    cut = [_events(one.sse or "")[:place] for place, one in enumerate(streams)]
    answers = iter([stream_answer([*before, ERROR]) for before in cut])
    stage.play(lambda _: next(answers))

    answered = [stage.ask("client", prompt()) for _ in streams]

    assert [(b"".join(before) + ERROR, True) for before in cut] == [(whole.body, whole.complete) for whole in answered]
    rows = stage.exchanges(len(streams))
    assert {("upstream_error", "overloaded_error")} == {(row.outcome, row.error_type) for row in rows}
    assert [bool(before) for before in cut] == [row.input_tokens is not None for row in rows]
    assert len(streams) > 100


def _events(stream: str) -> list[bytes]:
    """The events of a recorded stream, without its last two: what ends an answer well."""
    return [part.encode() + b"\n\n" for part in stream.split("\n\n") if part][:-2]
