"""What is noted of one exchange, from admission to settlement, each exactly once.

Writes to the journal (durable) and the feed (live). Holds numbers and labels only.
"""

from asyncio import Future
from collections.abc import Callable
from typing import Protocol

import msgspec

from clearway.core.clock import Clock
from clearway.core.errors import GatewayError, UpstreamUnreachable
from clearway.core.exchange import (
    Admission,
    AttemptEnd,
    AttemptStart,
    Finished,
    Measure,
    Outcome,
    Progress,
    Settlement,
    Tried,
)
from clearway.core.usage import Billing, Cost, Usage
from clearway.gateway import labels
from clearway.gateway.route import Target
from clearway.gateway.totals import together
from clearway.ledger.ownership import Ownership
from clearway.ledger.protocol import Journal
from clearway.limits.protocol import OUTPUT_SLICE, Reservation
from clearway.observe.protocol import WindowWatch
from clearway.upstreams.counts import Counters
from clearway.wire.messages.errors import error_type
from clearway.wire.messages.watch import NoWatch, Watch

_PROGRESS_EVERY_S = 5.0
_LEAST_BYTES = 256
_REFUSED = 400
"""From this status on nothing was made, and nothing is charged."""


class Feed(Protocol):
    """Where people watch; never waits and never fails."""

    def admitted(self, admission: Admission) -> None:
        """An exchange was admitted."""
        ...

    def first_token(self, exchange_id: str) -> None:
        """Its first output came."""
        ...

    def settled(self, finished: Finished) -> None:
        """It is over."""
        ...


class Pricing(Protocol):
    """What usage costs."""

    def __call__(self, usage: Usage, model: str | None, *, at_us: int, billing: Billing) -> Cost:
        """The cost of `usage` by `model` at a time."""
        ...


class Books(msgspec.Struct, frozen=True):
    """What every exchange writes to and reads from."""

    journal: Journal
    feed: Feed
    clock: Clock
    price: Pricing
    windows: WindowWatch | None = None
    """Hears what answers say of windows."""
    counters: Counters = msgspec.field(default_factory=Counters)
    owners: Ownership | None = None
    """Of files that are made while an answer runs; None: nobody is asked."""


class Attempt:
    """One try at one upstream."""

    __slots__ = (
        "_ask_at",
        "_books",
        "_note_at",
        "_seen_bytes",
        "awaited",
        "billing",
        "ended",
        "exchange",
        "first_byte_us",
        "first_token_us",
        "measured",
        "number",
        "reservation",
        "response_bytes",
        "start",
        "started",
        "status",
        "target",
        "upstream_request_id",
        "watch",
    )

    def __init__(self, exchange: "Exchange", number: int, target: Target, billing: Billing, held: Reservation) -> None:
        self._books = exchange.books
        self.started = self._books.clock.monotonic()
        self._note_at = 0.0
        self._seen_bytes = 0
        # No token is told in fewer bytes, so that nothing need be counted before.
        self._ask_at = held.output_tokens
        self.exchange = exchange
        self.number = number
        self.target = target
        self.billing = billing
        self.reservation = held
        self.awaited: Future[bool | GatewayError] | None = None
        """All that is held for was produced; what decides whether there is more."""
        self.watch: Watch = NoWatch()
        self.status: int | None = None
        self.first_byte_us: int | None = None
        self.first_token_us: int | None = None
        self.upstream_request_id: str | None = None
        self.response_bytes = 0
        self.measured = Measure()
        self.ended = False
        self.start = AttemptStart(
            exchange_id=exchange.id,
            number=number,
            upstream=target.upstream.name,
            kind=target.upstream.kind,
            model=labels.model(target.model),
            started_us=self._books.clock.now_us(),
        )
        self._books.journal.begin(self.start)

    def _elapsed_us(self) -> int:
        return int((self._books.clock.monotonic() - self.started) * 1_000_000)

    def saw_head(self, status: int, request_id: str | None) -> None:
        """The head of the answer has come."""
        self.status = status
        self.upstream_request_id = labels.identifier(request_id)
        self.first_byte_us = self._elapsed_us()

    def saw(self, chunk: bytes) -> None:
        """A piece of the answer passed, given as it reads without its content coding."""
        watch = self.watch
        watch.feed(chunk)
        self._seen_bytes = seen_bytes = self._seen_bytes + len(chunk)
        if seen_bytes >= self._ask_at:
            self._ask_for_more()
        if self.first_token_us is None and watch.has_output:
            self.first_token_us = self._elapsed_us()
            if not any(tried.end.measure.first_token_us for tried in self.exchange.tries):
                self._books.feed.first_token(self.exchange.id)
        now = self._books.clock.monotonic()
        if now >= self._note_at and watch.has_usage and not watch.whole:
            self._note_at = now + _PROGRESS_EVERY_S
            self._note_progress()

    def may_beat(self) -> bool:
        """A heartbeat may stand here, within the answer."""
        return self.watch.at_boundary and not self.ended

    def _ask_for_more(self) -> None:
        """Have more output held for before what is held for is used up."""
        usage = self.watch.usage()
        produced = 0 if usage is None else usage.output_tokens
        held = self.reservation
        if produced + held.margin >= held.output_tokens:
            may_go_on = held.top_up(max(held.output_tokens, produced) + OUTPUT_SLICE)
            # What is held for may still be produced; and what is over is not ended before its last event.
            is_spent = produced >= held.output_tokens and self.watch.stop_reason is None
            if isinstance(may_go_on, bool):
                self.exchange.budget_is_spent = is_spent and not may_go_on
            elif is_spent:
                self.awaited = may_go_on
        # No token is told in fewer bytes than one.
        self._ask_at = self._seen_bytes + max(held.output_tokens - produced - held.margin, _LEAST_BYTES)

    async def topped_up(self) -> None:
        """Wait for what decides whether there is more. Raises LimitsUnavailable where nobody can tell."""
        awaited, self.awaited = self.awaited, None
        if awaited is None:
            return
        outcome = await awaited
        if isinstance(outcome, GatewayError):
            raise outcome
        self.exchange.budget_is_spent = not outcome

    def _note_progress(self) -> None:
        measure = self.measure()
        self._books.journal.progress(Progress(exchange_id=self.exchange.id, number=self.number, measure=measure))

    def measure(self, error: GatewayError | None = None) -> Measure:
        """Everything that is known by now."""
        watch = self.watch
        usage = watch.usage()
        cost = None
        if usage is not None:
            model = watch.response_model or self.target.model
            cost = self._books.price(usage, model, at_us=self.exchange.admission.admitted_us, billing=self.billing)
        return Measure(
            status=self.status,
            error_type=labels.word(watch.error_type) if error is None else error_type(error),
            error_code=None if error is None else error.code,
            response_model=labels.model(watch.response_model),
            response_id=labels.identifier(watch.response_id),
            upstream_request_id=self.upstream_request_id,
            stop_reason=labels.word(watch.stop_reason),
            response_bytes=self.response_bytes,
            first_byte_us=self.first_byte_us,
            first_token_us=self.first_token_us,
            total_us=self._elapsed_us(),
            usage=labels.counted(usage),
            cost=cost,
        )

    def end(self, outcome: Outcome, error: GatewayError | None = None) -> None:
        """The try is over; later calls do nothing."""
        if self.ended:
            return
        self.ended = True
        self.watch.close()
        self.measured = measure = self.measure(error)
        if isinstance(error, UpstreamUnreachable) or (measure.status or 0) >= _REFUSED:
            self.reservation.release()
        else:
            # Without usage it may have cost something all the same: the limiter decides.
            self.reservation.settle(measure.usage, measure.cost)
        end = AttemptEnd(
            exchange_id=self.exchange.id,
            number=self.number,
            ended_us=self._books.clock.now_us(),
            outcome=outcome,
            measure=measure,
        )
        self._books.journal.end(end)
        self.exchange.tries.append(Tried(self.start, end))
        self._books.counters.ended(self.target.upstream.name, end)


class Exchange:
    """One request and all that answers it."""

    __slots__ = (
        "_place",
        "_started",
        "admission",
        "attempt",
        "attempts",
        "books",
        "budget_is_spent",
        "id",
        "last_words",
        "settled",
        "stopped_by",
        "tries",
    )

    def __init__(self, books: Books, admission: Admission) -> None:
        self.books = books
        self.admission = admission
        self.id = admission.id
        self.attempts = 0
        self.tries: list[Tried] = []
        """Those that are over."""
        self.attempt: Attempt | None = None
        self.settled = False
        self.budget_is_spent = False
        self.stopped_by: GatewayError | None = None
        """Why its task was cancelled, where that was ours to decide."""
        self.last_words: Callable[[GatewayError], bytes] | None = None
        """What ends an answer that has begun and is translated."""
        self._started = books.clock.monotonic()
        self._place = books.journal.admit(admission)
        books.feed.admitted(admission)

    def begin(self, target: Target, billing: Billing, held: Reservation) -> Attempt:
        """The next try."""
        self.attempts += 1
        self.attempt = Attempt(self, self.attempts, target, billing, held)
        return self.attempt

    def settle(self, outcome: Outcome, error: GatewayError | None = None, *, status: int | None = None) -> None:
        """The exchange is over; later calls do nothing.

        Its measure is the last attempt's, with durations counted from admission, and with what was
        used by those before it.

        Args:
            outcome: How it ended.
            error: Why, where the reason is ours to tell.
            status: What the client is answered, where that is not the upstream's.
        """
        if self.settled:
            return
        self.settled = True
        last = self.attempt
        total_us = int((self.books.clock.monotonic() - self._started) * 1_000_000)
        if last is None:
            measure = Measure(
                status=status,
                error_type=None if error is None else error_type(error),
                error_code=None if error is None else error.code,
                total_us=total_us,
            )
        else:
            last.end(outcome, error)
            before_us = int((last.started - self._started) * 1_000_000)
            seen = last.measured
            if len(self.tries) > 1:
                seen, before_us = together(self.tries, self.admission.admitted_us, before_us)
            measure = msgspec.structs.replace(
                seen,
                status=seen.status if status is None else status,
                error_type=seen.error_type if error is None else error_type(error),
                error_code=None if error is None else error.code,
                first_byte_us=None if seen.first_byte_us is None else before_us + seen.first_byte_us,
                first_token_us=None if seen.first_token_us is None else before_us + seen.first_token_us,
                total_us=total_us,
            )
        settlement = Settlement(
            exchange_id=self.id,
            ended_us=self.books.clock.now_us(),
            outcome=outcome,
            upstream=None if last is None else last.target.upstream.name,
            kind=None if last is None else last.target.upstream.kind,
            attempts=self.attempts,
            measure=measure,
        )
        # Each holds the other: without this, only the collector frees both.
        self.attempt = None
        self.books.journal.settle(settlement)
        self.books.feed.settled(Finished(self.admission, tuple(self.tries), settlement))

    def waits(self) -> bool:
        """It is not over, and no answer comes at this moment."""
        return self.attempt is not None and (self.attempt.ended or self.attempt.status is None)

    async def committed(self) -> bool:
        """Wait until the admission is durable: before the last bytes go out."""
        return await self.books.journal.committed(self._place)
