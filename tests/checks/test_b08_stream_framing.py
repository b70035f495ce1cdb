"""b8: However a stream is cut, framed and ended, its bytes arrive as they are and its events are all noticed.

Elsewhere names and pings were dropped, letters of two bytes broken at a chunk's end, the last event lost
for want of a line end, CRLF and long lines not understood: CCR PR #1672, auth2api, seifghazi's proxy,
CLIProxyAPI ("preserve SSE event boundaries").
Formats: messages
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from clearway.core.usage import Usage
from clearway.wire.messages.watch import StreamWatch
from clearway.wire.sse import Event, Scanner
from tests.clients.answers import FINAL_OUTPUT, HEADERS, USAGE, event, events
from tests.clients.sdk import connect
from tests.fake_upstream import Gate, Piece, stream_answer
from tests.recordings.conftest import OWN
from tests.recordings.recorded import COUNTS, SEVERAL, Recorded, read, told
from tests.relay.stage import PAYERS, Payer, Stage
from tests.relay.wire_client import MODEL, OWN_CREDENTIAL, Whole, prompt

SAID = events("every byte \u20ac counts \U0001f511", MODEL)
STREAM = b"".join(SAID)
LONG = 2_000_000
LONG_SAID = [*SAID[:3], event("content_block_delta", index=0, delta={"type": "text_delta", "text": "y" * LONG})]


def _every(size: int, stream: bytes, first: int = 0) -> list[bytes]:
    """The stream cut behind `first` bytes and every `size` from there."""
    cuts = [0, *range(first or size, len(stream), size), len(stream)]
    return [stream[start:end] for start, end in pairwise(cuts)]


def _ended_with(end: bytes) -> bytes:
    return STREAM.replace(b"\n", end)


SHAPES: list[tuple[str, Sequence[Piece]]] = [
    ("byte-by-byte", _every(1, STREAM)),
    ("sevens", _every(7, STREAM)),
    ("all-at-once", [STREAM]),
    ("crlf", [_ended_with(b"\r\n")]),
    ("crlf-byte-by-byte", _every(1, _ended_with(b"\r\n"))),
    ("cr", [_ended_with(b"\r")]),
    ("cr-and-lf-apart", [part for line in STREAM.split(b"\n") for part in (line + b"\r", b"\n")][:-2]),
    ("comments-and-other-fields", [b": a comment\n\nretry: 5\n\nid: 1\ndata: other\n\n", *SAID]),
    ("byte-order-mark", [b"\xef\xbb\xbf", *SAID]),
    ("no-final-line-ends", [*SAID[:-1], SAID[-1][:-2]]),
    ("no-final-blank-line", [*SAID[:-1], SAID[-1][:-1]]),
    ("many-blank-lines", [one + b"\n\n\n" for one in SAID]),
    ("pings-everywhere", [part for one in SAID for part in (event("ping"), one)]),
    ("unknown-events", [part for one in SAID for part in (event("of_2027", new=[1.0]), one)]),
    ("no-blank-after-the-colons", [STREAM.replace(b"event: ", b"event:").replace(b"data: ", b"data:")]),
    ("data-before-its-name", [re.sub(rb"(event: .*\n)(data: .*\n)", rb"\2\1", STREAM)]),
    ("64-kilobytes-on-a-line", [SAID[0], event("of_2027", much="y" * 65_536), *SAID[1:]]),
    ("two-megabytes-on-a-line", [SAID[0], event("of_2027", much="y" * LONG), *SAID[1:]]),
    ("two-megabytes-in-pieces", [SAID[0], *_every(50_021, event("of_2027", much="y" * LONG)), *SAID[1:]]),
    ("not-utf-8", [SAID[0], b"event: x\ndata: \xff\xfe\xe2\x82\n\n", *SAID[1:]]),
]


def _assert_metered(stage: Stage, whole: Whole) -> None:
    row = stage.books.settled(whole.head.exchange_id)

    assert ("ok", USAGE["input_tokens"], FINAL_OUTPUT, False, "end_turn") == (
        row.outcome,
        row.input_tokens,
        row.output_tokens,
        row.estimated,
        row.stop_reason,
    )


@pytest.mark.parametrize("payer", PAYERS)
@pytest.mark.parametrize("pieces", [pytest.param(pieces, id=name) for name, pieces in SHAPES])
def test_any_shape(stage: Stage, pieces: list[bytes], payer: Payer) -> None:
    """b8: In any frame the client gets the very bytes, and the ledger the usage."""
    stage.play(stream_answer(pieces, headers=HEADERS))

    whole = stage.ask(payer, prompt())

    assert b"".join(pieces) == whole.body
    assert whole.complete
    _assert_metered(stage, whole)


def test_nothing_is_held_back(stage: Stage) -> None:
    """b8: Each piece is with the client before the upstream says the next, though it ends within a line or a letter."""
    within_a_letter = STREAM.index("\u20ac".encode()) + 1
    cuts = [0, 40, 41, within_a_letter, within_a_letter + 1, len(STREAM) - 60, len(STREAM)]
    parts = [STREAM[start:end] for start, end in pairwise(cuts)]
    gates = [Gate() for _ in parts]
    stage.play(
        stream_answer([piece for pair in zip(parts, gates, strict=True) for piece in pair], headers=HEADERS),
    )

    with stage.client() as client:
        client.ask(prompt())
        client.read_head()
        for part, gate in zip(parts, gates, strict=True):
            assert part == client.read_until(part)
            gate.open()

        assert (b"", True) == client.read_rest()


def test_a_long_line_that_counts(stage: Stage) -> None:
    """b8: Two megabytes of text in one event are passed on, and charged where the final count never comes."""
    stage.play(stream_answer(LONG_SAID))

    whole = stage.ask("client", prompt())

    assert (b"".join(LONG_SAID), False) == (whole.body, whole.complete)
    row = stage.books.settled(whole.head.exchange_id)
    assert ("upstream_error", True) == (row.outcome, row.estimated)
    assert LONG // 4 < (row.output_tokens or 0) < LONG


@pytest.mark.client
@pytest.mark.usefixtures("_no_machine")
@pytest.mark.parametrize("size", [1, 4096])
def test_the_sdk_reads_it(stage: Stage, size: int) -> None:
    """b8: The official SDK folds a stream in any pieces, with CRLF and a long line in it, to the whole text."""
    long = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "y" * (LONG if size > 1 else 9)})
    stream = b"".join([*SAID[:3], long, *SAID[3:]]).replace(b"\n", b"\r\n")
    stage.play(stream_answer(_every(size, stream), headers=HEADERS))

    with (
        connect(stage.gateway.url, OWN_CREDENTIAL[1]) as client,
        client.messages.stream(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as said,
    ):
        text = said.get_final_text()

    assert "y" * (LONG if size > 1 else 9) + "every byte \u20ac counts \U0001f511" == text


def _bytes(streams: list[Recorded], longest: int = 1_000_000) -> list[bytes]:
    """Each stream once, without those that are longer."""
    return [stream for stream in {(one.sse or "").encode() for one in streams} if len(stream) <= longest]


@pytest.fixture(params=[pytest.param("recorded", marks=pytest.mark.recordings), "own"])
def streams(request: pytest.FixtureRequest) -> list[Recorded]:
    """The streams of the collection beside the project, and those of our own."""
    folder: Path = OWN if request.param == "own" else request.getfixturevalue("recordings")
    return [one for one in read(folder) if one.sse is not None]


def _by_the_standard(stream: bytes) -> list[Event]:
    """The events of a stream, read line by line as the standard has it (WHATWG HTML, section 9.2.6)."""
    found, name, data = [], b"message", list[bytes]()
    for line in [*re.split(rb"\r\n|\n|\r", stream), b""]:
        field, _, value = line.partition(b":")
        if not line and data:
            found.append(Event(name, b"\n".join(data)))
        match field:
            case b"event":
                name = value.removeprefix(b" ")
            case b"data":
                data.append(value.removeprefix(b" "))
            case b"":
                name, data = b"message", []
            case _:
                pass
    return found


def _scanned(pieces: Iterable[bytes]) -> list[Event]:
    scanner = Scanner((b"",))
    found = [*(one for piece in pieces for one in scanner.feed(piece)), *scanner.close()]
    # Comments and lone blank lines are no events.
    return [one for one in found if one.data]


Facts = tuple[object, ...]


def _watched(pieces: Iterable[bytes]) -> Facts:
    watch = StreamWatch()
    for piece in pieces:
        watch.feed(piece)
    watch.close()
    named = (watch.response_model, watch.response_id, watch.stop_reason, watch.error_type, watch.whole)
    return (*named, watch.usage())


@pytest.mark.timeout(60)
def test_byte_by_byte(streams: list[Recorded]) -> None:
    """b8: Recorded streams that come a byte at a time have all their events and tell the same facts."""
    for stream in _bytes(streams):
        pieces = _every(1, stream)

        assert _by_the_standard(stream) == _scanned(pieces)
        # The watch reads by the same scanner; the longest few streams would take most of the time.
        assert len(stream) > 20_000 or _watched([stream]) == _watched(pieces)


@pytest.mark.timeout(60)
def test_each_byte_is_a_cut(streams: list[Recorded]) -> None:
    """b8: Pieces of 61 bytes, begun at each of 61 places, cut behind every byte: the same events, the same facts."""
    for stream in _bytes(streams, longest=4_000):
        expected, facts = _by_the_standard(stream), _watched([stream])
        for first in range(61):
            pieces = _every(61, stream, first)

            assert expected == _scanned(pieces)
            assert facts == _watched(pieces)


def test_each_byte_cuts_in_two(streams: list[Recorded]) -> None:
    """b8: A stream that comes in two pieces, whatever the first one's length, is the same stream."""
    for stream in sorted(_bytes(streams), key=len)[:8]:
        expected, facts = _by_the_standard(stream), _watched([stream])
        for cut in range(1, len(stream)):
            pieces = [stream[:cut], stream[cut:]]

            assert expected == _scanned(pieces)
            assert facts == _watched(pieces)


def test_the_facts_are_those_of_the_recording(streams: list[Recorded]) -> None:
    """b8: What is read of a whole stream is what the stream says, by a reader of another make."""
    for one in streams:
        if SEVERAL in one.notes:
            continue
        *named, whole, usage = _watched([(one.sse or "").encode()])
        said = told(one)

        assert isinstance(usage, Usage)
        assert [said["response_model"], said["response_id"], said["stop_reason"], None, True] == [*named, whole], one.id
        counts = msgspec.structs.asdict(usage)
        assert {name: said[name] for name in COUNTS} == {name: counts[name] for name in COUNTS}, one.id


def test_a_sample_through_the_program(streams: list[Recorded], stage: Stage) -> None:
    """b8: The real gateway passes recorded streams on byte by byte, and meters them."""
    usual = [one for one in streams if SEVERAL not in one.notes and len(one.sse or "") < 6_000]
    foreign = [one for one in usual if not (one.sse or "").isascii()]
    sample = [*foreign[:3], *usual[:: max(1, len(usual) // 20)]]
    bodies = [(one.sse or "").encode() for one in sample]
    # A byte for each piece is slow for the upstream's sake: the first three are enough.
    answers = iter([stream_answer(_every(1 if place < 3 else 11, body)) for place, body in enumerate(bodies)])
    stage.play(lambda _: next(answers))

    answered = [stage.ask("client", prompt()) for _ in sample]

    assert [(body, True) for body in bodies] == [(whole.body, whole.complete) for whole in answered]
    expected = [("ok", told(one)["input_tokens"], told(one)["output_tokens"]) for one in sample]
    rows = stage.exchanges(len(sample))
    assert expected == [(row.outcome, row.input_tokens, row.output_tokens) for row in rows]
