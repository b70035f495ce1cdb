"""What attempts say about the health of their upstreams, and whom to ask after it.

Only Messages requests are heard: a client's error, the counting of tokens and a list
of models say nothing about the next message. Of a passthrough upstream only that it
cannot be reached is everybody's: a limit there is the limit of one client's account.
Simulated and replayed failures happen on request, and to nobody else.
Judgement is in `upstreams/health.py`.
"""

import math
from collections.abc import Iterable, Sequence

import structlog

from clearway.core.clock import Clock
from clearway.core.errors import (
    GatewayError,
    UpstreamBusy,
    UpstreamError,
    UpstreamLimited,
    UpstreamRefusedUs,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from clearway.core.exchange import Endpoint
from clearway.gateway.bookkeeping import Attempt
from clearway.gateway.route import Target
from clearway.upstreams.health import Failure, Health, Mark, failure_of_event, failure_of_status
from clearway.upstreams.resets import Told

log = structlog.get_logger()

_FOR_OTHERS_S = 5.0
"""The longest cool-down of a passthrough upstream: its clients know better how theirs is."""
_FOR_ALL_ENDPOINTS = frozenset[Failure]({"unreachable", "credential"})


class Cooling:
    """Tells the health of upstreams what happened, and the sender what to do.

    Args:
        health: Remembers.
        clock: Only for attempts' beginnings to be compared with.
    """

    def __init__(self, health: Health, clock: Clock) -> None:
        self._health = health
        self.clock = clock
        self.marks = health.marks
        """Empty while nothing is wrong."""
        self._ignored: frozenset[str] = frozenset()

    def ignore(self, upstreams: Iterable[str]) -> None:
        """From now on these names mean others: nothing more is to be heard of these here."""
        self._ignored = self._ignored.union(upstreams)

    def order(self, targets: Sequence[Target], endpoint: Endpoint) -> Sequence[Target]:
        """Those of `targets` to ask, in order: without what cools. Where all cool, the
        one that is due first, for what was only guessed is found out by asking.

        Raises:
            UpstreamLimited: Every upstream has said that it is of no use now.
            UpstreamBusy: Likewise.
        """
        held = [(target, self._holds_back(target, endpoint)) for target in targets]
        ready = [target for target, mark in held if mark is None]
        if ready or endpoint != "messages":
            return ready or targets
        marked = [(mark, target) for target, mark in held if mark is not None and mark.why != "no_model"]
        if not marked:
            # Its own 404 is for the client to see.
            return targets
        now = self.clock.monotonic()
        guessed = [pair for pair in marked if not pair[0].is_told or pair[0].until <= now]
        if not guessed:
            raise _refusal(min((mark for mark, _ in marked), key=lambda mark: mark.until), now)
        return [target for _, target in sorted(guessed, key=lambda pair: pair[0].until)]

    def was_unreachable(self, target: Target) -> bool:
        """It is known already that there is no connection."""
        return bool(self.marks) and self._health.was_unreachable(target.upstream.name)

    def probe(self, target: Target) -> list[Mark]:
        """An attempt begins; what it finds out is given back to `probed`."""
        name = target.upstream.name
        return [] if name in self._ignored else self._health.probe(name, target.model)

    @staticmethod
    def probed(marks: list[Mark]) -> None:
        """The attempt is over."""
        for mark in marks:
            mark.is_probed = False

    def answered(self, attempt: Attempt, *, whole: bool) -> None:
        """An answer that is no refusal came: its head, or the whole of it."""
        error_type = attempt.watch.error_type if whole else None
        if error_type is not None:
            why = failure_of_event(error_type)
            if why is not None:
                self._fail(attempt, why)
        elif self.marks:
            self._succeed(attempt, whole=whole)

    def refused(self, attempt: Attempt, status: int, told: Told) -> None:
        """The head of an answer of 400 or more came."""
        why = failure_of_status(status)
        if why is None or attempt.target.upstream.pays == "client":
            self._succeed(attempt, whole=True)
        else:
            self._fail(attempt, why, told)

    def lacks_model(self, attempt: Attempt) -> None:
        """The upstream does not know the model."""
        self._fail(attempt, "no_model")

    def broke(self, attempt: Attempt, error: GatewayError) -> None:
        """The attempt ended in an error."""
        match error:
            case UpstreamUnreachable():
                self._fail(attempt, "unreachable")
            case UpstreamTimeout():
                self._fail(attempt, "timeout")
            case UpstreamRefusedUs():
                pass  # heard of by its status
            case UpstreamError():
                self._fail(attempt, "broken")
            case _:
                pass  # ours, or the client's own

    def _holds_back(self, target: Target, endpoint: Endpoint) -> Mark | None:
        mark = self._health.holds_back(target.upstream.name, target.model)
        return None if mark is None or (endpoint != "messages" and mark.why not in _FOR_ALL_ENDPOINTS) else mark

    def _succeed(self, attempt: Attempt, *, whole: bool) -> None:
        if not self.marks or not self._is_heard(attempt):
            return
        upstream, model = attempt.target.upstream.name, attempt.target.model
        for mark in self._health.succeeded(upstream, model, began=attempt.started, whole=whole):
            log.info("upstream_recovered", upstream=upstream, model=mark.model, after=mark.why)

    def _fail(self, attempt: Attempt, why: Failure, told: Told | None = None) -> None:
        upstream = attempt.target.upstream
        if not self._is_heard(attempt) or (upstream.pays == "client" and why != "unreachable"):
            return
        mark = self._health.failed(
            upstream.name,
            attempt.target.model,
            why,
            began=attempt.started,
            told=told or Told(),
            most_s=_FOR_OTHERS_S if upstream.pays == "client" else math.inf,
        )
        if mark is not None:
            seconds = round(mark.until - self.clock.monotonic(), 1)
            log.warning(
                "upstream_cools", upstream=upstream.name, model=mark.model, why=why, cool_s=seconds, told=mark.is_told
            )

    def _is_heard(self, attempt: Attempt) -> bool:
        upstream = attempt.target.upstream
        is_message = attempt.exchange.admission.endpoint == "messages"
        return is_message and upstream.pays != "nobody" and upstream.name not in self._ignored


def _refusal(mark: Mark, now: float) -> UpstreamError:
    """What a client is told where asking is in vain: with the time that is left."""
    left_s = max(1, math.ceil(mark.until - now))
    what = f"the upstream {mark.upstream}" + ("" if mark.model is None else f" for {mark.model}")
    hint = f"it said when it can be asked again: in {left_s} s"
    if mark.why == "limited":
        return UpstreamLimited(f"{what} has reached its limit", hint=hint, retry_after_s=left_s)
    return UpstreamBusy(f"{what} is busy", hint=hint, retry_after_s=left_s)
