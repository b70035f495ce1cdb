"""Rows of the table `Upstream` in which it cannot be reached, falls silent, breaks off, or does not speak HTTP.

Used by the tests of the failures.
"""

from collections.abc import Iterable

from tests.fake_upstream import (
    Answer,
    Cut,
    Gate,
    Pause,
    Piece,
    stream_answer,
)
from tests.faults.plays import Plays, Scenarios, note_cuts, said_then_cut
from tests.faults.said import PLAIN, PLAIN_HEAD, SAID, STREAMED
from tests.faults.seen import Play
from tests.faults.table import Asked
from tests.relay.wire_client import prompt

PLAYS = Scenarios[Plays]()

STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNKED_HEAD = STREAM_HEAD.replace(b"text/event-stream", b"application/json")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def large(name: str, asked: Asked) -> bytes:
    return prompt("x" * 14_500_000, stream=asked.stream, model=f"{name}.{'stream' if asked.stream else 'plain'}")


for door in ("refused", "tls-untrusted", "tls-wrong-name", "tls-plain-http"):
    PLAYS.note(door)(lambda _: [Play()])
for door in ("never-accepts", "tls-silent"):
    PLAYS.note(door, hasty=True)(lambda _: [Play()])


# Silence, and being slow.


@PLAYS.note("silent-before-the-head", hasty=True)
def _silent_before_the_head(_: Asked) -> Iterable[Play]:
    yield Play([Answer((Gate(),))])


@PLAYS.note("silent-in-the-head", hasty=True)
def _silent_in_the_head(_: Asked) -> Iterable[Play]:
    yield Play([Answer((PLAIN_HEAD[:30], Gate()))])


@PLAYS.note("silent-in-the-stream", hasty=True)
def _silent_in_the_stream(_: Asked) -> Iterable[Play]:
    yield Play([stream_answer([*SAID[:5], Gate()])], b"".join(SAID[:5]))


@PLAYS.note("silent-in-the-body", hasty=True)
def _silent_in_the_body(_: Asked) -> Iterable[Play]:
    yield Play([Answer((PLAIN_HEAD + PLAIN[:50], Gate()))], PLAIN[:50])


@PLAYS.note("stops-reading", hasty=True)
def _stops_reading(asked: Asked) -> Iterable[Play]:
    yield Play(early=[Answer((Pause(1.5),))], request=large("stops-reading", asked))


def _slowly(pieces: list[bytes]) -> list[Piece]:
    return [part for piece in pieces for part in (Pause(0.3), piece)]


@PLAYS.note("trickling", hasty=True)
def _trickling(asked: Asked) -> Iterable[Play]:
    if asked.stream:
        yield Play([stream_answer(_slowly(SAID))], STREAMED)
    else:
        parts = [PLAIN[at : at + 50] for at in range(0, len(PLAIN), 50)]
        yield Play([Answer((PLAIN_HEAD, *_slowly(parts)))], PLAIN)


@PLAYS.note("trickling-head", hasty=True)
def _trickling_head(_: Asked) -> Iterable[Play]:
    yield Play([Answer(tuple(_slowly([PLAIN_HEAD[at : at + 4] for at in range(0, 60, 4)])))])


@PLAYS.note("trickling-for-ever", hasty=True)
@PLAYS.note("trickling-for-ever-plain", hasty=True)
def _trickling_for_ever(asked: Asked) -> Iterable[Play]:
    first, again = (SAID[0], SAID[2]) if asked.stream else (PLAIN[:-1], b" ")
    pieces = [_chunk(first), *[part for _ in range(300) for part in (Pause(0.1), _chunk(again))]]
    yield Play([Answer((STREAM_HEAD if asked.stream else CHUNKED_HEAD, *pieces))], first, is_endless=True)


# Cut after k bytes, and what is no answer.


note_cuts(PLAYS, "before-the-head", lambda _, cut: [Play([Answer((cut,))])])
note_cuts(
    PLAYS, "in-the-head", lambda _, cut: [Play([Answer((PLAIN_HEAD[:k], cut))]) for k in (1, 20, len(PLAIN_HEAD) - 1)]
)
note_cuts(PLAYS, "before-any-event", lambda _, cut: [said_then_cut([], cut)])
note_cuts(PLAYS, "between-events", lambda _, cut: [said_then_cut(SAID[:k], cut) for k in (1, 5)])
note_cuts(PLAYS, "after-message-delta", lambda _, cut: [said_then_cut(SAID[:-1], cut)])
note_cuts(
    PLAYS,
    "in-an-event",
    lambda _, cut: [said_then_cut([*SAID[:5], SAID[5][:k]], cut) for k in (3, 40, len(SAID[5]) - 1)],
)
note_cuts(PLAYS, "in-message-start", lambda _, cut: [said_then_cut([SAID[0][:k]], cut) for k in (3, 40, 100)])
note_cuts(PLAYS, "after-message-stop", lambda _, cut: [said_then_cut(SAID, cut)])


def _in_the_body(_: Asked, cut: Cut) -> Iterable[Play]:
    for k in (1, 200, len(PLAIN) - 1):
        gate = Gate()
        yield Play([Answer((PLAIN_HEAD + PLAIN[:k], gate, cut))], PLAIN[:k], gate=gate)


note_cuts(PLAYS, "in-the-body", _in_the_body)


@PLAYS.note("truncated-chunk")
@PLAYS.note("truncated-chunk-plain")
def _truncated_chunk(asked: Asked) -> Iterable[Play]:
    said, head = (b"".join(SAID[:5]), STREAM_HEAD) if asked.stream else (PLAIN, CHUNKED_HEAD)
    yield Play([Answer((head, _chunk(said), b"ff\r\nabc", Cut.FIN))], said + b"abc")


@PLAYS.note("last-chunk-missing")
def _last_chunk_missing(_: Asked) -> Iterable[Play]:
    yield Play([Answer((CHUNKED_HEAD, _chunk(PLAIN), Cut.FIN))], PLAIN)


@PLAYS.note("garbled-chunk")
@PLAYS.note("garbled-chunk-plain")
def _garbled_chunk(asked: Asked) -> Iterable[Play]:
    said, head = (b"".join(SAID[:5]), STREAM_HEAD) if asked.stream else (PLAIN, CHUNKED_HEAD)
    yield Play([Answer((head, _chunk(said), b"zz\r\nabc\r\n", Gate()))], said)


@PLAYS.note("garbage")
def _garbage(_: Asked) -> Iterable[Play]:
    for said in (b"SSH-2.0-OpenSSH_9.2\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"HTTP/1.1 abc\r\n\r\n", b"\0" * 100):
        yield Play([Answer((said, Gate()))])


@PLAYS.note("huge-head")
def _huge_head(_: Asked) -> Iterable[Play]:
    for said in (b"x-filler: " + b"y" * 70_000, b"\r\n".join(b"x-%d: y" % place for place in range(300))):
        yield Play([Answer((PLAIN_HEAD[:-2] + said + b"\r\n\r\n" + PLAIN, Gate()))])


@PLAYS.note("length-told-twice")
def _length_told_twice(_: Asked) -> Iterable[Play]:
    for said in (b"content-length: 3", b"transfer-encoding: chunked"):
        yield Play([Answer((PLAIN_HEAD[:-2] + said + b"\r\n\r\n" + PLAIN, Gate()))])


@PLAYS.note("switches-protocols")
def _switches_protocols(_: Asked) -> Iterable[Play]:
    yield Play([Answer((b"HTTP/1.1 101 Switching\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n", Gate()))])


@PLAYS.note("interim-for-ever")
def _interim_for_ever(_: Asked) -> Iterable[Play]:
    yield Play([Answer((b"HTTP/1.1 103 Early\r\n\r\n" * 40, Gate()))])
