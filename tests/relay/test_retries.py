"""Each way in which an upstream fails: how often it is asked, who is asked then, and what is remembered of it.

The table of docs/decisions/0008-retries-and-cool-down.md. Counted at the upstream, at
the client and in the ledger, with one upstream and with two, with either payer, for
messages and for the counting of tokens.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

import pytest

from tests.clients.answers import event, events
from tests.fake_upstream import Answer, Cut, Gate, Received, answer, json_answer, stream_answer
from tests.relay.arena import (
    COUNT,
    GOOD_COUNT,
    MESSAGES,
    Arena,
    Case,
    Payer,
    Script,
    busy,
    deaf,
    good,
    refusing,
    untrusted,
)
from tests.relay.wire_client import Whole

Tries = Literal["dial", "busy", "once"]
"""May it be tried again: there was no connection; the answer cost nothing; never."""
After = Literal["down", "told", "guess", "well"]
"""What is known afterwards: no connection; when to come back; that it is unwell; nothing."""
GOOD = b"".join(events("a good answer", "claude-x"))
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


def _error(status: int) -> Answer:
    return json_answer({"type": "error", "error": {"type": "scripted_error", "message": "no"}}, status=status)


def _silent(_: Received) -> Answer:
    return Answer((Gate(),))


@dataclass(frozen=True, slots=True)
class Shape:
    """One way to fail."""

    name: str
    says: Answer | Script | None
    """None: nobody is there."""
    tries: Tries = "once"
    after: After = "well"
    heard: int = 502
    """The status for a client who pays for itself."""
    code: str | None = None
    """`x-clearway-error`, where the answer is ours."""
    is_cut: bool = False
    """The client's connection is cut after what came."""
    for_gateway: tuple[int, str | None] | None = None
    """Status and code for a client for whom the gateway pays, where they differ."""
    streams: bool = False
    """Only a message can be like this."""


AFTER_30 = ("retry-after", "30")
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n" + b'{"type": "mess'
REFUSED_US = (502, "upstream_credential")
STALE = Answer((b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",), close=True)
OVERLOADED = event("error", error={"type": "overloaded_error", "message": "no"})
OPENING = events("half of it", "claude-x")[:4]

SHAPES = [
    Shape("refused", None, "dial", "down", code="upstream_unreachable"),
    Shape("never-accepts", None, "dial", "down", code="upstream_unreachable"),
    Shape("tls-wrong", None, "dial", "down", code="upstream_unreachable"),
    Shape("silent", _silent, heard=504, code="upstream_timeout"),
    Shape("cut-in-head-fin", Answer((b"HTTP/1.1 200 OK\r\nconte", Cut.FIN)), code="upstream_protocol"),
    Shape("cut-in-head-rst", Answer((b"HTTP/1.1 200 OK\r\nconte", Cut.RST)), code="upstream_protocol"),
    Shape("garbage", Answer((b"\x00\x01 what?\r\n\r\n",)), code="upstream_protocol"),
    Shape("cut-body", Answer((PLAIN, Cut.FIN)), heard=200, is_cut=True),
    Shape("400", _error(400), heard=400),
    Shape("401", _error(401), after="guess", heard=401, for_gateway=REFUSED_US),
    Shape("403", _error(403), after="guess", heard=403, for_gateway=REFUSED_US),
    Shape("404", _error(404), heard=404),
    Shape("413", _error(413), heard=413),
    Shape("422", _error(422), heard=422),
    Shape("429", busy(429), "busy", "guess", heard=429),
    Shape("429-told", busy(429, AFTER_30), "busy", "told", heard=429),
    Shape("500", _error(500), heard=500),
    Shape("502-html", answer(HTML, status=502, headers=[("content-type", "text/html")]), heard=502),
    Shape("503", busy(503), "busy", "guess", heard=503),
    Shape("503-told", busy(503, AFTER_30), "busy", "told", heard=503),
    Shape("504", _error(504), heard=504),
    Shape("529", busy(529), "busy", "guess", heard=529),
    Shape("529-told", busy(529, AFTER_30), "busy", "told", heard=529),
    Shape("error-before-text", stream_answer([OVERLOADED]), after="guess", heard=200, streams=True),
    Shape("error-after-text", stream_answer([*OPENING, OVERLOADED]), after="guess", heard=200, streams=True),
    Shape("cut-stream-fin", stream_answer([*OPENING, Cut.FIN]), heard=200, is_cut=True, streams=True),
    Shape("cut-stream-rst", stream_answer([*OPENING, Cut.RST]), heard=200, is_cut=True, streams=True),
    Shape("no-message-stop", stream_answer(OPENING), heard=200, is_cut=True, streams=True),
    Shape("stale-connection", STALE, heard=200),
]
# Who is asked for the first request, where the gateway pays and where the client does.
FIRST: dict[tuple[Tries, int], tuple[str, str]] = {
    ("dial", 1): ("11", "11"),
    ("dial", 2): ("12", "12"),
    ("busy", 1): ("1", "1"),
    ("busy", 2): ("12", "1"),
    ("once", 1): ("1", "1"),
    ("once", 2): ("1", "1"),
}
# Who is asked for the next message; what is not here: as for the first.
NEXT: dict[tuple[After, int], tuple[str, str]] = {
    ("down", 1): ("1", "1"),
    ("down", 2): ("2", "2"),
    ("told", 1): ("", "1"),
    ("told", 2): ("2", "1"),
    ("guess", 2): ("2", "1"),
}
OURS = {429: (429, "upstream_limited"), 503: (529, "upstream_busy"), 529: (529, "upstream_busy")}


@dataclass(frozen=True, slots=True)
class Row:
    """A shape in one of the situations."""

    shape: Shape
    places: int
    payer: Payer
    target: str

    @property
    def name(self) -> str:
        """Also of its upstreams and its model."""
        what = "count" if self.target == COUNT else "messages"
        return f"{self.shape.name}-{('lone', 'two')[self.places - 1]}-{self.payer}-{what}"

    def of(self, pair: tuple[str, str]) -> str:
        """The column of the payer."""
        return pair[self.payer == "client"]

    @property
    def first(self) -> str:
        """Who is asked for the first request."""
        return self.of(FIRST[self.shape.tries, self.places])

    @property
    def next(self) -> str:
        """Who is asked for the next message."""
        if self.target == COUNT:
            return self.first
        return self.of(NEXT.get((self.shape.after, self.places), FIRST[self.shape.tries, self.places]))


ROWS = [
    Row(shape, places, payer, target)
    for shape in SHAPES
    for places in (1, 2)
    for payer in ("gateway", "client")
    for target in ((MESSAGES,) if shape.streams else (MESSAGES, COUNT))
]
FURTHER = [Case("fourth", places=4), Case("half"), Case("large"), Case("three")]
SETTINGS = "[server.timeouts]\nconnect_s = 0.4\nfirst_byte_s = 0.7\n"


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """A gateway with default settings but for short times; upstreams of their own for each row."""
    with ExitStack() as stack:
        nowhere = {
            "refused": stack.enter_context(refusing()),
            "never-accepts": stack.enter_context(deaf()),
            "tls-wrong": stack.enter_context(untrusted()),
        }
        cases = [Case(row.name, row.payer, row.places, nowhere.get(row.shape.name, "")) for row in ROWS]
        yield stack.enter_context(Arena(tmp_path_factory.mktemp("arena"), cases + FURTHER, SETTINGS))


def _body(said: Answer) -> bytes:
    """What an answer says, its framing taken off."""
    head, _, rest = b"".join(piece for piece in said.pieces if isinstance(piece, bytes)).partition(b"\r\n\r\n")
    if b"chunked" not in head:
        return rest
    body = b""
    while size := int(rest.partition(b"\r\n")[0] or b"0", 16):
        rest = rest.partition(b"\r\n")[2]
        body, rest = body + rest[:size], rest[size + 2 :]
    return body


def _hears_the_failure(row: Row, whole: Whole) -> None:
    shape = row.shape
    expected = (shape.heard, shape.code)
    if row.payer == "gateway" and shape.for_gateway is not None:
        expected = shape.for_gateway
    assert (*expected, shape.is_cut) == (whole.head.status, whole.head.header("x-clearway-error"), not whole.complete)
    if expected[1] is None and isinstance(shape.says, Answer):
        assert whole.body == _body(shape.says)


def _is_well(whole: Whole, target: str) -> None:
    assert (200, True) == (whole.head.status, whole.complete)
    assert whole.body == (GOOD if target == MESSAGES else b'{"input_tokens":%d}' % GOOD_COUNT["input_tokens"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(arena: Arena, row: Row) -> None:
    """It is asked again only where that cost nothing, and left alone afterwards only where that helps."""
    if row.shape.says is not None:
        arena.play(row.name, row.shape.says)

    whole = arena.ask(row.name, target=row.target)

    assert row.first == arena.asked(whole)
    if row.first.endswith("2"):
        _is_well(whole, row.target)
    else:
        _hears_the_failure(row, whole)
    at_upstream = row.first if row.shape.says is not None else row.first.replace("1", "")
    assert at_upstream == arena.hits(row.name)
    attempts = arena.attempts(whole)
    last = arena.books.settled(whole.head.exchange_id)
    assert (len(row.first), attempts[-1].upstream, attempts[-1].outcome) == (last.attempts, last.upstream, last.outcome)
    for attempt in attempts[:-1]:
        # What was tried again cost nothing, and says why it was.
        assert (None, None, "upstream_error") == (attempt.cost_nano, attempt.output_tokens, attempt.outcome)
        why = (None, "upstream_unreachable") if row.shape.tries == "dial" else (row.shape.heard, None)
        assert why == (attempt.status, attempt.error_code)
        assert row.shape.tries == "dial" or "req_busy00000001" == attempt.upstream_request_id

    then = arena.ask(row.name)

    assert row.next == arena.asked(then)
    if not row.next:
        status, code = OURS[row.shape.heard]
        assert (status, code) == (then.head.status, then.head.header("x-clearway-error"))
        assert 0 < int(then.head.header("retry-after") or "") <= 30
        assert then.head.header("x-should-retry") is None
        assert ("rate_limit_error" if status == 429 else "overloaded_error") == then.error()[0]
        noted = arena.books.settled(then.head.exchange_id)
        assert ("upstream_error", status, code, 0, None) == (
            noted.outcome,
            noted.status,
            noted.error_code,
            noted.attempts,
            noted.upstream,
        )
    elif row.next.endswith("2"):
        _is_well(then, MESSAGES)
    else:
        _hears_the_failure(row, then)
    further = row.next if row.shape.says is not None else row.next.replace("1", "")
    assert at_upstream + further == arena.hits(row.name)


def test_two_further_tries_at_most(arena: Arena) -> None:
    """The fourth upstream is not asked; the client hears the third, and its numbers are the exchange's."""
    arena.play("fourth", busy(429), busy(503), busy(529, ("retry-after", "7")))

    whole = arena.ask("fourth")

    assert (529, "7", "123") == (whole.head.status, whole.head.header("retry-after"), arena.hits("fourth"))
    assert [429, 503, 529] == [attempt.status for attempt in arena.attempts(whole)]
    row = arena.books.settled(whole.head.exchange_id)
    assert ("upstream_error", 529, "fourth.3", 3) == (row.outcome, row.status, row.upstream, row.attempts)


def test_a_refusal_that_is_not_whole(arena: Arena) -> None:
    """A 529 that breaks off may be anything: it is the client's to hear, as far as it came."""
    head = b"HTTP/1.1 529 Busy\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n"
    arena.play("half", Answer((head + b'{"type":', Cut.FIN)))

    whole = arena.ask("half")

    assert (529, b'{"type":', False) == (whole.head.status, whole.body, whole.complete)
    assert "1" == arena.asked(whole) == arena.hits("half")


def test_a_refusal_that_is_too_large_to_be_one(arena: Arena) -> None:
    """It is not held back to be read: the client hears all of it."""
    arena.play("large", answer(b"x" * 300_000, status=503))

    whole = arena.ask("large")

    assert (503, b"x" * 300_000, True) == (whole.head.status, whole.body, whole.complete)
    assert "1" == arena.hits("large")


def test_three_strikes(arena: Arena) -> None:
    """A single 500 may be an accident; after the third in a row another upstream is asked first."""
    arena.play("three", _error(500))

    seen = [arena.ask("three").head.status for _ in range(4)]

    assert ([500, 500, 500, 200], "1112") == (seen, arena.hits("three"))
    arena.play("three", good)
