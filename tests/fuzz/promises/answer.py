"""The reader of upstreams' answers against a strict one."""

from clearway.upstreams.http.answer import Answer
from tests.fuzz.cuts import ways
from tests.fuzz.http1 import Reading, read_response


def answer(data: bytes) -> None:
    """An answer reads the same however it is cut; it ends complete or failed, never
    both; and a complete one is what a strict reader sees.
    """
    for is_head in (False, True):
        first = None
        expected = read_response(data, is_head=is_head)
        for pieces in ways(data):
            read, body = _read_answer(pieces, is_head=is_head)
            assert read.complete != (read.failure is not None)
            outcome = (read.complete, body, *_final(read, data[expected.end :]))
            first = first or outcome
            assert outcome == first, "the cut decides"
            if read.complete:
                _judge_answer(read, body, expected)


def _final(read: Answer, rest: bytes) -> tuple[object, ...]:
    """What may be relied on: the head, and whether the connection may be used again."""
    if not read.has_head:
        return ()
    # Empty lines behind an answer are nobody's: whether they are noticed does not matter.
    is_clean = not read.leftover or not rest.strip(b"\r\n")
    return (read.complete and read.keep_alive and is_clean, read.status, *read.headers)


def _read_answer(pieces: list[bytes], *, is_head: bool) -> tuple[Answer, bytes]:
    read, body, taken = Answer(is_head=is_head), b"", 0
    for piece in pieces:
        read.feed(piece)
        assert not (read.complete and read.failure is not None)
        size = read.size
        taken = len(part := read.take())
        assert (size, 0) == (taken, read.size), "`size` is not what `take` hands out"
        body += part
    read.end(clean=True)
    assert read.take() == b""
    return read, body


def _judge_answer(read: Answer, body: bytes, expected: Reading) -> None:
    assert len(expected.whole) == 1, "it is complete for us and not for a strict reader"
    (message,) = expected.whole
    assert read.status == int(message.first[1])
    assert [(name, value.rstrip(b" \t")) for name, value in read.headers] == message.fields
    assert body == message.body
