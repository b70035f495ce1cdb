"""The same numbers as genai-prices, on all that it knows."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import genai_prices
import msgspec
import pytest
from genai_prices.data import providers
from genai_prices.types import ModelInfo
from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.core.usage import Usage
from clearway.pricing.cost import cost
from clearway.pricing.prices import PriceList

MODELS = {model.id: model for entry in providers if entry.id == "anthropic" for model in entry.models}

DAYS = [
    datetime(2026, 3, 12, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 3, 13, tzinfo=UTC),
    datetime(2026, 10, 14, tzinfo=UTC),
    datetime(2026, 11, 21, tzinfo=UTC),
]

COUNTS = st.one_of(st.integers(0, 3), st.integers(0, 1_000_000))


def theirs(model: str, usage: Usage, day: datetime, context: dict[str, str]) -> int:
    """What genai-prices says, in nano-dollars."""
    writes = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    found = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=usage.prompt_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=writes,
            cache_write_1h_tokens=usage.cache_write_1h_tokens,
            output_tokens=usage.output_tokens,
            web_searches=usage.web_search_requests,
        ),
        model,
        provider_id="anthropic",
        genai_request_timestamp=day,
        price_context=context,
    )
    return int((found.total_price * 10**9).quantize(Decimal(1), ROUND_HALF_UP))


def contexts(model: ModelInfo, day: datetime) -> list[dict[str, str]]:
    """The conditions for which genai-prices has prices of its own on a day."""
    variants = model.price_variants or []
    return [{}, *(found.when for found in variants if found.constraint is None or found.constraint.active(day))]


def cases() -> list[Any]:
    """Every model, day and condition; where our list knows more than theirs is left out."""
    return [
        pytest.param(name, day, context, id=f"{name}-{day:%Y%m%d}-{'-'.join(context.values())}")
        for name, model in MODELS.items()
        for day in DAYS
        for context in contexts(model, day)
        if not (name == "claude-sonnet-5-5" and day < datetime(2026, 10, 7, tzinfo=UTC))
    ]


@pytest.mark.parametrize(("name", "day", "context"), cases())
@given(data=st.data())
@settings(max_examples=20, deadline=None, database=None)
def test_same_cost(name: str, day: datetime, context: dict[str, str], data: st.DataObject) -> None:
    """To the nano-dollar, for random usage."""
    price = MODELS[name].get_prices(day)
    kinds = {
        "input_tokens": price.input_mtok,
        "cache_read_tokens": price.cache_read_mtok,
        "cache_write_5m_tokens": price.cache_write_mtok,
        "cache_write_1h_tokens": price.cache_write_1h_mtok,
        "output_tokens": price.output_mtok,
        "web_search_requests": price.web_searches_kcount,
    }
    counts = {kind: data.draw(COUNTS, label=kind) for kind, rate in kinds.items() if rate is not None}
    usage = msgspec.convert({**counts, "service_tier": context.get("processing"), "speed": context.get("speed")}, Usage)

    ours = cost(usage, name, at_us=int(day.timestamp() * 1_000_000), billing="billed", prices=PriceList.shipped()).nano

    assert theirs(name, usage, day, context) == ours
