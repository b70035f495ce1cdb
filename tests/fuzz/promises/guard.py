"""The head guard against a strict reader of requests."""

import functools
import re

from tests.fuzz.cuts import ways
from tests.fuzz.door import Door, Handed, Talk
from tests.fuzz.http1 import Message, Reading, read_requests

_door = functools.cache(Door)
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
_CLOSING_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
_REFUSAL = re.compile(rb"HTTP/1\.1 4\d\d [^\r\n]*\r\n(?:[!-~]+: [ -~]*\r\n)+\r\n(\{.*\})?", re.DOTALL)


def guard(data: bytes) -> None:
    """What the application is handed is what a strict reader sees, request by request;
    after a refusal, which is told once at most, nothing more is handed.
    """
    expected = read_requests(data)
    talks = _door().talks(ways(data))
    for talk in talks:
        assert not talk.errors, talk.errors
        _judge_talk(talk, expected)
    if not expected.whole or (len(expected.whole) == 1 and expected.end == len(data)):
        outcomes = {(len(talk.handed), _answered(talk), talk.written, talk.is_closed) for talk in talks}
        assert len(outcomes) == 1, f"the cut decides: {outcomes}"


def _judge_talk(talk: Talk, expected: Reading) -> None:
    seen = [*expected.whole, *([expected.begun] if expected.begun else [])]
    assert len(talk.handed) <= len(seen), "more was handed than there is"
    for handed, message in zip(talk.handed, seen, strict=False):
        _judge_handed(handed, message)
    for handed in talk.handed[:-1]:
        assert handed.is_whole, "another request was handed before the end of one"
    count, rest = _answers(talk.written)
    # Who sends what is bad behind good requests may lose their answers, never get others.
    assert count == _answered(talk) or (count < _answered(talk) and talk.is_closed and not rest)
    if rest:
        assert _REFUSAL.fullmatch(rest), rest
        assert talk.is_closed
    if expected.is_bad and not talk.is_closed:
        assert len(talk.handed) < len(seen) or not _answered(talk), "what is bad was answered"


def _answers(written: bytes) -> tuple[int, bytes]:
    """How many answers of the application's stand there, and what comes behind them."""
    count, rest = 0, written
    while True:
        rest = rest.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        told = next((answer for answer in (_ANSWER, _CLOSING_ANSWER) if rest.startswith(answer)), None)
        if told is None:
            return count, rest
        count, rest = count + 1, rest[len(told) :]


def _answered(talk: Talk) -> int:
    return sum(handed.is_whole for handed in talk.handed)


def _judge_handed(handed: Handed, message: Message) -> None:
    method, target = message.first[:2]
    # A question mark with nothing behind it is dropped.
    assert (handed.method, handed.target) == (method, target[:-1] if target.find(b"?") == len(target) - 1 else target)
    # Blanks behind a value are handed on as they came.
    assert [(name, value.rstrip(b" \t")) for name, value in handed.fields] == message.fields
    assert sum(name == b"host" for name, _ in handed.fields) == 1
    if handed.is_whole:
        assert message.is_whole, "it was handed as whole and is not"
        assert handed.body == message.body
