"""What a client is told that a limit or budget refuses: which, how much, until when.

A budget that is spent ends a request for good (`x-should-retry: false`), with the
fields and the `billing_error` that Claude Code 2.1.329 prints instead of trying again
(measured; `anthropic-ratelimit-unified-*`). Where waiting helps, `retry-after` says how long.
Used by limits/keeper.
"""

from datetime import UTC, datetime, tzinfo
from math import ceil

from clearway.core.budget import Period, tell_amount
from clearway.core.errors import BudgetExceeded, LimitExceeded
from clearway.core.fields import Headers
from clearway.keys.model import Key
from clearway.limits.protocol import BudgetState
from clearway.limits.rates import Limit

_WORDS: dict[Limit, str] = {
    "requests": "requests",
    "input-tokens": "input tokens",
    "output-tokens": "output tokens",
    "count-tokens": "requests to count tokens",
}
_PERIODS: dict[Period, str] = {"day": "daily", "week": "weekly", "month": "monthly"}
_HELD_S = 2
"""Requests that run give back what they hold within seconds, mostly."""
_UNIFIED = b"anthropic-ratelimit-unified-"


def rate(key: Key, limit: Limit, per_minute: int, wait_s: int, fields: Headers) -> LimitExceeded:
    """A limit per minute is used up."""
    return LimitExceeded(
        f"the key {key.name!r} may make {per_minute:,} {_WORDS[limit]} per minute, and they are used up"
        if limit in {"requests", "count-tokens"}
        else f"the key {key.name!r} may use {per_minute:,} {_WORDS[limit]} per minute, and they are used up",
        hint=f"wait {wait_s} s",
        retry_after_s=wait_s,
        fields=fields,
    )


def parallel(key: Key, most: int) -> LimitExceeded:
    """Too many at one moment."""
    verb = "request runs" if most == 1 else "requests run"
    return LimitExceeded(
        f"the key {key.name!r} may make {most} requests at one moment, and as many {verb}",
        hint="wait for one of them to end",
        retry_after_s=_HELD_S,
    )


def held(state: BudgetState) -> LimitExceeded:
    """What is left of a budget is held by requests that run."""
    left = tell_amount(state.budget, state.budget.amount - state.spent)
    return LimitExceeded(
        f"{left} is left of {_named(state)}, and requests that run hold it",
        hint="wait for one of them to end",
        retry_after_s=_HELD_S,
    )


def spent(state: BudgetState, now_us: int, zone: tzinfo, *, while_running: bool = False) -> BudgetExceeded:
    """A budget is used up, or as good as."""
    left = state.budget.amount - state.spent
    rest = "is used up" if left <= 0 else f"has {tell_amount(state.budget, left)} left, less than this request may cost"
    if while_running:
        rest = "was used up while this answer was running"
    hint = "ask the owner of the gateway for more"
    if state.resets_us is not None:
        begins = datetime.fromtimestamp(state.resets_us / 1_000_000, UTC).astimezone(zone)
        hint = f"it begins anew at {begins:%Y-%m-%d %H:%M} ({zone}), or ask the owner of the gateway for more"
    wait_s = None if state.resets_us is None else max(1, ceil((state.resets_us - now_us) / 1_000_000))
    return BudgetExceeded(f"{_named(state)} {rest}", hint=hint, retry_after_s=wait_s, fields=_rejected(state))


def _named(state: BudgetState) -> str:
    whose = "the gateway" if state.key_name is None else f"the key {state.key_name!r}"
    period = "" if state.budget.period == "total" else f" a {state.budget.period}"
    return f"the budget of {whose}, {tell_amount(state.budget)}{period},"


def _rejected(state: BudgetState) -> Headers:
    fields = [
        (_UNIFIED + b"status", b"rejected"),
        (_UNIFIED + b"overage-utilization", b"1"),
        (_UNIFIED + b"overage-surpassed-threshold", b"1"),
        (_UNIFIED + b"overage-disabled-reason", b"org_spend_cap_reached"),
    ]
    if state.resets_us is not None:
        at = b"%d" % (state.resets_us // 1_000_000)
        period = _PERIODS[state.budget.period].encode()
        fields += [
            (_UNIFIED + b"reset", at),
            (_UNIFIED + b"overage-reset", at),
            (_UNIFIED + b"overage-period", period),
        ]
    return fields
