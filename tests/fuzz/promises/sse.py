"""The scanner of event streams, and the watch on top of it, against a reader by the letter."""

from clearway.wire.messages.watch import BodyWatch, StreamWatch
from clearway.wire.sse import Scanner
from tests.fuzz.cuts import ways
from tests.fuzz.events import Seen, read_events

_NEEDLES = (b"message_", b"error")
_LIMIT = 1 << 16


def sse(data: bytes) -> None:
    """The events that hold a needle are found, however the stream is cut, and no others;
    the watch on top never raises and says the same each time.
    """
    events = read_events(data)
    expected = [(event.name, event.data) for event in events if any(needle in event.raw for needle in _NEEDLES)]
    told = None
    for pieces in ways(data):
        scanner, watch = Scanner(_NEEDLES, limit=_LIMIT), StreamWatch()
        found = []
        for piece in pieces:
            found += scanner.feed(piece)
            watch.feed(piece)
            assert not watch.has_usage or watch.usage() is not None
        found += scanner.close()
        watch.close()
        if not scanner.lost:
            assert [(event.name, event.data) for event in found] == expected
            now = (watch.response_model, watch.response_id, watch.stop_reason, watch.error_type, watch.whole)
            told = told or now
            assert told == now, "the cut decides what the watch says"
            _judge_watch(watch, events)
    body = BodyWatch()
    body.feed(data)
    body.close()
    body.usage()


def _judge_watch(watch: StreamWatch, events: list[Seen]) -> None:
    assert not watch.whole or any(b"message_stop" in event.data or b"\\u" in event.data for event in events)
    usage = watch.usage()
    if usage is not None:
        counts = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens)
        assert all(count >= 0 for count in counts), counts
