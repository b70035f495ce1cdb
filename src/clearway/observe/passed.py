"""What is said of a threshold that was passed: the values, a sentence, and the message.

Owns the form of messages (docs/alerts.md); knows nobody who is told. Pure. The members
`type`, `timestamp` and `data` are Standard Webhooks' (1.0, read 2026-11-27).
Used by observe/alerts and `clearway alerts test`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from clearway.core.budget import show_amount, show_budget
from clearway.observe.delivery import Message
from clearway.observe.reading import BudgetLevel

WHOLE = 1000
"""Thresholds are counted in thousandths."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold was passed."""

    kind: str
    """`budget.threshold` or `window.threshold`."""
    subject: str
    since_us: int
    permilles: tuple[int, ...]
    """All that were passed so far, ascending; the last is told."""
    text: str
    data: dict[str, object]
    is_of_period: bool = True
    """False: no period is known that it could be told once in."""


def of_budget(state: BudgetLevel, passed: Sequence[int]) -> Alert:
    """So much of a budget is spent."""
    budget = state.budget
    who = "the gateway" if state.key_id is None else f"the key {state.key_name}"
    percent = state.spent * 100 // budget.amount
    return Alert(
        kind="budget.threshold",
        subject=f"budget:{state.key_id or '*'}:{show_budget(budget)}",
        since_us=state.since_us,
        permilles=tuple(passed),
        text=f"{who} has used {percent} % of its budget of {show_budget(budget)}",
        data={
            "key_id": state.key_id,
            "key_name": state.key_name,
            "budget": show_budget(budget),
            "unit": budget.unit,
            "period": budget.period,
            "amount": budget.amount,
            "spent": state.spent,
            "spent_text": show_amount(msgspec.structs.replace(budget, amount=state.spent)),
            "threshold": passed[-1] / WHOLE,
            "since": _moment(state.since_us or None),
            "resets": _moment(state.resets_us),
        },
    )


def of_window(label: str, window: str, utilization: float, since_us: int, passed: Sequence[int]) -> Alert:
    """So much of a window is used; `since_us` is where it ends, 0: nobody says."""
    return Alert(
        kind="window.threshold",
        subject=f"window:{label}:{window}",
        since_us=since_us,
        permilles=tuple(passed),
        text=f"{utilization:.0%} of the {window} window of {label} is used",
        data={
            "label": label,
            "window": window,
            "utilization": utilization,
            "threshold": passed[-1] / WHOLE,
            "resets": _moment(since_us or None),
        },
        is_of_period=since_us > 0,
    )


def message_of(message_id: str, kind: str, text: str, data: dict[str, object], now_us: int) -> Message:
    """A message as it is sent, with a sentence for people."""
    body = {"type": kind, "timestamp": _moment(now_us), "text": f"Clearway: {text}", "data": data}
    return Message(message_id, msgspec.json.encode(body))


def _moment(us: int | None) -> str | None:
    return None if us is None else datetime.fromtimestamp(us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
