"""What an answer tells a client of its key's limits, in the fields of the Messages format.

Sources: the documented `anthropic-ratelimit-*` fields, and the unified ones by which
Claude Code shows a budget (2.1.329; `overage` is its word for money that is spent).
Used by limits/keeper.
"""

from datetime import UTC, datetime

from clearway.core.fields import Headers
from clearway.limits.protocol import BudgetState
from clearway.limits.rates import Limit, Rates

_TOLD: tuple[Limit, ...] = ("requests", "input-tokens", "output-tokens")
_WARNINGS = (0.95, 0.75)
"""Parts of a budget from which Claude Code warns; it knows these two."""
_UNIFIED = b"anthropic-ratelimit-unified-"
_MOST_SHOWN = 0.99


def of_rates(rates: Rates, now: float, now_us: int) -> Headers:
    """Limit, what remains and when all is there again, for each limit of the key."""
    fields: list[tuple[bytes, bytes]] = []
    for limit in _TOLD:
        bucket = rates.buckets.get(limit)
        if bucket is None:
            continue
        name = b"anthropic-ratelimit-" + limit.encode()
        full = datetime.fromtimestamp(now_us / 1_000_000 + bucket.full_in_s(now), UTC)
        fields += [
            (name + b"-limit", b"%d" % bucket.per_minute),
            (name + b"-remaining", b"%d" % max(0, int(bucket.level(now)))),
            (name + b"-reset", full.strftime("%Y-%m-%dT%H:%M:%SZ").encode()),
        ]
    return fields


def of_budget(state: BudgetState) -> Headers:
    """How much of a budget is used."""
    part = min(state.spent / state.budget.amount, _MOST_SHOWN)
    over = next((mark for mark in _WARNINGS if part >= mark), None)
    status = b"allowed" if over is None else b"allowed_warning"
    fields = [
        (_UNIFIED + b"status", status),
        (_UNIFIED + b"representative-claim", b"overage"),
        (_UNIFIED + b"overage-status", status),
        (_UNIFIED + b"overage-utilization", b"%.2f" % part),
    ]
    if over is not None:
        fields.append((_UNIFIED + b"overage-surpassed-threshold", b"%.2f" % over))
    if state.resets_us is not None:
        at = b"%d" % (state.resets_us // 1_000_000)
        fields += [(_UNIFIED + b"reset", at), (_UNIFIED + b"overage-reset", at)]
    return fields
