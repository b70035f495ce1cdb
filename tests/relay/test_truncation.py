"""An answer that broke off: the client notices, and the books say what was seen."""

from collections.abc import Callable

import pytest

from tests.clients.answers import FINAL_OUTPUT, HEADERS, USAGE, events, message
from tests.fake_upstream import Answer, Cut, Gate, answer, json_answer, stream_answer
from tests.relay.stage import Stage
from tests.relay.wire_client import MODEL, OWN_CREDENTIAL, Whole, prompt

SAID = events("it was said that", MODEL)
PLAIN = json_answer(message("a plain answer", MODEL), headers=HEADERS).pieces[0]
assert isinstance(PLAIN, bytes)
HEAD_END = PLAIN.index(b"\r\n\r\n") + 4
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _ask(stage: Stage, *, stream: bool, payer: str) -> Whole:
    with stage.client() as client:
        client.ask(prompt(stream=stream), [OWN_CREDENTIAL if payer == "client" else stage.key_field])
        return client.read_whole()


BROKEN_STREAMS = [
    pytest.param(stream_answer([*SAID[:5], Cut.FIN]), id="fin"),
    pytest.param(stream_answer([*SAID[:5], SAID[5][:20], Cut.FIN]), id="fin-within-an-event"),
    pytest.param(
        Answer((STREAM_HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"".join(map(_chunk, SAID[:5])),), close=True),
        id="all-in-one-segment-with-fin",
    ),
    pytest.param(
        Answer((STREAM_HEAD + b"transfer-encoding: chunked\r\n\r\n" + _chunk(b"".join(SAID[:5])) + b"zz\r\n",)),
        id="nonsense-in-the-same-segment",
    ),
    pytest.param(stream_answer(SAID[:5]), id="ended-in-order-without-message-stop"),
    pytest.param(stream_answer(SAID[:-1]), id="only-message-stop-is-missing"),
    pytest.param(
        Answer(
            (STREAM_HEAD + b"transfer-encoding: chunked\r\n\r\n", *(_chunk(e) for e in SAID[:5]), b"ff\r\nevent: pi"),
            close=True,
        ),
        id="within-a-chunk",
    ),
    pytest.param(
        Answer((STREAM_HEAD + b"transfer-encoding: chunked\r\n\r\n", *(_chunk(e) for e in SAID[:5]), b"zz\r\n")),
        id="chunk-size-is-nonsense",
    ),
    pytest.param(
        Answer((STREAM_HEAD + b"content-length: 90000\r\n\r\n", *SAID[:5]), close=True), id="content-length-short"
    ),
    pytest.param(Answer((STREAM_HEAD + b"\r\n", *SAID[:5]), close=True), id="until-close-without-message-stop"),
]


@pytest.mark.parametrize("payer", ["client", "gateway"])
@pytest.mark.parametrize("script", BROKEN_STREAMS)
def test_stream_is_cut(stage: Stage, script: Answer, payer: str) -> None:
    """A stream that broke off is never ended quietly, and what was seen of it is charged."""
    stage.play(script)

    whole = _ask(stage, stream=True, payer=payer)

    assert not whole.complete
    assert whole.body.startswith(b"".join(SAID[:5]))
    row = stage.books.settled(whole.head.exchange_id)
    assert ("upstream_error", 200, "upstream_protocol") == (row.outcome, row.status, row.error_code)
    assert USAGE["input_tokens"] == row.input_tokens
    assert row.output_tokens is not None
    assert row.output_tokens >= 2
    assert row.cost_nano
    assert 1 == row.attempts
    assert 1 == len(stage.received)


@pytest.mark.parametrize("script", BROKEN_STREAMS)
def test_estimate_says_so(stage: Stage, script: Answer) -> None:
    """Where the final count never came, the output is marked as an estimate."""
    stage.play(script)
    had_final = any(isinstance(piece, bytes) and b'"message_delta"' in piece for piece in script.pieces)

    row = stage.books.settled(_ask(stage, stream=True, payer="client").head.exchange_id)

    assert (not had_final) == row.estimated


@pytest.mark.parametrize("cut", [Cut.FIN, Cut.RST])
def test_nothing_but_the_head(stage: Stage, cut: Cut) -> None:
    """Cut after the head, before any event: nothing to charge, and still no quiet end."""
    stage.play(stream_answer([cut]))

    whole = _ask(stage, stream=True, payer="client")

    assert (b"", False) == (whole.body, whole.complete)
    row = stage.books.settled(whole.head.exchange_id)
    assert ("upstream_error", None, None) == (row.outcome, row.output_tokens, row.cost_nano)


def test_end_after_message_stop(stage: Stage) -> None:
    """After message_stop the answer was whole for the books; the client's connection is cut as the upstream's was."""
    stage.play(stream_answer([*SAID, Cut.FIN], headers=HEADERS))

    whole = _ask(stage, stream=True, payer="client")

    assert (b"".join(SAID), False) == (whole.body, whole.complete)
    row = stage.books.settled(whole.head.exchange_id)
    assert ("ok", FINAL_OUTPUT, False) == (row.outcome, row.output_tokens, row.estimated)


RESETS = [
    pytest.param(SAID[:5], "upstream_error", id="in-the-stream"),
    pytest.param(SAID, "ok", id="after-message-stop"),
]


@pytest.mark.parametrize(("said", "outcome"), RESETS)
def test_reset(stage: Stage, said: list[bytes], outcome: str) -> None:
    """A reset is noticed at once, and what came before it has reached the client."""
    gate = Gate()
    stage.play(stream_answer([*said, gate, Cut.RST]))

    with stage.client() as client:
        client.ask(prompt())
        exchange_id = client.read_head().exchange_id
        client.read_until(said[-1])
        gate.open()

        assert (b"", False) == client.read_rest()

    row = stage.books.settled(exchange_id)
    assert (outcome, outcome != "ok") == (row.outcome, row.estimated)


BROKEN_BODIES = [
    pytest.param(Answer((PLAIN[:-30], Cut.FIN)), id="fin"),
    pytest.param(Answer((PLAIN[:HEAD_END], Cut.FIN)), id="fin-after-the-head"),
    pytest.param(
        Answer(
            (
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
                _chunk(PLAIN[HEAD_END:]),
            ),
            close=True,
        ),
        id="last-chunk-is-missing",
    ),
]


@pytest.mark.parametrize("script", BROKEN_BODIES)
def test_plain_body_is_cut(stage: Stage, script: Answer) -> None:
    """A plain answer that broke off is short for the client, too, and is asked for once only."""
    stage.play(script)

    whole = _ask(stage, stream=False, payer="client")

    assert not whole.complete
    row = stage.books.settled(whole.head.exchange_id)
    assert ("upstream_error", 200, "upstream_protocol") == (row.outcome, row.status, row.error_code)
    assert 1 == len(stage.received)


BEFORE_THE_HEAD = [
    Answer((Cut.FIN,)),
    Answer((Cut.RST,)),
    Answer((b"HTTP/1.1 200 OK\r\ncontent-", Cut.FIN)),
    Answer((b"SSH-2.0-OpenSSH_9.2\r\n",), close=True),
]


def test_broken_before_the_head(build_stage: Callable[[], Stage]) -> None:
    """It may have been billed: the client hears a 502 of ours, and nothing is asked a second time."""
    stage = build_stage()
    for script in BEFORE_THE_HEAD:
        for payer in ("client", "gateway"):
            stage.play(script)

            whole = _ask(stage, stream=True, payer=payer)

            assert (502, "upstream_protocol", True) == (
                whole.head.status,
                whole.head.header("x-clearway-error"),
                whole.complete,
            )
            assert "api_error" == whole.error()[0]
            row = stage.books.settled(whole.head.exchange_id)
            assert ("upstream_error", 502, 1) == (row.outcome, row.status, row.attempts)
            assert 1 == len(stage.received), script


def test_a_stream_of_another_kind(stage: Stage) -> None:
    """On paths that are not Messages an event stream may end as it likes."""
    stage.play(stream_answer([b"data: {}\n\n"]))

    with stage.client() as client:
        client.request("GET", "/v1/elsewhere", [OWN_CREDENTIAL])

        client.read_head()

        assert (b"data: {}\n\n", True) == client.read_rest()


def test_plain_json_that_is_none(stage: Stage) -> None:
    """A body that the watch cannot read goes through as it is."""
    stage.play(answer(b'{"usage": {"input_tokens": "many"'))

    whole = _ask(stage, stream=False, payer="client")

    assert (b'{"usage": {"input_tokens": "many"', True) == (whole.body, whole.complete)
    assert "ok" == stage.books.settled(whole.head.exchange_id).outcome
