"""The scanner finds every event that matters, however the stream is cut."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.wire.sse import DataScanner, Event, Scanner, decode_event

CASES = [
    pytest.param(b"data: xa\n\n", [Event(b"message", b"xa")], id="default-name"),
    pytest.param(b"event: x\r\ndata: a\r\n\r\n", [Event(b"x", b"a")], id="crlf"),
    pytest.param(b"event: x\rdata: a\r\r", [Event(b"x", b"a")], id="cr"),
    pytest.param(b"event: x\ndata: a\n\r\ndata: x\n\n", [Event(b"x", b"a"), Event(b"message", b"x")], id="mixed"),
    pytest.param("data: x\u20ac\n\n".encode(), [Event(b"message", "x\u20ac".encode())], id="utf8"),
    pytest.param(b"data:xa\n\n", [Event(b"message", b"xa")], id="no-space"),
    pytest.param(b"data:  xa\n\n", [Event(b"message", b" xa")], id="one-space-only"),
    pytest.param(b"data: x\ndata: y\n\n", [Event(b"message", b"x\ny")], id="two-data-lines"),
    pytest.param(b"data: xa\n", [], id="unfinished"),
    pytest.param(b": x comment\n\ndata: x\n\n", [Event(b"message", b""), Event(b"message", b"x")], id="comment"),
    pytest.param(b"data: a\n\ndata: b\n\n", [], id="nothing-of-interest"),
    pytest.param(b"data: a\n\nid: 1\ndata: x\n\ndata: b\n\n", [Event(b"message", b"x")], id="one-of-three"),
    pytest.param(b"\xef\xbb\xbfdata: x\n\n", [Event(b"message", b"x")], id="byte-order-mark"),
    pytest.param(b"\r\xef\xbb\xbfdata: x\n\n", [Event(b"message", b"")], id="byte-order-mark-behind-a-line-end"),
    pytest.param(b"\n\n\ndata: x\n\n\n\n", [Event(b"message", b"x")], id="empty-lines-around"),
]


@pytest.mark.parametrize(("wire", "expected"), CASES)
def test_any_cut(wire: bytes, expected: list[Event]) -> None:
    """Cutting the stream in two, anywhere, changes nothing."""
    for cut in range(len(wire) + 1):
        scanner = Scanner((b"x",))

        assert scanner.feed(wire[:cut]) + scanner.feed(wire[cut:]) == expected


@pytest.mark.parametrize(("wire", "expected"), CASES)
def test_byte_by_byte(wire: bytes, expected: list[Event]) -> None:
    """One byte at a time is the same stream."""
    scanner = Scanner((b"x",))

    assert [event for byte in wire for event in scanner.feed(bytes([byte]))] == expected


NAMES = st.sampled_from([b"ping", b"message_start", b"content_block_delta"])
ENDS = st.sampled_from([b"\n", b"\r\n"])


@given(st.lists(st.tuples(NAMES, st.text(st.characters(exclude_characters="\r\n", codec="utf-8")), ENDS)), st.data())
def test_random_pieces(events: list[tuple[bytes, str, bytes]], data: st.DataObject) -> None:
    """Any stream in any pieces gives just the events that hold a needle."""
    wire = b"".join(b"event: %s%sdata: %s%s%s" % (n, e, text.encode(), e, e) for n, text, e in events)
    expected = [Event(n, text.encode()) for n, text, _ in events if b"message_" in n + b"|" + text.encode()]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=10)))
    scanner = Scanner((b"message_",))
    found = [
        event
        for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)
        for event in scanner.feed(wire[start:end])
    ]

    assert found == expected
    assert scanner.at_boundary


def test_boundary_is_only_between_events() -> None:
    """Something else may be written between events and nowhere else."""
    scanner = Scanner((b"x",))
    states = []
    for piece in (b"data: a", b"\n", b"\n", b"data: x\n\n", b"da"):
        scanner.feed(piece)
        states.append(scanner.at_boundary)

    assert states == [False, False, True, True, False]


def test_an_event_over_the_limit_ends_the_watching_only() -> None:
    """An endless event costs at most the limit, and nothing is raised."""
    scanner = Scanner((b"x",), limit=1000)
    for _ in range(100):
        scanner.feed(b"data: " + b"a" * 100)

    assert scanner.lost
    assert not scanner.at_boundary
    assert scanner.feed(b"\n\ndata: x\n\n") == []


@pytest.mark.parametrize("first", [b"data: ", b"\r", b"\n"])
def test_a_long_event_in_small_pieces_costs_what_it_weighs(first: bytes) -> None:
    """Eight times as long takes eight times as long, not sixty-four times."""

    def took_s(pieces: int) -> float:
        scanner = Scanner((b"x",))
        scanner.feed(first)
        begin = time.process_time()
        for _ in range(pieces):
            scanner.feed(b"a" * 1000)
        return time.process_time() - begin

    took_s(100)
    short, long = (min(took_s(pieces) for _ in range(3)) for pieces in (1000, 8000))

    assert 30 * short > long


def test_an_event_without_its_blank_line_is_counted_at_the_end() -> None:
    """A meter would rather count what the standard drops."""
    scanner = Scanner((b"x",))
    scanner.feed(b"event: x\ndata: 1")

    assert scanner.close() == [Event(b"x", b"1")]
    assert scanner.close() == []


def test_decode_takes_unknown_fields() -> None:
    """Fields that nobody knows are passed over."""
    assert decode_event(b"id: 7\nretry: 1\nevent: a\nwhat\ndata: b") == Event(b"a", b"b")


@pytest.mark.parametrize("wire", [case.values[0] for case in CASES])
def test_all_data_however_cut(wire: bytes) -> None:
    """Who reads every event gets the same data, in whatever pieces it comes: the short way and the long one agree."""
    whole = [event.data for event in Scanner((b"data",)).feed(wire)]
    for cut in range(len(wire) + 1):
        scanner = DataScanner()

        assert whole == scanner.feed_all(wire[:cut]) + scanner.feed_all(wire[cut:])
