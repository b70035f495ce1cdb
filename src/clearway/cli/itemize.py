"""The price computation of one exchange, taken apart for reading. Pure.

The cost that counts is the stored one, made by `pricing/cost.py` when the exchange
settled; this shows which rates lead to it, and says so where they no longer do.
Used by `clearway show`.
"""

import msgspec

from clearway.core.usage import Iteration, Tokens
from clearway.ledger.protocol import AttemptRow, ExchangeRow
from clearway.pricing.prices import ModelPrice, PriceList, Rates

_PLAIN = frozenset({None, "", "standard", "default"})
_KINDS = (
    ("input", "input_tokens", "input"),
    ("cache read", "cache_read_tokens", "cache_read"),
    ("cache write 5m", "cache_write_5m_tokens", "cache_write_5m"),
    ("cache write 1h", "cache_write_1h_tokens", "cache_write_1h"),
    ("output", "output_tokens", "output"),
)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of token (or search) of one model run."""

    model: str
    kind: str
    count: int
    rate: int | None
    """Nano-dollars per million; per thousand for searches. None: unknown."""
    permille: int = 1000
    """What the geography multiplies it with."""
    per: int = 1_000_000

    @property
    def nano(self) -> int | None:
        """Its part of the cost, rounded half up; the parts may differ from the sum by some nanos."""
        if self.rate is None:
            return None
        scale = self.per * 1000
        return (self.count * self.rate * self.permille + scale // 2) // scale


def items_of(row: ExchangeRow | AttemptRow, at_us: int, prices: PriceList) -> list[Item]:
    """The parts of a cost, those with nothing in them left out."""
    model = row.response_model or (row.model if isinstance(row, AttemptRow) else row.request_model)
    found: list[Item] = []
    for run in _runs(row):
        name = (run.model if isinstance(run, Iteration) else None) or model or ""
        price = prices.find(name, at_us) if name else None
        rates = _rates(price, row, run.prompt_tokens)
        permille = price.geo_permille.get(row.inference_geo or "", 1000) if price else 1000
        found += [
            Item(model=name or "?", kind=kind, count=count, rate=getattr(rates, rate, None), permille=permille)
            for kind, field, rate in _KINDS
            if (count := getattr(run, field))
        ]
    if row.web_search_requests:
        price = prices.find(model, at_us) if model else None
        rate = price.web_search_per_1000 if price else None
        found.append(Item(model=model or "?", kind="web search", count=row.web_search_requests, rate=rate, per=1000))
    return found


def _runs(row: ExchangeRow | AttemptRow) -> list[Tokens]:
    if row.iterations:
        return list(msgspec.json.decode(row.iterations, type=list[Iteration]))
    return [Tokens(**{field: getattr(row, field) or 0 for _, field, _ in _KINDS})]


def _rates(price: ModelPrice | None, row: ExchangeRow | AttemptRow, prompt_tokens: int) -> Rates | None:
    """The row of the price list by tier, speed and length of the prompt."""
    if price is None:
        return None
    rows: tuple[Rates, ...] = ()
    if row.speed == "fast":
        rows = price.fast if row.service_tier in _PLAIN else ()
    elif row.service_tier == "batch":
        rows = price.batch
    elif row.service_tier in _PLAIN:
        rows = price.standard
    fitting = [rates for rates in rows if rates.over == 0 or prompt_tokens > rates.over]
    return fitting[-1] if fitting else None
