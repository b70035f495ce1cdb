"""What an answer tells a client of its key's limits, in the fields of the Messages format.

Sources: the documented `anthropic-ratelimit-*` fields, and the unified ones by which
Claude Code shows a budget (2.1.329; `overage` is its word for money that is spent).
Used by limits/keeper.
"""

from datetime import UTC, datetime
from functools import lru_cache

from clearway.core.fields import Fields
from clearway.limits.rates import Rates
from clearway.limits.tally import Share

_PREFIX = b"anthropic-ratelimit-"
_REQUESTS, _INPUT, _OUTPUT = (
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
_MOST_SHOWN = 0.99


def of_rates(rates: Rates, now: float, now_us: int) -> Fields:
    """Limit, what remains and when all is there again, for each limit of the key."""
    names: tuple[bytes, ...] = ()
    values: tuple[bytes, ...] = ()
    for bucket, own in ((rates.requests, _REQUESTS), (rates.input_tokens, _INPUT), (rates.output_tokens, _OUTPUT)):
        if bucket is not None:
            remaining, full_in_s = bucket.told(now)
            names += own
            at = int(now_us / 1_000_000 + full_in_s)
            values += (b"%d" % bucket.per_minute, b"%d" % remaining, _moment(at))
    return Fields(names, values)


def of_budget(share: Share) -> Fields:
    """How much of a budget is used."""
    part = min(share.spent / share.budget.amount, _MOST_SHOWN)
    used = b"%.2f" % part
    names: tuple[bytes, ...] = _SHOWN
    values: tuple[bytes, ...] = (b"allowed", b"overage", b"allowed", used)
    if part >= _MARKS[-1][0]:
        mark = next(text for least, text in _MARKS if part >= least)
        names += _MARKED
        values = (b"allowed_warning", b"overage", b"allowed_warning", used, mark)
    if (resets_us := share.resets_us) is not None:
        at = b"%d" % (resets_us // 1_000_000)
        names += _RESETS
        values += (at, at)
    return Fields(names, values)


@lru_cache(maxsize=256)
def _moment(second: int) -> bytes:
    """RFC 3339. Many answers of a second name the same."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
