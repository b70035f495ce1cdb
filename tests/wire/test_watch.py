"""What is noted of an answer, and that nothing in it can break the noting."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.core.usage import Iteration, Usage
from clearway.wire.messages.usage import read_usage
from clearway.wire.messages.watch import PING, BodyWatch, StreamWatch


def event(name: str, **data: object) -> bytes:
    """One event as the API frames it."""
    return f"event: {name}\n".encode() + b"data: " + msgspec.json.encode({"type": name, **data}) + b"\n\n"


START = event(
    "message_start",
    message={
        "id": "msg_01A",
        "type": "message",
        "model": "claude-x",
        "usage": {
            "input_tokens": 11,
            "cache_read_input_tokens": 5,
            "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
            "output_tokens": 1,
            "service_tier": "standard",
        },
    },
)
DELTA = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "message_stop error message_start"})
END = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 42, "input_tokens": None})
STOP = event("message_stop")
WHOLE = START + event("ping") + DELTA * 3 + END + STOP
USAGE = Usage(
    input_tokens=11,
    cache_read_tokens=5,
    cache_write_5m_tokens=10,
    cache_write_1h_tokens=20,
    output_tokens=42,
    service_tier="standard",
)


def watched(*pieces: bytes) -> StreamWatch:
    """A watch that has seen the pieces."""
    watch = StreamWatch()
    for piece in pieces:
        watch.feed(piece)
    return watch


def test_after_the_end_nothing_counts() -> None:
    """Neither usage nor an error that comes behind `message_stop`, in one piece or in many."""
    late = END.replace(b"42", b"43") + event("error", error={"type": "overloaded_error"}) + START
    for watch in (watched(WHOLE + late), watched(WHOLE, late)):
        assert watch.usage() == USAGE
        assert watch.error_type is None


def test_runs_without_number_are_no_runs() -> None:
    """An answer may name a thousand runs; of more, which no request has, the totals count."""
    runs = [{"type": "message", "output_tokens": 1}] * 1001

    assert len(read_usage({"output_tokens": 5, "iterations": runs[:1000]}).iterations) == 1000
    assert read_usage({"output_tokens": 5, "iterations": runs}) == Usage(output_tokens=5)


def test_a_whole_stream() -> None:
    """The delta's numbers replace those of the start; what it lacks or nulls stays."""
    watch = watched(WHOLE)

    assert watch.usage() == USAGE
    assert (watch.response_model, watch.response_id, watch.stop_reason) == ("claude-x", "msg_01A", "end_turn")
    assert watch.whole
    assert watch.error_type is None


@pytest.mark.parametrize("eol", [b"\n", b"\r\n", b"\r"])
def test_cut_at_every_byte(eol: bytes) -> None:
    """Any cut, any line end: the same numbers."""
    stream = WHOLE.replace(b"\n", eol)
    for cut in range(len(stream)):
        watch = watched(stream[:cut], stream[cut:])

        assert watch.usage() == USAGE, cut
        assert watch.whole


def test_before_the_final_count_output_is_estimated() -> None:
    """A stream that broke off is charged for what passed, and says that it is an estimate."""
    watch = watched(START, *[DELTA] * 7)
    usage = watch.usage()

    assert usage is not None
    assert usage.estimated
    assert usage.output_tokens >= 7
    assert usage.input_tokens == 11
    assert not watch.whole


@pytest.mark.parametrize("text", ["a", "some more words", "y" * 3000])
@pytest.mark.parametrize("size", [1, 7, 18, 19, 20, 150, 1000, 100_000])
def test_the_estimate_does_not_depend_on_the_pieces(text: str, size: int) -> None:
    """What is charged for a stream that broke off is the same however its bytes came."""
    delta = event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})
    stream = event("ping") * 9 + START + event("content_block_start", index=0) + delta * 6 + event("ping")
    together = watched(START, *[delta] * 6).usage()
    cut = watched(*(stream[at : at + size] for at in range(0, len(stream), size)))
    usage = cut.usage()

    assert together is not None
    assert usage is not None
    assert cut.has_output
    # Only what stands around the texts is counted a little differently.
    assert abs(together.output_tokens - usage.output_tokens) <= 40


def test_output_of_single_letters_counts_as_a_token_each() -> None:
    """What was seen is the least that is charged."""
    letter = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "a"})
    usage = watched(START, *[letter] * 50).usage()

    assert usage is not None
    assert usage.output_tokens >= 50


def test_the_estimate_is_of_output_only() -> None:
    """A start that came in one piece with the first delta adds nothing to the estimate."""
    letter = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "a"})
    apart = watched(START, *[letter] * 3).usage()
    together = StreamWatch()
    together.feed(START + letter)
    together.feed(letter)
    together.feed(letter)

    assert apart == together.usage()


def test_an_error_in_the_stream() -> None:
    """An error event is noted by its type and does not count as whole."""
    watch = watched(START, event("error", error={"type": "overloaded_error", "message": "x"}))

    assert watch.error_type == "overloaded_error"
    assert not watch.whole


def test_nothing_was_told() -> None:
    """Without a start there is nothing to charge."""
    assert watched(event("ping")).usage() is None


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_rubbish_breaks_nothing(before: bytes, between: bytes) -> None:
    """Whatever an upstream sends, watching never raises."""
    watch = watched(before, START, between, END[:20], STOP)
    watch.close()
    watch.usage()


HOSTILE = [
    pytest.param(b'{"type":"message_start","message":null}', id="null-message"),
    pytest.param(b'{"type":"message_start","message":{"usage":[]}}', id="usage-is-a-list"),
    pytest.param(b'{"type":7}', id="type-is-a-number"),
    pytest.param(b'{"type":"message_start","message":' + b"[" * 50_000, id="nesting"),
    pytest.param(b'{"type":"message_delta","usage":{"output_tokens":"many"}}', id="count-is-text"),
    pytest.param(b"message_ \xff\xfe", id="not-utf8"),
]


@pytest.mark.parametrize("data", HOSTILE)
def test_hostile_events(data: bytes) -> None:
    """An event that is not what it says is passed over."""
    watch = watched(b"event: message_start\ndata: " + data + b"\n\n", WHOLE)

    assert watch.usage() == USAGE


def test_a_ping_is_an_event_of_its_own() -> None:
    """The heartbeat can stand between any two events."""
    assert watched(START, PING, DELTA, PING, END, PING, STOP).usage() == USAGE


def test_a_plain_body() -> None:
    """The same numbers as a stream's."""
    body = msgspec.json.encode(
        {
            "id": "msg_1",
            "model": "claude-x",
            "stop_reason": "end_turn",
            "usage": {
                "input_tokens": 11,
                "cache_read_input_tokens": 5,
                "cache_creation_input_tokens": 30,
                "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
                "output_tokens": 42,
                "service_tier": "standard",
            },
        }
    )
    for cut in range(0, len(body), 7):
        watch = BodyWatch()
        watch.feed(body[:cut])
        watch.feed(body[cut:])
        watch.close()

        assert watch.usage() == USAGE
        assert watch.response_model == "claude-x"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"usage":3}', b"{" * 9000])
def test_a_body_that_is_none(body: bytes) -> None:
    """Nothing is charged, nothing is raised."""
    watch = BodyWatch()
    watch.feed(body)
    watch.close()

    assert watch.usage() is None


FIELDS = [
    pytest.param({"cache_creation_input_tokens": 9}, Usage(cache_write_5m_tokens=9), id="no-split-is-five-minutes"),
    pytest.param(
        {"cache_creation": {"ephemeral_1h_input_tokens": 4}}, Usage(cache_write_1h_tokens=4), id="split-without-total"
    ),
    pytest.param(
        {"cache_creation_input_tokens": 9, "cache_creation": {"ephemeral_1h_input_tokens": 4}},
        Usage(cache_write_5m_tokens=5, cache_write_1h_tokens=4),
        id="total-wins",
    ),
    pytest.param(
        {"cache_creation_input_tokens": 3, "cache_creation": {"ephemeral_1h_input_tokens": 4}},
        Usage(cache_write_1h_tokens=3),
        id="split-over-total",
    ),
    pytest.param({"input_tokens": None, "output_tokens": 2.0}, Usage(output_tokens=2), id="null-and-float"),
    pytest.param({"input_tokens": -4, "output_tokens": True}, Usage(), id="negative-and-bool"),
    pytest.param({"input_tokens": 1e300}, Usage(), id="no-count"),
    pytest.param({"output_tokens_details": {"thinking_tokens": 3}}, Usage(thinking_tokens=3), id="thinking"),
    pytest.param(
        {"server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1}},
        Usage(web_search_requests=2, web_fetch_requests=1),
        id="server-tools",
    ),
    pytest.param({"speed": "fast", "inference_geo": "us"}, Usage(speed="fast", inference_geo="us"), id="speed-and-geo"),
    pytest.param({"speed": "x" * 100, "service_tier": 3}, Usage(), id="no-words"),
    pytest.param(
        {"iterations": [{"type": "compaction", "model": "claude-y", "input_tokens": 5, "output_tokens": 6}, 7]},
        Usage(iterations=(Iteration(kind="compaction", model="claude-y", input_tokens=5, output_tokens=6),)),
        id="iterations",
    ),
]


@pytest.mark.parametrize(("fields", "expected"), FIELDS)
def test_usage_is_read_tolerantly(fields: dict[str, object], expected: Usage) -> None:
    """Vendors leave members out, or send null, floats and worse."""
    assert read_usage(fields) == expected
