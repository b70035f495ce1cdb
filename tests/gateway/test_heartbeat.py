"""A heartbeat looks at what the client has, not at what the gateway knows already."""

import asyncio
from collections.abc import Iterator

from clearway.core.clock import SystemClock
from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Finished, Progress, Settlement
from clearway.core.fields import Headers
from clearway.core.usage import Billing, Cost, Usage
from clearway.gateway.bookkeeping import Books, Exchange
from clearway.gateway.relay import Relay
from clearway.gateway.route import Target
from clearway.limits.held import NOTHING
from tests.clients.answers import events
from tests.gateway.test_route import LOGIN

BEAT_S = 0.005
SAID = events("one word after the other", "claude-x")


class Ledger:
    """A journal and a feed that take everything."""

    healthy = True

    def admit(self, admission: Admission) -> int:
        """Taken."""
        return len(admission.id)

    def admitted(self, admission: Admission) -> None:
        """Taken."""

    def begin(self, start: AttemptStart) -> None:
        """Taken."""

    def progress(self, progress: Progress) -> None:
        """Taken."""

    def first_token(self, exchange_id: str) -> None:
        """Taken."""

    def end(self, end: AttemptEnd) -> None:
        """Taken."""

    def settle(self, settlement: Settlement) -> None:
        """Taken."""

    def settled(self, finished: Finished) -> None:
        """Taken."""

    async def committed(self, place: int) -> bool:
        """Only after several heartbeats were due."""
        await asyncio.sleep(10 * BEAT_S)  # time itself is what is tested
        return place > 0


class Pieces:
    """A reply whose pieces are all there."""

    status = 200
    headers: Headers = ((b"content-type", b"text/event-stream"),)

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self._left = len(pieces)

    @property
    def ended(self) -> bool:
        """All was read."""
        return not self._left

    async def read(self) -> bytes:
        """The next piece."""
        self._left -= 1
        return next(self._pieces)


class EagerSink:
    """Takes everything at any time."""

    started = gone = is_slow = False

    def __init__(self) -> None:
        self.got: list[bytes] = []

    async def drain(self) -> None:
        """Never needed."""

    def start(self, status: int, headers: Headers) -> None:
        """Taken."""

    def write(self, data: bytes) -> None:
        """Taken."""
        self.got.append(data)

    def finish(self, data: bytes = b"") -> None:
        """Taken."""
        self.got.append(data)

    def cut(self) -> None:
        """Never needed."""


def _free(usage: Usage, model: str | None, *, at_us: int, billing: Billing) -> Cost:  # noqa: ARG001  # a Pricing
    return Cost(nano=0, price_version="none", billing=billing)


async def test_not_ahead_of_a_piece_that_is_held_back() -> None:
    """The watch has seen the end of the last event; the client has not, as long as its exchange is not durable."""
    ledger = Ledger()
    books = Books(ledger, ledger, SystemClock(), _free)
    admission = Admission(
        id="x", instance_id="i", admitted_us=1, wire="messages", endpoint="messages", method="POST", path="/v1/messages"
    )
    exchange = Exchange(books, admission)
    attempt = exchange.begin(Target(LOGIN, "claude-x"), "billed", NOTHING)
    begin, end = SAID[-1][:9], SAID[-1][9:]
    sink = EagerSink()

    # An empty piece after it, so that it is not the last of the body.
    await Relay(exchange, attempt, sink, heartbeat_s=BEAT_S).run(Pieces([*SAID[:-1], begin, end, b": after\n\n"]))

    assert [begin, end] == sink.got[sink.got.index(begin) :][:2]
