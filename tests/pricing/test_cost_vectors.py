"""Costs worked out by hand from published list prices, one rule per row.

Prices: platform.claude.com, "Pricing" (read 2026-11-21). A price of 1 USD for a
million tokens is 1000 nano-dollars for one.
"""

from datetime import UTC, datetime

import pytest

from clearway.core.usage import Cost, Iteration, Usage
from clearway.pricing.cost import cost
from clearway.pricing.prices import PriceList

HOUR_US = 3_600_000_000


def moment(day: str) -> int:
    """Midnight (UTC) of a day, in microseconds."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000_000


NOW = moment("2026-11-21")


def nano(usage: Usage, model: str | None, at_us: int = NOW) -> int | None:
    """The cost alone."""
    return cost(usage, model, at_us=at_us, billing="billed", prices=PriceList.shipped()).nano


ORDINARY = [
    pytest.param("claude-opus-5-5", Usage(), 0, id="nothing"),
    pytest.param("claude-opus-5-5", Usage(input_tokens=1_000_000), 4_000_000_000, id="a-million-in"),
    pytest.param("claude-opus-5-5", Usage(output_tokens=1), 20_000, id="one-token-out"),
    pytest.param("claude-haiku-4-5", Usage(input_tokens=7, output_tokens=3), 7 * 1_000 + 3 * 5_000, id="in-and-out"),
    # The numbers of github.com/maximhq/bifrost/issues/3451: 1.06376125 USD really charged.
    pytest.param(
        "claude-opus-4-7",
        Usage(input_tokens=6, cache_write_5m_tokens=159_217, output_tokens=2_745),
        1_063_761_250,
        id="bifrost-3451-writes-are-not-input-too",
    ),
    # github.com/can1357/oh-my-pi/issues/6876.
    pytest.param("claude-opus-5", Usage(cache_write_1h_tokens=344_139), 3_441_390_000, id="hour-writes-cost-double"),
    # github.com/earendil-works/pi/pull/5738.
    pytest.param(
        "claude-opus-4-8",
        Usage(cache_write_5m_tokens=600_000, cache_write_1h_tokens=400_000),
        7_750_000_000,
        id="both-sorts-of-writes-apart",
    ),
    # github.com/stakwork/stakgraph/pull/1688.
    pytest.param(
        "claude-sonnet-5",
        Usage(input_tokens=2_000, cache_read_tokens=80_000, cache_write_5m_tokens=5_000, output_tokens=1_000),
        42_500_000,
        id="an-agents-turn",
    ),
    pytest.param("claude-opus-5", Usage(cache_read_tokens=1_000), 500_000, id="reads-at-a-tenth"),
    pytest.param("claude-opus-5-5", Usage(cache_read_tokens=1_000), 200_000, id="reads-at-a-twentieth"),
    pytest.param("claude-fable-5-1", Usage(cache_read_tokens=1_000), 250_000, id="reads-at-a-fortieth"),
    pytest.param("claude-mythos-5-1", Usage(cache_read_tokens=1_000), 250_000, id="a-sibling-of-limited-access"),
    pytest.param(
        "claude-opus-5", Usage(output_tokens=100, thinking_tokens=90), 2_500_000, id="thinking-is-part-of-the-output"
    ),
    pytest.param("claude-2.1", Usage(input_tokens=10, output_tokens=1), 80_000 + 24_000, id="model-without-a-cache"),
    pytest.param("claude-sonnet-5", Usage(input_tokens=1, estimated=True), 2_000, id="estimated-usage-costs-the-same"),
]

LENGTH = [
    # 0.10 / 0.01 / 0.125 / 0.50 USD up to 100,000 tokens of prompt, five times that for every token above.
    pytest.param(
        "claude-haiku-5-5",
        Usage(input_tokens=40_000, cache_read_tokens=50_000, cache_write_5m_tokens=10_000, output_tokens=1_000),
        4_000_000 + 500_000 + 1_250_000 + 500_000,
        id="at-the-border",
    ),
    pytest.param(
        "claude-haiku-5-5",
        Usage(input_tokens=40_001, cache_read_tokens=50_000, cache_write_5m_tokens=10_000, output_tokens=1_000),
        20_000_500 + 2_500_000 + 6_250_000 + 2_500_000,
        id="one-token-over",
    ),
    pytest.param(
        "claude-haiku-5-5", Usage(input_tokens=10, output_tokens=200_000), 1_000 + 100_000_000, id="output-is-no-prompt"
    ),
    pytest.param(
        "claude-haiku-5-5", Usage(cache_write_1h_tokens=100_001), 100_001 * 1_000, id="cached-tokens-are-prompt"
    ),
    pytest.param(
        "claude-sonnet-4-5", Usage(input_tokens=200_001, output_tokens=2), 1_200_006_000 + 45_000, id="long-context"
    ),
    pytest.param("claude-opus-5", Usage(input_tokens=900_000), 4_500_000_000, id="flat-across-the-window"),
]

VARIANTS = [
    pytest.param(
        "claude-sonnet-5",
        Usage(input_tokens=1_000, output_tokens=1_000, service_tier="batch"),
        6_000_000,
        id="batch-is-half",
    ),
    pytest.param(
        "claude-opus-5-5",
        Usage(cache_read_tokens=10, cache_write_5m_tokens=10, cache_write_1h_tokens=10, service_tier="batch"),
        1_000 + 25_000 + 40_000,
        id="batch-halves-the-cache-too",
    ),
    pytest.param(
        "claude-haiku-5-5", Usage(input_tokens=100_001, service_tier="batch"), 25_000_250, id="batch-of-a-long-prompt"
    ),
    pytest.param(
        "claude-3-7-sonnet-20250219", Usage(input_tokens=2, service_tier="batch"), 3_000, id="batch-of-an-old-model"
    ),
    pytest.param(
        "claude-opus-5-5",
        Usage(input_tokens=1_000, output_tokens=1_000, speed="fast"),
        48_000_000,
        id="fast",
    ),
    pytest.param(
        "claude-fable-5-2",
        Usage(cache_read_tokens=1, cache_write_5m_tokens=1, cache_write_1h_tokens=1, speed="fast"),
        400 + 20_000 + 32_000,
        id="fast-with-a-cache",
    ),
    pytest.param(
        "claude-opus-4-7",
        Usage(input_tokens=1, output_tokens=1, cache_write_1h_tokens=1, cache_read_tokens=1, speed="fast"),
        30_000 + 150_000 + 60_000 + 3_000,
        id="fast-of-an-older-model",
    ),
    pytest.param(
        "claude-opus-5-5",
        Usage(input_tokens=1_000, output_tokens=100, inference_geo="us"),
        6_600_000,
        id="in-the-us-a-tenth-more",
    ),
    pytest.param(
        "claude-opus-5-5",
        Usage(input_tokens=1_000, inference_geo="us", speed="fast"),
        8_800_000,
        id="fast-in-the-us",
    ),
    pytest.param(
        "claude-haiku-5-5",
        Usage(cache_read_tokens=1, inference_geo="us", service_tier="batch"),
        6,
        id="five-and-a-half-nano-dollars-round-up",
    ),
    pytest.param(
        "claude-haiku-5-5",
        Usage(cache_write_5m_tokens=1, service_tier="batch"),
        63,
        id="half-a-nano-dollar-rounds-up",
    ),
    pytest.param(
        "claude-haiku-5-5",
        Usage(cache_write_5m_tokens=1, cache_write_1h_tokens=1, cache_read_tokens=1, inference_geo="us"),
        138 + 220 + 11,
        id="rounded-once-at-the-end",
    ),
    pytest.param("claude-sonnet-5", Usage(web_search_requests=3, input_tokens=1), 30_002_000, id="web-search"),
    pytest.param("claude-sonnet-5", Usage(web_fetch_requests=9, input_tokens=1), 2_000, id="web-fetch-is-free"),
    pytest.param(
        "claude-opus-5-5",
        Usage(web_search_requests=1, service_tier="batch", inference_geo="us"),
        10_000_000,
        id="web-search-has-one-price",
    ),
]

PLAIN = [
    pytest.param(Usage(input_tokens=5, service_tier=tier, speed=speed, inference_geo=geo), id=f"{tier}-{speed}-{geo}")
    for tier, speed, geo in (
        ("standard", "standard", "global"),
        ("", "", ""),
        (None, None, "not_available"),
        ("default", None, None),
    )
]

ITERATIONS = [
    # The example of platform.claude.com, "Compaction": the totals lack the summary's run.
    pytest.param(
        "claude-opus-5-5",
        Usage(
            input_tokens=23_000,
            output_tokens=1_000,
            iterations=(
                Iteration(kind="compaction", input_tokens=180_000, output_tokens=3_500),
                Iteration(kind="message", input_tokens=23_000, output_tokens=1_000),
            ),
        ),
        203_000 * 4_000 + 4_500 * 20_000,
        id="compaction-instead-of-the-totals",
    ),
    pytest.param(
        "claude-sonnet-5",
        Usage(
            input_tokens=10,
            iterations=(
                Iteration(input_tokens=10),
                Iteration(kind="advisor_message", model="claude-opus-5", input_tokens=100, output_tokens=10),
            ),
        ),
        10 * 2_000 + 100 * 5_000 + 10 * 25_000,
        id="an-advisor-by-its-own-model",
    ),
    pytest.param(
        "claude-haiku-5-5",
        Usage(input_tokens=120_000, iterations=(Iteration(input_tokens=60_000), Iteration(input_tokens=60_000))),
        120_000 * 100,
        id="each-by-its-own-prompt-length",
    ),
    pytest.param(
        "claude-opus-5",
        Usage(service_tier="batch", web_search_requests=1, iterations=(Iteration(output_tokens=2),)),
        25_000 + 10_000_000,
        id="tier-and-searches-are-the-exchanges",
    ),
    pytest.param(
        None,
        Usage(input_tokens=1, iterations=(Iteration(model="claude-opus-5", input_tokens=1),)),
        5_000,
        id="all-models-told-by-the-iterations",
    ),
    pytest.param("claude-opus-5", Usage(iterations=(Iteration(model="", input_tokens=1),)), 5_000, id="empty-name"),
]

UNKNOWN = [
    pytest.param(None, Usage(input_tokens=1), id="no-model"),
    pytest.param("", Usage(input_tokens=1), id="empty-model"),
    pytest.param("glm-5", Usage(input_tokens=1), id="unknown-model"),
    pytest.param("glm-5", Usage(), id="unknown-model-and-nothing-used"),
    pytest.param("claude-sonnet-5", Usage(input_tokens=1, speed="fast"), id="no-fast-price"),
    pytest.param("claude-opus-5-5", Usage(input_tokens=1, speed="warp"), id="unknown-speed"),
    pytest.param("claude-opus-5-5", Usage(input_tokens=1, speed="fast", service_tier="batch"), id="fast-batch"),
    pytest.param("claude-opus-5-5", Usage(input_tokens=1, service_tier="priority"), id="tier-without-list-price"),
    pytest.param("claude-opus-5-5", Usage(input_tokens=1, service_tier="flex"), id="unknown-tier"),
    pytest.param("claude-v1", Usage(input_tokens=1, service_tier="batch"), id="no-batch-price"),
    pytest.param("claude-opus-5-5", Usage(input_tokens=1, inference_geo="eu"), id="unknown-geography"),
    pytest.param("claude-haiku-4-5", Usage(input_tokens=1, inference_geo="us"), id="geography-of-an-older-model"),
    pytest.param("claude-2.1", Usage(cache_read_tokens=1), id="rate-that-is-not-known"),
    pytest.param("claude-3-haiku-20240307", Usage(web_search_requests=1), id="search-without-a-price"),
    pytest.param("glm-5", Usage(web_search_requests=1, iterations=(Iteration(model="claude-opus-5"),)), id="searches"),
    pytest.param(
        "claude-opus-5", Usage(iterations=(Iteration(input_tokens=1), Iteration(model="glm-5"))), id="an-iteration"
    ),
    pytest.param(None, Usage(iterations=(Iteration(input_tokens=1),)), id="an-iteration-without-any-model"),
]

DAYS = [
    # Sonnet 5.5's cache reads were cut from 0.20 to 0.10 USD.
    pytest.param("claude-sonnet-5-5", Usage(cache_read_tokens=10), moment("2026-10-07") - 1, 2_000, id="before-a-cut"),
    pytest.param("claude-sonnet-5-5", Usage(cache_read_tokens=10), moment("2026-10-07"), 1_000, id="after-a-cut"),
    pytest.param(
        "claude-sonnet-5-5",
        Usage(cache_read_tokens=10, service_tier="batch"),
        moment("2026-10-06"),
        1_000,
        id="batch-before-a-cut",
    ),
    # Long prompts cost more until the long context was generally available.
    pytest.param("claude-opus-4-6", Usage(input_tokens=300_000), moment("2026-03-12"), 3_000_000_000, id="tiered-then"),
    pytest.param("claude-opus-4-6", Usage(input_tokens=300_000), moment("2026-03-13"), 1_500_000_000, id="flat-since"),
    pytest.param("claude-opus-4-6", Usage(input_tokens=1, speed="fast"), moment("2026-03-12"), None, id="fast-unknown"),
    pytest.param("claude-opus-4-6", Usage(input_tokens=1, speed="fast"), moment("2026-03-13"), 30_000, id="fast-known"),
    pytest.param("claude-opus-5", Usage(input_tokens=1), 0, 5_000, id="the-oldest-price-has-no-beginning"),
]


@pytest.mark.parametrize(("model", "usage", "expected"), [*ORDINARY, *LENGTH, *VARIANTS, *ITERATIONS])
def test_published_prices(model: str | None, usage: Usage, expected: int) -> None:
    """The cost is the published price, to the nano-dollar."""
    assert expected == nano(usage, model)


@pytest.mark.parametrize("usage", PLAIN)
def test_plain(usage: Usage) -> None:
    """What only says that nothing is special changes no price."""
    assert nano(usage, "claude-opus-5") == 25_000


@pytest.mark.parametrize(("model", "usage"), UNKNOWN)
def test_unknown(model: str | None, usage: Usage) -> None:
    """One unknown part makes the cost unknown: never 0, never a part of the sum."""
    assert nano(usage, model) is None


@pytest.mark.parametrize(("model", "usage", "at_us", "expected"), DAYS)
def test_days(model: str, usage: Usage, at_us: int, expected: int | None) -> None:
    """The price of the moment holds."""
    assert expected == nano(usage, model, at_us)


@pytest.mark.parametrize(
    ("billing", "billed", "estimate"),
    [
        pytest.param("billed", 5_000, None, id="billed"),
        pytest.param("plan", None, 5_000, id="plan"),
        pytest.param("simulated", None, 5_000, id="simulated"),
    ],
)
def test_billing(billing: str, billed: int | None, estimate: int | None) -> None:
    """Who pays changes no number, only which side of the ledger it is on."""
    prices = PriceList.shipped()

    found = cost(Usage(input_tokens=1), "claude-opus-5", at_us=NOW, billing=billing, prices=prices)  # type: ignore[arg-type]  # a row's text

    assert Cost(nano=5_000, price_version=prices.version, billing=billing) == found  # type: ignore[arg-type]  # a row's text
    assert (billed, estimate) == (found.cost_nano, found.estimate_nano)
