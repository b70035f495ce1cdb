"""What an answer tells a client of its key's limits, in the fields of the Messages format.

Sources: the documented `anthropic-ratelimit-*` fields, and the unified ones by which
Claude Code shows a budget (2.1.329; `overage` is its word for money that is spent).
Used by limits/keeper.
"""

from datetime import UTC, datetime
from functools import lru_cache

from clearway.core.fields import Headers
from clearway.limits.rates import Rates
from clearway.limits.tally import Share

_PREFIX = b"anthropic-ratelimit-"
_REQUESTS, _INPUT, _OUTPUT = (
    tuple(_PREFIX + limit + end for end in (b"-limit", b"-remaining", b"-reset"))
    for limit in (b"requests", b"input-tokens", b"output-tokens")
)
_UNIFIED = _PREFIX + b"unified-"
_STATUS, _CLAIM, _RESET = _UNIFIED + b"status", _UNIFIED + b"representative-claim", _UNIFIED + b"reset"
_OVER_STATUS, _OVER_RESET = _UNIFIED + b"overage-status", _UNIFIED + b"overage-reset"
_OVER_USED, _OVER_MARK = _UNIFIED + b"overage-utilization", _UNIFIED + b"overage-surpassed-threshold"
_MARKS = ((0.95, b"0.95"), (0.75, b"0.75"))
"""Parts of a budget from which Claude Code warns; it knows these two."""
_MOST_SHOWN = 0.99


def of_rates(rates: Rates, now: float, now_us: int) -> Headers:
    """Limit, what remains and when all is there again, for each limit of the key."""
    fields: list[tuple[bytes, bytes]] = []
    for bucket, (limit, remaining, reset) in (
        (rates.requests, _REQUESTS),
        (rates.input_tokens, _INPUT),
        (rates.output_tokens, _OUTPUT),
    ):
        if bucket is not None:
            level = int(bucket.level(now))
            fields.append((limit, b"%d" % bucket.per_minute))
            fields.append((remaining, b"%d" % (max(0, level))))
            fields.append((reset, _moment(int(now_us / 1_000_000 + bucket.full_in_s(now)))))
    return fields


def of_budget(share: Share) -> Headers:
    """How much of a budget is used."""
    part = min(share.spent / share.budget.amount, _MOST_SHOWN)
    mark = next((text for least, text in _MARKS if part >= least), None)
    status = b"allowed" if mark is None else b"allowed_warning"
    fields = [
        (_STATUS, status),
        (_CLAIM, b"overage"),
        (_OVER_STATUS, status),
        (_OVER_USED, b"%.2f" % part),
    ]
    if mark is not None:
        fields.append((_OVER_MARK, mark))
    if (resets_us := share.tally.span.resets_us) is not None:
        at = b"%d" % (resets_us // 1_000_000)
        fields += [(_RESET, at), (_OVER_RESET, at)]
    return fields


@lru_cache(maxsize=256)
def _moment(second: int) -> bytes:
    """RFC 3339. Many answers of a second name the same."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
