"""Budgets, and how people write them: `5usd/day`, `2Mtokens/month`, `100usd`.

Owns the form, both ways. Pure. Used by config/check, cli/keys and what tells of budgets.
"""

import re
from decimal import ROUND_DOWN, Decimal
from typing import Literal, cast, get_args

import msgspec

Period = Literal["day", "week", "month", "total"]
"""Of the calendar, in `usage.timezone`; a week begins on Monday. `total`: for good."""
Unit = Literal["usd", "tokens"]


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """An upper bound on spend or tokens in a period."""

    amount: int
    """Integer nano-dollars, or tokens: the whole prompt, cached or not, and the output."""
    unit: Unit
    period: Period


NANO = 1_000_000_000
_FORM = re.compile(
    rf"([0-9]{{1,12}}(?:\.[0-9]{{1,9}})?)\s*(k|M)?\s*({'|'.join(get_args(Unit))})(?:/({'|'.join(get_args(Period))}))?"
)
_FACTOR = {None: 1, "k": 1000, "M": 1_000_000}


class BudgetError(ValueError):
    """Not a budget; the text says what would be."""


def parse_budget(text: str) -> Budget:
    """A budget; without a period it is `total`.

    Raises:
        BudgetError: It is none.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise BudgetError(f'{text!r} is not a budget; write it like "5usd/day", "2Mtokens/month" or "100usd/total"')
    unit, period = cast("Unit", match[3]), cast("Period", match[4] or "total")
    exact = Decimal(match[1]) * _FACTOR[match[2]] * (NANO if unit == "usd" else 1)
    if exact != exact.to_integral_value() or exact < 1:
        raise BudgetError(f"{text!r} is not a whole number of {'nano-dollars' if unit == 'usd' else 'tokens'} above 0")
    return Budget(amount=int(exact), unit=unit, period=period)


def show_budget(budget: Budget) -> str:
    """The budget as `parse_budget` reads it."""
    return f"{show_amount(budget)}/{budget.period}"


def show_amount(budget: Budget, amount: int | None = None) -> str:
    """An amount of a budget, its own without one, as `parse_budget` reads it."""
    exact = Decimal(budget.amount if amount is None else amount) / (NANO if budget.unit == "usd" else 1)
    plain = f"{exact:f}"
    return (plain.rstrip("0").rstrip(".") if "." in plain else plain) + budget.unit


def tell_amount(budget: Budget, amount: int | None = None) -> str:
    """An amount of a budget, its own without one, in a sentence: `$5.00`, `20,000 tokens`."""
    amount = budget.amount if amount is None else amount
    if budget.unit == "tokens":
        return f"{amount:,} tokens"
    # Down: what is left must not look like more. A hundredth of a cent is as fine as it need be.
    exact = (Decimal(amount) / NANO).quantize(Decimal("0.0001"), ROUND_DOWN)
    return f"${exact:.2f}" if exact == exact.quantize(Decimal("0.01")) else f"${exact}"
