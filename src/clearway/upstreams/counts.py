"""What each upstream has done since this process began: a few numbers, and when.

Counts every attempt, simulated ones included. Nothing is judged here: whom to leave
alone is `upstreams/health.py`'s matter. Growth: one small record for each upstream.
Written by gateway/bookkeeping, read by the admin API.
"""

from clearway.core.exchange import AttemptEnd

_REFUSED = 400


class Counts:
    """Of one upstream. Times are UTC microseconds; None: not yet."""

    __slots__ = ("answered", "failed", "failed_us", "failure", "failure_status", "left", "refused", "succeeded_us")

    def __init__(self) -> None:
        self.answered = 0
        """Attempts that were answered whole, below status 400."""
        self.refused = 0
        """Those whose answer said that the request is at fault (400, 404, 413, …)."""
        self.failed = 0
        """Those in which the upstream failed: unreachable, busy, at its limit, broken."""
        self.left = 0
        """Those that the client or this process ended."""
        self.succeeded_us: int | None = None
        self.failed_us: int | None = None
        self.failure: str | None = None
        """The last one: our own code, or the type that its answer told."""
        self.failure_status: int | None = None


class Counters:
    """One for the process; used from the event loop's thread."""

    def __init__(self) -> None:
        self.counts: dict[str, Counts] = {}
        """By name; without those that nobody has asked yet."""

    def ended(self, upstream: str, end: AttemptEnd) -> None:
        """An attempt is over."""
        counts = self.counts.get(upstream)
        if counts is None:
            counts = self.counts[upstream] = Counts()
        measure = end.measure
        if end.outcome == "ok":
            if (measure.status or 0) < _REFUSED:
                counts.answered += 1
            else:
                counts.refused += 1
            # It is well: it has judged the request.
            counts.succeeded_us = end.ended_us
        elif end.outcome == "upstream_error":
            counts.failed += 1
            counts.failed_us = end.ended_us
            counts.failure = measure.error_code or measure.error_type
            counts.failure_status = measure.status
        else:
            counts.left += 1
