"""What usage costs: tokens times prices, exactly.

Pure integer arithmetic. The sum over everything is taken exactly and rounded
once, half up, to whole nano-dollars; no part is rounded before.
Anything that matters for the price and isn't known makes the whole cost None:
the model, a rate that is needed, a service tier without a list price
(`priority` is bought by commitment), a speed or a geography without a price.
Rules: platform.claude.com, "Pricing", "Batch processing", "Fast mode", "Data
residency" and "Compaction" (read 2026-11-21); spec of `usage` in core/usage.py.
Used by compose, for gateway/bookkeeping.
"""

from collections.abc import Iterator

from clearway.core.usage import Billing, Cost, Tokens, Usage
from clearway.pricing.prices import ModelPrice, PriceList, Rates

# Rates are per million tokens and geographies in thousandths: all parts of the
# sum are in nano-dollars times this.
_SCALE = 1_000_000 * 1_000
_SEARCH_SCALE = _SCALE // 1_000

_PLAIN_TIERS = frozenset({None, "", "standard", "default"})
_PLAIN_SPEEDS = frozenset({None, "", "standard"})
# `not_available`: models older than the parameter; recorded answers of 2025 and 2026.
_PLAIN_GEOS = frozenset({None, "", "global", "not_available"})


def cost(usage: Usage, model: str | None, *, at_us: int, billing: Billing, prices: PriceList) -> Cost:
    """Price usage at the list price of a moment (UTC, in microseconds).

    Where `usage.iterations` has entries they are priced one by one, each by its
    own model and its own prompt length, instead of the totals. Tier, speed and
    geography hold for all of them: the API tells them once per response.

    Args:
        usage: What was used.
        model: The model that answered; None where it isn't known.
        at_us: When, for prices that changed.
        billing: Who is charged; passed on, it changes no number.
        prices: The list to price by.
    """
    sum_scaled = 0
    for part in _parts(usage, model, at_us, prices):
        if part is None:
            return Cost(nano=None, price_version=prices.version, billing=billing)
        sum_scaled += part
    return Cost(nano=(sum_scaled + _SCALE // 2) // _SCALE, price_version=prices.version, billing=billing)


def _parts(usage: Usage, model: str | None, at_us: int, prices: PriceList) -> Iterator[int | None]:
    """The cost of each model run and of the server tools, scaled; None: unknown."""
    own = prices.find(model, at_us) if model else None
    if usage.iterations:
        for run in usage.iterations:
            yield _run(run, prices.find(run.model, at_us) if run.model else own, usage)
    else:
        yield _run(usage, own, usage)
    # Web fetch is free; a search has one price, also in a batch or in fast mode.
    if usage.web_search_requests:
        rate = own.web_search_per_1000 if own is not None else None
        yield None if rate is None else usage.web_search_requests * rate * _SEARCH_SCALE


def _run(tokens: Tokens, price: ModelPrice | None, usage: Usage) -> int | None:
    """The cost of one model run, scaled; None: unknown."""
    if price is None:
        return None
    permille = _permille(price, usage.inference_geo)
    rates = _row(_rows(price, usage), tokens.prompt_tokens)
    if permille is None or rates is None:
        return None
    total = 0
    for count, rate in (
        (tokens.input_tokens, rates.input),
        (tokens.cache_read_tokens, rates.cache_read),
        (tokens.cache_write_5m_tokens, rates.cache_write_5m),
        (tokens.cache_write_1h_tokens, rates.cache_write_1h),
        (tokens.output_tokens, rates.output),
    ):
        if not count:
            continue
        if rate is None:
            return None
        total += count * rate
    return total * permille


def _rows(price: ModelPrice, usage: Usage) -> tuple[Rates, ...]:
    """The rates for this tier and speed; empty where they are unknown."""
    plain_tier = usage.service_tier in _PLAIN_TIERS
    if usage.speed in _PLAIN_SPEEDS:
        if plain_tier:
            return price.standard
        return price.batch if usage.service_tier == "batch" else ()
    # Fast mode is not offered in batches: both at once has no price.
    return price.fast if usage.speed == "fast" and plain_tier else ()


def _row(rows: tuple[Rates, ...], prompt_tokens: int) -> Rates | None:
    """The row for a prompt's length: the last one that it is over, for all its tokens."""
    chosen = rows[0] if rows else None
    for row in rows[1:]:
        if prompt_tokens > row.over:
            chosen = row
    return chosen


def _permille(price: ModelPrice, geo: str | None) -> int | None:
    """What the geography multiplies token rates with, in thousandths; None: unknown."""
    return 1_000 if geo in _PLAIN_GEOS else price.geo_permille.get(geo or "")
