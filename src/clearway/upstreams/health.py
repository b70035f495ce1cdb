"""Which upstreams had better not be asked just now, and until when.

Judgement over what attempts report, and a clock; no I/O, no log. An upstream is
looked at by name, a model at an upstream by both names, as limits and overload mostly
are a model's, and a lost connection or a refused credential is everybody's.
`docs/decisions/0008-retries-and-cool-down.md` has the reasons.

Growth: one mark for each upstream or model in trouble, `_MOST_MARKS` at most; a mark
is forgotten some minutes after its cool-down. `marks` is empty while all is well, so
that asking costs a look at an empty dictionary.
Used by gateway/cooling.
"""

from collections.abc import Iterable
from math import inf
from typing import Literal

import msgspec

from clearway.core.clock import Clock
from clearway.upstreams.resets import Told

Failure = Literal[
    "unreachable", "credential", "limited", "overloaded", "unavailable", "failed", "timeout", "broken", "no_model"
]
"""What went wrong: no connection; the gateway's own credential refused (401, 402, 403);
429; 529; 503; any other 5xx; no answer in time; cut, garbled or ended by an error; a 404
that names the model.
"""

_MOST_MARKS = 512
_LONGEST_MODEL = 128
_SWEEP_S = 60.0
_MOST_DOUBLINGS = 16
_FORGET_S = 600.0
"""Failures this far apart have nothing to do with each other."""
_NOTHING = Told()


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """How long a kind of failure cools where the upstream does not say it."""

    first_s: float
    """The first cool-down; doubled with each further failure."""
    most_s: float
    strikes: int = 1
    """Failures in a row before the first cool-down: one of these may be an accident."""
    is_of_model: bool = False
    """It tells about the model that was asked for, not about the upstream."""


RULES: dict[Failure, Rule] = {
    "unreachable": Rule(first_s=5, most_s=60),
    "credential": Rule(first_s=30, most_s=600),
    "limited": Rule(first_s=5, most_s=120, is_of_model=True),
    "overloaded": Rule(first_s=5, most_s=60, is_of_model=True),
    "unavailable": Rule(first_s=5, most_s=60),
    "failed": Rule(first_s=5, most_s=60, strikes=3),
    "timeout": Rule(first_s=10, most_s=120, strikes=3),
    "broken": Rule(first_s=5, most_s=60, strikes=3),
    "no_model": Rule(first_s=300, most_s=300, is_of_model=True),
}

_BY_STATUS: dict[int, Failure] = {
    401: "credential",
    402: "credential",
    403: "credential",
    429: "limited",
    503: "unavailable",
    529: "overloaded",
}
_SERVER_ERROR = 500
_BY_ERROR_TYPE: dict[str, Failure] = {
    "rate_limit_error": "limited",
    "overloaded_error": "overloaded",
    "timeout_error": "timeout",
    "api_error": "broken",
}


def failure_of_status(status: int) -> Failure | None:
    """What a status says about the upstream; None: nothing, or that it is well.

    A client error (400, 404, 413, 422, …) is an answer like any other.
    """
    return _BY_STATUS.get(status) or ("failed" if status >= _SERVER_ERROR else None)


def failure_of_event(error_type: str) -> Failure | None:
    """What an `error` event within a stream says about the upstream."""
    return _BY_ERROR_TYPE.get(error_type)


class Mark:
    """What is remembered of an upstream, or of a model there, since it failed."""

    __slots__ = ("is_probed", "is_told", "model", "strikes", "struck_at", "until", "upstream", "why")

    def __init__(self, upstream: str, model: str | None) -> None:
        self.upstream = upstream
        self.model = model
        """None: every model."""
        self.why: Failure = "failed"
        self.strikes = 0
        """Failures in a row."""
        self.struck_at = 0.0
        self.until = 0.0
        """By the monotonic clock; until then it cools."""
        self.is_told = False
        """The upstream itself said `until`: asking before is certainly in vain."""
        self.is_probed = False
        """One request finds out at this moment whether it is well again."""


class Health:
    """The state of all upstreams of one process.

    Args:
        clock: Only its monotonic side is used.
        longest_s: No cool-down is longer, whatever an upstream says; 0: there are none.
    """

    def __init__(self, clock: Clock, longest_s: float) -> None:
        self._clock = clock
        self._longest_s = longest_s
        self._swept_at = 0.0
        self.marks: dict[tuple[str, str | None], Mark] = {}
        """Empty while nothing is wrong; look, but do not change."""
        self.begun: dict[tuple[str, Failure], int] = {}
        """How many cool-downs have begun, by upstream and kind of failure. Growth: one entry for each pair."""

    def adjust(self, longest_s: float, changed: Iterable[str]) -> None:
        """The configuration is another one: what is known of `changed` upstreams is of no use any more."""
        self._longest_s = longest_s
        gone = set(changed)
        for key in [key for key in self.marks if key[0] in gone or longest_s <= 0]:
            del self.marks[key]

    def holds_back(self, upstream: str, model: str | None) -> Mark | None:
        """The mark because of which this upstream had better not be asked for a model
        now; None: it may be. Past the cool-down it may, by one request at a time.
        """
        now = self._clock.monotonic()
        self._sweep(now)
        held = [mark for mark in self._marks_of(upstream, model) if mark.until > now or mark.is_probed]
        return max(held, key=lambda mark: mark.until, default=None)

    def was_unreachable(self, upstream: str) -> bool:
        """The last that is known is that there was no connection."""
        mark = self.marks.get((upstream, None))
        return mark is not None and mark.why == "unreachable"

    def probe(self, upstream: str, model: str | None) -> list[Mark]:
        """An attempt begins. Returns the marks that it is a probe for: set their
        `is_probed` back when it is over, however it ended.
        """
        now = self._clock.monotonic()
        due = [
            mark
            for mark in self._marks_of(upstream, model)
            # Below the strikes of its rule there was no cool-down to come out of.
            if not mark.is_probed and mark.struck_at < mark.until <= now
        ]
        for mark in due:
            mark.is_probed = True
        return due

    def failed(
        self,
        upstream: str,
        model: str | None,
        why: Failure,
        *,
        began: float,
        told: Told = _NOTHING,
        most_s: float = inf,
    ) -> Mark | None:
        """An attempt failed.

        Args:
            upstream: Its name.
            model: The model that was asked for, if any.
            why: How.
            began: When the attempt began, by the monotonic clock.
            told: What the upstream says about later; it counts before any rule.
            most_s: A bound below the rule's own on what is guessed.

        Returns:
            The mark where this failure begins a cool-down.
        """
        rule = RULES[why]
        scope = model if rule.is_of_model and not told.is_of_account else None
        if self._longest_s <= 0 or (scope is not None and len(scope) > _LONGEST_MODEL):
            return None
        now = self._clock.monotonic()
        mark = self._mark(upstream, scope, now)
        # Of many that were on their way together, one is enough to know it.
        is_news = began >= mark.struck_at or not mark.strikes
        if is_news:
            mark.strikes = mark.strikes + 1 if now - max(mark.until, mark.struck_at) < _FORGET_S else 1
            mark.why, mark.struck_at, mark.is_told, mark.is_probed = why, now, False, False
        until = now + min(_guess(rule, mark.strikes, most_s) if told.wait_s is None else told.wait_s, self._longest_s)
        if until > mark.until or not mark.is_told:
            mark.until = until
            mark.is_told = told.wait_s is not None and not told.takes_smaller
        if not is_news or until <= now:
            return None
        self.begun[upstream, why] = self.begun.get((upstream, why), 0) + 1
        return mark

    def succeeded(self, upstream: str, model: str | None, *, began: float, whole: bool) -> list[Mark]:
        """An attempt got an answer.

        Args:
            upstream: Its name.
            model: The model that was asked for, if any.
            began: When the attempt began: what began before a failure does not undo it.
            whole: False: only its head has come, which says nothing yet where answers
                were cut.

        Returns:
            The marks whose cool-down has ended by it.
        """
        ended = []
        for mark in self._marks_of(upstream, model):
            if began < mark.struck_at:
                continue
            if mark.until > mark.struck_at:
                ended.append(mark)
            if whole or mark.why not in ("broken", "timeout"):
                del self.marks[mark.upstream, mark.model]
            else:
                mark.until, mark.is_told, mark.is_probed = mark.struck_at, False, False
        return ended

    def cooling(self) -> list[tuple[Mark, float]]:
        """What cools at this moment, and for how many seconds more."""
        now = self._clock.monotonic()
        return [(mark, mark.until - now) for mark in self.marks.values() if mark.until > now]

    def _marks_of(self, upstream: str, model: str | None) -> list[Mark]:
        keys = ((upstream, None), (upstream, model)) if model is not None else ((upstream, None),)
        return [mark for mark in map(self.marks.get, keys) if mark is not None]

    def _mark(self, upstream: str, model: str | None, now: float) -> Mark:
        mark = self.marks.get((upstream, model))
        if mark is None:
            self._sweep(now)
            if len(self.marks) >= _MOST_MARKS:
                first = min(self.marks.values(), key=lambda known: known.until)
                del self.marks[first.upstream, first.model]
            mark = self.marks[upstream, model] = Mark(upstream, model)
        return mark

    def _sweep(self, now: float) -> None:
        """Forget what has been over for long."""
        if now - self._swept_at < _SWEEP_S:
            return
        self._swept_at = now
        for key in [key for key, mark in self.marks.items() if max(mark.until, mark.struck_at) + _FORGET_S < now]:
            del self.marks[key]


def _guess(rule: Rule, strikes: int, most_s: float) -> float:
    """How long to cool where the upstream does not say it."""
    if strikes < rule.strikes:
        return 0.0
    doublings = min(strikes - rule.strikes, _MOST_DOUBLINGS)
    return float(min(rule.first_s * 2.0**doublings, rule.most_s, most_s))
