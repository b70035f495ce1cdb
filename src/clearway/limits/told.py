"""What an answer tells a client of its key's limits, in the fields of the Messages format.

Sources: the documented `anthropic-ratelimit-*` fields, and the unified ones by which
Claude Code shows a budget (2.1.329; `overage` is its word for money that is spent).
Used by limits/keeper.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from clearway.core.fields import Fields
from clearway.limits.rates import Rates
from clearway.limits.tally import Share

_PREFIX = b"anthropic-ratelimit-"
_NAMES = tuple(
    tuple(_PREFIX + limit + end for end in (b"-limit", b"-remaining", b"-reset"))
    for limit in (b"requests", b"input-tokens", b"output-tokens")
)
_UNIFIED = _PREFIX + b"unified-"
_SHOWN = tuple(
    _UNIFIED + name for name in (b"status", b"representative-claim", b"overage-status", b"overage-utilization")
)
_MARKED = (_UNIFIED + b"overage-surpassed-threshold",)
_RESETS = (_UNIFIED + b"reset", _UNIFIED + b"overage-reset")
_MARKS = ((0.95, b"0.95"), (0.75, b"0.75"))
"""Parts of a budget from which Claude Code warns; it knows these two."""
_LEAST_MARK = _MARKS[-1][0]
_MOST_SHOWN = 0.99


class ToldRates:
    """Limit, what remains and when all is there again, for each limit of a key.

    Args:
        rates: Its limits as they are now.
    """

    __slots__ = ("_names", "_rows")

    def __init__(self, rates: Rates) -> None:
        known = zip(rates.shown, _NAMES, strict=True)
        there = [(bucket, names) for bucket, names in known if bucket is not None]
        self._names = tuple(name for _, names in there for name in names)
        self._rows = [(bucket, b"%d" % bucket.per_minute) for bucket, _ in there]

    def fields(self, now: float, now_us: int) -> Fields:
        """At a moment, by both clocks."""
        values: list[bytes] = []
        now_s = now_us / 1_000_000
        for bucket, limit in self._rows:
            remaining, full_in_s = bucket.told(now)
            values += (limit, b"%d" % remaining, _moment(int(now_s + full_in_s)))
        return Fields(self._names, tuple(values))


def of_budgets(shares: Sequence[Share]) -> Fields:
    """How much is used of that budget which is used most."""
    part, most = -1.0, shares[0]
    for share in shares:
        used = share.spent / share.amount
        if used > part:
            part, most = used, share
    part = min(part, _MOST_SHOWN)
    hundredths = round(part * 100)
    mark = None if part < _LEAST_MARK else next(text for least, text in _MARKS if part >= least)
    # The text stays until half a hundredth more is spent, or a mark is passed.
    most.shown = shown = _of_part(hundredths, mark, most.resets_us)
    steps = [(hundredths + 0.5) / 100, *(least for least, _ in _MARKS if part < least)]
    most.shown_below = min(steps) * most.amount if part < _MOST_SHOWN else math.inf
    return shown


@lru_cache(maxsize=256)
def _of_part(hundredths: int, mark: bytes | None, resets_us: int | None) -> Fields:
    """Few differ."""
    used = b"%.2f" % (hundredths / 100)
    names: tuple[bytes, ...] = _SHOWN
    values: tuple[bytes, ...] = (b"allowed", b"overage", b"allowed", used)
    if mark is not None:
        names += _MARKED
        values = (b"allowed_warning", b"overage", b"allowed_warning", used, mark)
    if resets_us is not None:
        at = b"%d" % (resets_us // 1_000_000)
        names += _RESETS
        values += (at, at)
    return Fields(names, values)


@lru_cache(maxsize=256)
def _moment(second: int) -> bytes:
    """RFC 3339. Many answers of a second name the same."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
