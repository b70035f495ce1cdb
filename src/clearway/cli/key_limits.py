"""Limits and budgets of a key, as options and as they are shown.

Owns the words for them. Used by cli/keys.
"""

from datetime import tzinfo
from typing import Annotated

import typer

from clearway.cli.failures import Exit, Failure
from clearway.cli.figures import moment
from clearway.core.budget import Budget, BudgetError, parse_budget, show_budget, tell_amount
from clearway.keys.model import Key
from clearway.ledger.protocol import Ledger, UsageQuery
from clearway.limits.period import span_of

_MOST = 1_000_000_000

Budgets = Annotated[
    list[str] | None,
    typer.Option("--budget", help="Such as 5usd/day, 2Mtokens/month or 100usd; repeatable, all must hold."),
]
Rpm = Annotated[str | None, typer.Option("--rpm", help="Requests per minute, or none.")]
InputTpm = Annotated[
    str | None, typer.Option("--input-tpm", help="Input tokens per minute without cache reads, or none.")
]
OutputTpm = Annotated[str | None, typer.Option("--output-tpm", help="Output tokens per minute, or none.")]
Parallel = Annotated[str | None, typer.Option("--parallel", help="Requests at one moment, or none.")]
Estimates = Annotated[
    bool | None,
    typer.Option(
        "--count-estimates/--no-count-estimates",
        help="Whether budgets in USD count the list price of what a plan pays, or nobody.",
    ),
]


def limits_given(
    *,
    budget: list[str] | None,
    rpm: str | None,
    input_tpm: str | None,
    output_tpm: str | None,
    parallel: str | None,
    count_estimates: bool | None,
) -> dict[str, object]:
    """The fields of those options that were given."""
    given: dict[str, object] = {}
    if budget is not None:
        try:
            given["budgets"] = tuple(parse_budget(text) for text in budget if text)
        except BudgetError as error:
            raise Failure(f"--budget: {error}", code=Exit.USAGE) from error
    numbers = {
        "requests_per_minute": ("--rpm", rpm),
        "input_tokens_per_minute": ("--input-tpm", input_tpm),
        "output_tokens_per_minute": ("--output-tpm", output_tpm),
        "parallel": ("--parallel", parallel),
    }
    for field, (option, text) in numbers.items():
        if text is not None:
            given[field] = None if text == "none" else _count(text, option)
    if count_estimates is not None:
        given["counts_estimates"] = count_estimates
    return given


def _count(text: str, option: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST:
        raise Failure(f"{option}: {text!r} is not a whole number from 1 to {_MOST:,}, nor none", code=Exit.USAGE)
    return int(text)


def shown_limits(key: Key) -> list[str]:
    """A key's limits, in a word or two each."""
    shown = [show_budget(budget) for budget in key.budgets]
    for count, unit in (
        (key.requests_per_minute, "requests/min"),
        (key.input_tokens_per_minute, "input tokens/min"),
        (key.output_tokens_per_minute, "output tokens/min"),
        (key.parallel, "at once"),
    ):
        if count is not None:
            shown.append(f"{count} {unit}")
    if key.counts_estimates:
        shown.append("estimates count")
    return shown


def shown_budgets(ledger: Ledger, key: Key, zone: tzinfo, now_us: int) -> list[str]:
    """What is used of each budget, and until when."""
    return [_shown_budget(ledger, key, budget, zone, now_us) for budget in key.budgets]


def _shown_budget(ledger: Ledger, key: Key, budget: Budget, zone: tzinfo, now_us: int) -> str:
    span = span_of(budget.period, now_us, zone)
    rows = ledger.usage(UsageQuery(by=("total",), key=key.id, since_us=span.start_us))
    used = 0
    for row in rows:
        if budget.unit == "tokens":
            prompt = row.input_tokens + row.cache_read_tokens + row.cache_write_5m_tokens + row.cache_write_1h_tokens
            used += prompt + row.output_tokens
        else:
            used += row.cost_nano + (row.estimate_nano if key.counts_estimates else 0)
    until = "" if span.resets_us is None else f", until {moment(span.resets_us, zone)}"
    return f"{show_budget(budget)}: {tell_amount(budget, used)} used{until}"
