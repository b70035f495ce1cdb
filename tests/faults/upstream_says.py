"""Rows of the table `Upstream` in which it answers: in an unusual way, on a kept connection, with an error, early.

Used by the tests of the failures.
"""

from collections.abc import Iterable

from tests.clients.answers import event
from tests.fake_upstream import (
    Answer,
    Cut,
    Fields,
    Gate,
    answer,
    error_answer,
    stream_answer,
)
from tests.faults.plays import Plays, Scenarios, note_cuts, said_then_cut
from tests.faults.said import PLAIN, PLAIN_HEAD, SAID, STREAMED, WHOLE, body_of, good
from tests.faults.seen import Play
from tests.faults.table import Asked
from tests.faults.upstream_breaks import large

PLAYS = Scenarios[Plays]()

SMALL = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK"
"""An answer that nobody asked for."""


# Answers that are right, in an unusual way.


@PLAYS.note("interim-first")
def _interim_first(asked: Asked) -> Iterable[Play]:
    said, body = good(asked)
    for interim in (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\r\nlink: </style.css>\r\n\r\n"):
        yield Play([Answer((interim, *said.pieces))], body)


@PLAYS.note("redirect")
def _redirect(_: Asked) -> Iterable[Play]:
    fields = (("location", "http://127.0.0.1:1/elsewhere"), ("content-type", "text/plain"))
    yield Play([answer(b"over there", status=307, headers=fields)], b"over there", fields=fields)


@PLAYS.note("leftover-with-the-answer")
def _leftover_with_the_answer(asked: Asked) -> Iterable[Play]:
    said, body = good(asked)
    *pieces, last = said.pieces
    assert isinstance(last, bytes)
    yield Play([Answer((*pieces, last + SMALL, Gate()))], body)


@PLAYS.note("leftover-while-idle")
def _leftover_while_idle(asked: Asked) -> Iterable[Play]:
    said, body = good(asked)
    gate = Gate()
    yield Play([said], body, before=Answer((WHOLE, gate, SMALL, Gate())), then=gate)


@PLAYS.note("length-until-the-end")
def _length_until_the_end(asked: Asked) -> Iterable[Play]:
    kind = b"text/event-stream" if asked.stream else b"application/json"
    body = STREAMED if asked.stream else PLAIN
    yield Play([Answer((b"HTTP/1.1 200 OK\r\ncontent-type: " + kind + b"\r\n\r\n" + body,), close=True)], body)


@PLAYS.note("no-message-stop")
def _no_message_stop(_: Asked) -> Iterable[Play]:
    for k in (1, 5):
        yield Play([stream_answer(SAID[:k])], b"".join(SAID[:k]))


@PLAYS.note("only-message-stop-is-missing")
def _only_message_stop_is_missing(_: Asked) -> Iterable[Play]:
    yield Play([stream_answer(SAID[:-1])], b"".join(SAID[:-1]))


# Connections that were kept.


@PLAYS.note("ended-while-idle")
def _ended_while_idle(asked: Asked) -> Iterable[Play]:
    said, body = good(asked)
    gate = Gate()
    yield Play([said], body, before=Answer((WHOLE, gate, Cut.FIN)), then=gate)


def _within_the_request(asked: Asked, cut: Cut) -> Iterable[Play]:
    said, body = good(asked)
    request = large(f"{cut.value}-within-the-request", asked)
    yield Play([said], body, early=[Answer((cut,))], before=Answer((WHOLE,)), request=request)


note_cuts(PLAYS, "within-the-request", _within_the_request)
note_cuts(PLAYS, "on-a-kept-connection", lambda _, cut: [Play([Answer((cut,))], before=Answer((WHOLE,)))])


@PLAYS.note("fin-in-the-head-on-a-kept-connection")
def _in_the_head_on_a_kept_connection(_: Asked) -> Iterable[Play]:
    yield Play([Answer((PLAIN_HEAD[:20], Cut.FIN))], before=Answer((WHOLE,)))


# What the upstream says of errors.

_WAIT = (("retry-after", "17"),)
_ERROR_FIELDS: Fields = (("x-should-retry", "true"), ("request-id", "req_scripted0001"))


def _error(name: str, status: int, kind: str, *fields: tuple[str, str]) -> None:
    @PLAYS.note(name)
    def _said(_: Asked) -> Iterable[Play]:
        said = error_answer(status, kind, "scripted: l\u00e4uft nicht", headers=[*_ERROR_FIELDS, *fields])
        cools_s = 17 if fields == _WAIT else None
        yield Play([said], body_of(said), fields=[*_ERROR_FIELDS, *fields], cools_s=cools_s)


_error("400", 400, "invalid_request_error")
for payer in ("passthrough", "own"):
    _error(f"401-{payer}", 401, "authentication_error")
    _error(f"402-{payer}", 402, "billing_error")
    _error(f"403-{payer}", 403, "permission_error")
_error("404", 404, "not_found_error")
_error("413", 413, "request_too_large")
_error("429", 429, "rate_limit_error")
_error("429-with-retry-after", 429, "rate_limit_error", *_WAIT)
_error("500", 500, "api_error")
_error("502", 502, "api_error")
_error("503", 503, "api_error")
_error("504", 504, "timeout_error")
_error("529", 529, "overloaded_error")
_error("529-with-retry-after", 529, "overloaded_error", *_WAIT)


def _next(name: str, status: int, kind: str) -> None:
    @PLAYS.note(name)
    def _asked_again(asked: Asked) -> Iterable[Play]:
        said, body = good(asked)
        yield Play([said], body, before=error_answer(status, kind, "scripted", headers=_WAIT), cools_s=17)


for payer in ("passthrough", "own"):
    _next(f"next-after-429-{payer}", 429, "rate_limit_error")
    _next(f"next-after-529-{payer}", 529, "overloaded_error")

_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\r\n"


def _page(name: str, status: int) -> None:
    @PLAYS.note(name)
    def _said(_: Asked) -> Iterable[Play]:
        fields = (("content-type", "text/html"),)
        yield Play([answer(_PAGE, status=status, headers=fields)], _PAGE, fields=fields)


for number in (200, 404, 502, 503):
    _page(f"html-{number}", number)

_OVERLOAD = event("error", error={"type": "overloaded_error", "message": "scripted overload"})


@PLAYS.note("error-event-before-text")
def _error_event_before_text(_: Asked) -> Iterable[Play]:
    yield Play([stream_answer([_OVERLOAD])], _OVERLOAD)


@PLAYS.note("error-event-after-text")
def _error_event_after_text(_: Asked) -> Iterable[Play]:
    said = [*SAID[:5], _OVERLOAD]
    yield Play([stream_answer(said)], b"".join(said))


@PLAYS.note("error-event-then-fin")
def _error_event_then_fin(_: Asked) -> Iterable[Play]:
    yield said_then_cut([*SAID[:5], _OVERLOAD], Cut.FIN)


# Answers to a request that was not read.


_TOO_LARGE = error_answer(413, "request_too_large", "scripted")


@PLAYS.note("early-413")
def _early_413(asked: Asked) -> Iterable[Play]:
    yield Play(early=[_TOO_LARGE], body=body_of(_TOO_LARGE), request=large("early-413", asked))


@PLAYS.note("early-cut")
def _early_cut(asked: Asked) -> Iterable[Play]:
    yield Play(early=[Answer((Cut.FIN,))], request=large("early-cut", asked))
