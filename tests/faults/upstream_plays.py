"""What an upstream does in each row of the table `Upstream`.

One function for each id; a row that is played in several ways (cut after k bytes, for
several k) gives several plays, and all must end alike.
Used by the tests of the failures.
"""

from collections.abc import Callable, Iterable, Sequence

from tests.clients.answers import event
from tests.fake_upstream import (
    Answer,
    Cut,
    Fields,
    Gate,
    Pause,
    Piece,
    answer,
    error_answer,
    stream_answer,
)
from tests.faults.said import PLAIN, PLAIN_HEAD, SAID, STREAMED, WHOLE, body_of, good
from tests.faults.seen import Play
from tests.faults.table import Asked
from tests.relay.wire_client import prompt

Plays = Callable[[Asked], Iterable[Play]]

PLAYS: dict[str, Plays] = {}
"""By the id of the row."""
HASTY: set[str] = set()
"""Rows that are about time-outs, and need a gateway with short ones."""

STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNKED_HEAD = STREAM_HEAD.replace(b"text/event-stream", b"application/json")
SMALL = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK"
"""An answer that nobody asked for."""


def _plays(name: str, *, hasty: bool = False) -> Callable[[Plays], Plays]:
    def note(plays: Plays) -> Plays:
        assert name not in PLAYS
        PLAYS[name] = plays
        if hasty:
            HASTY.add(name)
        return plays

    return note


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


for door in ("refused", "tls-untrusted", "tls-wrong-name", "tls-plain-http"):
    _plays(door)(lambda _: [Play()])
for door in ("never-accepts", "tls-silent"):
    _plays(door, hasty=True)(lambda _: [Play()])


# Silence, and being slow.


@_plays("silent-before-the-head", hasty=True)
def _silent_before_the_head(_: Asked) -> Iterable[Play]:
    yield Play([Answer((Gate(),))])


@_plays("silent-in-the-head", hasty=True)
def _silent_in_the_head(_: Asked) -> Iterable[Play]:
    yield Play([Answer((PLAIN_HEAD[:30], Gate()))])


@_plays("silent-in-the-stream", hasty=True)
def _silent_in_the_stream(_: Asked) -> Iterable[Play]:
    yield Play([stream_answer([*SAID[:5], Gate()])], b"".join(SAID[:5]))


@_plays("silent-in-the-body", hasty=True)
def _silent_in_the_body(_: Asked) -> Iterable[Play]:
    yield Play([Answer((PLAIN_HEAD + PLAIN[:50], Gate()))], PLAIN[:50])


@_plays("stops-reading", hasty=True)
def _stops_reading(asked: Asked) -> Iterable[Play]:
    yield Play(early=Answer((Pause(1.5),)), request=_large("stops-reading", asked))


def _slowly(pieces: list[bytes]) -> list[Piece]:
    return [part for piece in pieces for part in (Pause(0.25), piece)]


@_plays("trickling", hasty=True)
def _trickling(asked: Asked) -> Iterable[Play]:
    if asked.stream:
        yield Play([stream_answer(_slowly(SAID))], STREAMED)
    else:
        parts = [PLAIN[at : at + 60] for at in range(0, len(PLAIN), 60)]
        yield Play([Answer((PLAIN_HEAD, *_slowly(parts)))], PLAIN)


@_plays("trickling-head", hasty=True)
def _trickling_head(_: Asked) -> Iterable[Play]:
    yield Play([Answer(tuple(_slowly([PLAIN_HEAD[at : at + 4] for at in range(0, 60, 4)])))])


@_plays("trickling-for-ever", hasty=True)
@_plays("trickling-for-ever-plain", hasty=True)
def _trickling_for_ever(asked: Asked) -> Iterable[Play]:
    first, again = (SAID[0], SAID[2]) if asked.stream else (PLAIN[:-1], b" ")
    pieces = [_chunk(first), *[part for _ in range(300) for part in (Pause(0.1), _chunk(again))]]
    yield Play([Answer((STREAM_HEAD if asked.stream else CHUNKED_HEAD, *pieces))], first, is_endless=True)


# Cut after k bytes, and what is no answer.


def _cut(name: str, plays: Callable[[Asked, Cut], Iterable[Play]]) -> None:
    for cut in Cut:

        def cut_so(asked: Asked, cut: Cut = cut) -> Iterable[Play]:
            return plays(asked, cut)

        _plays(f"{cut.value}-{name}")(cut_so)


def _said_then_cut(said: Sequence[bytes], cut: Cut) -> Play:
    """A stream that is cut once the client has all that was said of it."""
    # A reset may overtake what was said before it.
    gate = Gate()
    return Play([stream_answer([*said, gate, cut])], b"".join(said), gate=gate)


_cut("before-the-head", lambda _, cut: [Play([Answer((cut,))])])
_cut("in-the-head", lambda _, cut: [Play([Answer((PLAIN_HEAD[:k], cut))]) for k in (1, 20, len(PLAIN_HEAD) - 1)])
_cut("before-any-event", lambda _, cut: [_said_then_cut([], cut)])
_cut("between-events", lambda _, cut: [_said_then_cut(SAID[:k], cut) for k in (1, 5)])
_cut("after-message-delta", lambda _, cut: [_said_then_cut(SAID[:-1], cut)])
_cut(
    "in-an-event",
    lambda _, cut: [_said_then_cut([*SAID[:5], SAID[5][:k]], cut) for k in (3, 40, len(SAID[5]) - 1)],
)
_cut("in-message-start", lambda _, cut: [_said_then_cut([SAID[0][:k]], cut) for k in (3, 40, 100)])
_cut("after-message-stop", lambda _, cut: [_said_then_cut(SAID, cut)])


def _in_the_body(_: Asked, cut: Cut) -> Iterable[Play]:
    for k in (1, 200, len(PLAIN) - 1):
        gate = Gate()
        yield Play([Answer((PLAIN_HEAD + PLAIN[:k], gate, cut))], PLAIN[:k], gate=gate)


_cut("in-the-body", _in_the_body)


@_plays("truncated-chunk")
@_plays("truncated-chunk-plain")
def _truncated_chunk(asked: Asked) -> Iterable[Play]:
    said, head = (b"".join(SAID[:5]), STREAM_HEAD) if asked.stream else (PLAIN, CHUNKED_HEAD)
    yield Play([Answer((head, _chunk(said), b"ff\r\nabc", Cut.FIN))], said + b"abc")


@_plays("last-chunk-missing")
def _last_chunk_missing(_: Asked) -> Iterable[Play]:
    yield Play([Answer((CHUNKED_HEAD, _chunk(PLAIN), Cut.FIN))], PLAIN)


@_plays("garbled-chunk")
@_plays("garbled-chunk-plain")
def _garbled_chunk(asked: Asked) -> Iterable[Play]:
    said, head = (b"".join(SAID[:5]), STREAM_HEAD) if asked.stream else (PLAIN, CHUNKED_HEAD)
    yield Play([Answer((head, _chunk(said), b"zz\r\nabc\r\n", Gate()))], said)


@_plays("garbage")
def _garbage(_: Asked) -> Iterable[Play]:
    for said in (b"SSH-2.0-OpenSSH_9.2\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"HTTP/1.1 abc\r\n\r\n", b"\0" * 100):
        yield Play([Answer((said, Gate()))])


@_plays("huge-head")
def _huge_head(_: Asked) -> Iterable[Play]:
    for said in (b"x-filler: " + b"y" * 70_000, b"\r\n".join(b"x-%d: y" % place for place in range(300))):
        yield Play([Answer((PLAIN_HEAD[:-2] + said + b"\r\n\r\n" + PLAIN, Gate()))])


@_plays("length-told-twice")
def _length_told_twice(_: Asked) -> Iterable[Play]:
    for said in (b"content-length: 3", b"transfer-encoding: chunked"):
        yield Play([Answer((PLAIN_HEAD[:-2] + said + b"\r\n\r\n" + PLAIN, Gate()))])


@_plays("switches-protocols")
def _switches_protocols(_: Asked) -> Iterable[Play]:
    yield Play([Answer((b"HTTP/1.1 101 Switching\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n", Gate()))])


@_plays("interim-for-ever")
def _interim_for_ever(_: Asked) -> Iterable[Play]:
    yield Play([Answer((b"HTTP/1.1 103 Early\r\n\r\n" * 40, Gate()))])


# Answers that are right, in an unusual way.


@_plays("interim-first")
def _interim_first(asked: Asked) -> Iterable[Play]:
    said, body = good(asked)
    for interim in (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\r\nlink: </style.css>\r\n\r\n"):
        yield Play([Answer((interim, *said.pieces))], body)


@_plays("redirect")
def _redirect(_: Asked) -> Iterable[Play]:
    fields = (("location", "http://127.0.0.1:1/elsewhere"), ("content-type", "text/plain"))
    yield Play([answer(b"over there", status=307, headers=fields)], b"over there", fields=fields)


@_plays("leftover-with-the-answer")
def _leftover_with_the_answer(asked: Asked) -> Iterable[Play]:
    said, body = good(asked)
    *pieces, last = said.pieces
    assert isinstance(last, bytes)
    yield Play([Answer((*pieces, last + SMALL, Gate()))], body)


@_plays("leftover-while-idle")
def _leftover_while_idle(asked: Asked) -> Iterable[Play]:
    said, body = good(asked)
    gate = Gate()
    yield Play([said], body, before=Answer((WHOLE, gate, SMALL, Gate())), then=gate)


@_plays("length-until-the-end")
def _length_until_the_end(asked: Asked) -> Iterable[Play]:
    kind = b"text/event-stream" if asked.stream else b"application/json"
    body = STREAMED if asked.stream else PLAIN
    yield Play([Answer((b"HTTP/1.1 200 OK\r\ncontent-type: " + kind + b"\r\n\r\n" + body,), close=True)], body)


@_plays("no-message-stop")
def _no_message_stop(_: Asked) -> Iterable[Play]:
    for k in (1, 5):
        yield Play([stream_answer(SAID[:k])], b"".join(SAID[:k]))


@_plays("only-message-stop-is-missing")
def _only_message_stop_is_missing(_: Asked) -> Iterable[Play]:
    yield Play([stream_answer(SAID[:-1])], b"".join(SAID[:-1]))


# Connections that were kept.


@_plays("ended-while-idle")
def _ended_while_idle(asked: Asked) -> Iterable[Play]:
    said, body = good(asked)
    gate = Gate()
    yield Play([said], body, before=Answer((WHOLE, gate, Cut.FIN)), then=gate)


def _crossing(asked: Asked, cut: Cut) -> Iterable[Play]:
    said, body = good(asked)
    yield Play([Answer((cut,)), said], body, before=Answer((WHOLE,)))


_cut("crosses-the-request", _crossing)


@_plays("kept-and-ended-late")
def _kept_and_ended_late(_: Asked) -> Iterable[Play]:
    yield Play([Answer((Pause(1.2), Cut.FIN))], before=Answer((WHOLE,)))


@_plays("kept-and-ended-in-the-head")
def _kept_and_ended_in_the_head(_: Asked) -> Iterable[Play]:
    yield Play([Answer((PLAIN_HEAD[:20], Cut.FIN))], before=Answer((WHOLE,)))


# What the upstream says of errors.

_ERROR_FIELDS: Fields = (("x-should-retry", "true"), ("request-id", "req_scripted0001"))


def _error(name: str, status: int, kind: str, *fields: tuple[str, str]) -> None:
    @_plays(name)
    def _said(_: Asked) -> Iterable[Play]:
        said = error_answer(status, kind, "scripted: l\u00e4uft nicht", headers=[*_ERROR_FIELDS, *fields])
        yield Play([said], body_of(said), fields=[*_ERROR_FIELDS, *fields])


_error("400", 400, "invalid_request_error")
for payer in ("passthrough", "own"):
    _error(f"401-{payer}", 401, "authentication_error")
    _error(f"402-{payer}", 402, "billing_error")
    _error(f"403-{payer}", 403, "permission_error")
_error("404", 404, "not_found_error")
_error("413", 413, "request_too_large")
_error("429", 429, "rate_limit_error")
_error("429-with-retry-after", 429, "rate_limit_error", ("retry-after", "17"))
_error("500", 500, "api_error")
_error("502", 502, "api_error")
_error("503", 503, "api_error")
_error("504", 504, "timeout_error")
_error("529", 529, "overloaded_error")

_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\r\n"


def _page(name: str, status: int) -> None:
    @_plays(name)
    def _said(_: Asked) -> Iterable[Play]:
        fields = (("content-type", "text/html"),)
        yield Play([answer(_PAGE, status=status, headers=fields)], _PAGE, fields=fields)


for number in (200, 404, 502, 503):
    _page(f"html-{number}", number)

_OVERLOAD = event("error", error={"type": "overloaded_error", "message": "scripted overload"})


@_plays("error-event-before-text")
def _error_event_before_text(_: Asked) -> Iterable[Play]:
    yield Play([stream_answer([_OVERLOAD])], _OVERLOAD)


@_plays("error-event-after-text")
def _error_event_after_text(_: Asked) -> Iterable[Play]:
    said = [*SAID[:5], _OVERLOAD]
    yield Play([stream_answer(said)], b"".join(said))


@_plays("error-event-then-fin")
def _error_event_then_fin(_: Asked) -> Iterable[Play]:
    yield _said_then_cut([*SAID[:5], _OVERLOAD], Cut.FIN)


# Answers to a request that was not read.


def _large(name: str, asked: Asked) -> bytes:
    return prompt("x" * 14_500_000, stream=asked.stream, model=f"{name}.{'stream' if asked.stream else 'plain'}")


_TOO_LARGE = error_answer(413, "request_too_large", "scripted")


@_plays("early-413")
def _early_413(asked: Asked) -> Iterable[Play]:
    yield Play(early=_TOO_LARGE, body=body_of(_TOO_LARGE), request=_large("early-413", asked))


@_plays("early-cut")
def _early_cut(asked: Asked) -> Iterable[Play]:
    yield Play(early=Answer((Cut.FIN,)), request=_large("early-cut", asked))
