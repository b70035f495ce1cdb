"""`GET /api/oauth/usage` for a key of ours: where Claude Code asks how much of a budget is used.

The numbers are the key's budgets in USD, in the shape of that answer: cents and whole
percents (Claude Code 2.1.329; read 2026-11-21). A client that brings a credential of its
own gets the upstream's answer instead.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from clearway.core.budget import Period
from clearway.gateway.authenticate import Caller
from clearway.gateway.bookkeeping import Exchange
from clearway.gateway.call import Call, Sink
from clearway.gateway.headers import EXCHANGE_HEADER
from clearway.limits.protocol import BudgetState

_PATH = "/api/oauth/usage"
_NANO_PER_CENT = 10_000_000
_GROUPS: dict[Period, str] = {"day": "daily", "week": "weekly", "month": "monthly", "total": "total"}
_WARN_PERCENT, _SPENT_PERCENT = 75, 100


class Spend(msgspec.Struct, frozen=True, kw_only=True):
    """One budget."""

    kind: Literal["spend"] = "spend"
    group: str
    percent: int
    resets_at: str | None
    severity: Literal["normal", "warning", "critical"]
    is_active: bool
    """It is the one that is used most."""


class Extra(msgspec.Struct, frozen=True, kw_only=True):
    """The budget that is used most, in cents."""

    is_enabled: bool
    monthly_limit: int | None = None
    used_credits: int | None = None
    utilization: int | None = None
    currency: str = "USD"


class OwnUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer."""

    extra_usage: Extra
    limits: tuple[Spend, ...]


def answers(call: Call, caller: Caller) -> bool:
    """Whether a request is one for this."""
    if call.endpoint != "relay" or call.path != _PATH:
        return False
    if call.method != "GET" or caller.key is None or caller.credential != "none":
        return False
    # A key that opens other doors only, such as the metrics, is told nothing.
    return not caller.key.endpoints or "messages" in caller.key.endpoints


async def serve(exchange: Exchange, states: Sequence[BudgetState], sink: Sink) -> None:
    """Answer with a key's budgets."""
    body = msgspec.json.encode(usage_of(states))
    exchange.settle("ok", status=200)
    await exchange.committed()
    length = (b"content-length", b"%d" % len(body))
    sink.start(200, [(b"content-type", b"application/json"), length, (EXCHANGE_HEADER, exchange.id.encode())])
    sink.finish(body)


def usage_of(states: Sequence[BudgetState]) -> OwnUsage:
    """The answer for these budgets; those in tokens have no place in it."""
    money = [state for state in states if state.budget.unit == "usd"]
    most = max(money, key=lambda state: state.spent / state.budget.amount, default=None)
    if most is None:
        return OwnUsage(extra_usage=Extra(is_enabled=False), limits=())
    extra = Extra(
        is_enabled=True,
        monthly_limit=most.budget.amount // _NANO_PER_CENT,
        used_credits=most.spent // _NANO_PER_CENT,
        utilization=_percent(most),
    )
    return OwnUsage(extra_usage=extra, limits=tuple(_spend(state, is_active=state is most) for state in money))


def _spend(state: BudgetState, *, is_active: bool) -> Spend:
    percent = _percent(state)
    resets_at = None
    if state.resets_us is not None:
        resets_at = datetime.fromtimestamp(state.resets_us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    worse: Literal["warning", "critical"] = "critical" if percent >= _SPENT_PERCENT else "warning"
    severity: Literal["normal", "warning", "critical"] = "normal" if percent < _WARN_PERCENT else worse
    return Spend(
        group=_GROUPS[state.budget.period], percent=percent, resets_at=resets_at, severity=severity, is_active=is_active
    )


def _percent(state: BudgetState) -> int:
    return state.spent * 100 // state.budget.amount
