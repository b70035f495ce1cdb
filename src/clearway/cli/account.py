"""The short account at the end of `clearway run`, on stderr."""

import time

from clearway.cli.figures import count, money, share, span
from clearway.cli.remote import RemoteLedger, Unreachable
from clearway.cli.screen import note
from clearway.ledger.protocol import ExchangeQuery, UsageQuery, UsageRow

_SETTLE_S = 2.0
_PAUSE_S = 0.02


def tell_account(ledger: RemoteLedger, run_id: str, *, wall_s: float, url: str) -> None:
    """Say what a run has used; warn where nothing arrived."""
    try:
        _wait_for_settlement(ledger, run_id)
        rows = ledger.usage(UsageQuery(by=("total",), run=run_id))
    except Unreachable as error:
        note(f"no account: {error}")
        return
    if not rows or not rows[0].exchanges:
        note(
            f"no request arrived at {url}; does the command read ANTHROPIC_BASE_URL? "
            "A setting of its own may stand above the variable: see clearway doctor"
        )
        return
    note(account_line(rows[0], wall_s))
    note(f"details: clearway log --run {run_id}")


def account_line(row: UsageRow, wall_s: float) -> str:
    """One line: requests, tokens, cache, cost, time."""
    prompt = row.input_tokens + row.cache_read_tokens + row.cache_write_5m_tokens + row.cache_write_1h_tokens
    failed = f" ({row.errors} failed)" if row.errors else ""
    parts = [
        f"{row.exchanges} request{'' if row.exchanges == 1 else 's'}{failed}",
        f"{count(prompt)} tokens in ({share(row.cache_read_tokens, prompt)} from the cache)",
        f"{count(row.output_tokens)} out",
    ]
    if row.cost_nano or not row.estimate_nano:
        parts.append(money(row.cost_nano))
    if row.estimate_nano:
        parts.append(f"≈{money(row.estimate_nano)} at list price, not billed by it")
    if row.unpriced:
        parts.append(f"{row.unpriced} without a known price")
    return " · ".join([*parts, span(int(wall_s * 1_000_000))])


def _wait_for_settlement(ledger: RemoteLedger, run_id: str) -> None:
    """The last answers settle a moment after the command has read them."""
    deadline = time.monotonic() + _SETTLE_S
    while time.monotonic() < deadline:
        rows = ledger.exchanges(ExchangeQuery(run=run_id, limit=50))
        if all(row.outcome is not None for row in rows):
            return
        time.sleep(_PAUSE_S)
