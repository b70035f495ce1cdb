"""Finding the price of a model by its name."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from clearway.pricing.prices import PriceList

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_795_219_200_000_000  # 2026-11-21

# What the `anthropic` SDK 2.11.0 knows.
KNOWN = """
claude-fable-5-2 claude-fable-5-1 claude-fable-5
claude-mythos-5-2 claude-mythos-5-1 claude-mythos-5 claude-mythos-preview
claude-opus-5-5 claude-opus-5 claude-opus-4-8 claude-opus-4-7 claude-opus-4-6 claude-opus-4-5 claude-opus-4-5-20251101
claude-sonnet-5-5 claude-sonnet-5 claude-sonnet-4-6 claude-sonnet-4-5 claude-sonnet-4-5-20250929
claude-haiku-5-5 claude-haiku-4-5 claude-haiku-4-5-20251001
""".split()  # noqa: SIM905  # reads like the list that it is taken from

UNPRICED = {"claude-mythos-preview"}

SAME = [
    pytest.param("claude-sonnet-4-5-20250929", "claude-sonnet-4-5", id="snapshot"),
    pytest.param("claude-opus-4-20250514", "claude-opus-4-0", id="snapshot-of-a-zero"),
    pytest.param("claude-sonnet-4-20250514", "claude-sonnet-4-0", id="snapshot-of-another-zero"),
    pytest.param("claude-opus-4-1-20250805", "claude-opus-4-1", id="snapshot-of-a-minor"),
    pytest.param("claude-3-5-haiku-latest", "claude-3-5-haiku-20241022", id="latest"),
    pytest.param("claude-3-opus-latest", "claude-3-opus-20240229", id="latest-opus"),
    pytest.param("anthropic/claude-opus-5-5", "claude-opus-5-5", id="vendor-prefix"),
    pytest.param("openrouter/anthropic/claude-haiku-4.5", "claude-haiku-4-5", id="two-prefixes"),
    pytest.param("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5", id="dotted"),
    pytest.param("anthropic/claude-3.7-sonnet", "claude-3-7-sonnet-20250219", id="dotted-old-order"),
    pytest.param("claude-2.1", "claude-2", id="claude-2.1"),
    pytest.param("claude-opus-4-6[1m]", "claude-opus-4-6", id="long-context-mark"),
    pytest.param("Claude-Opus-5", "claude-opus-5", id="capitals"),
]

STRANGERS = [
    "",
    "claude",
    "claude-",
    "opus",
    "sonnet",
    "claude-opus",
    "claude-opus-6",
    "claude-opus-5-6",
    "claude-opus-5-50",
    "claude-opus-4-10",
    "claude-opus-5-5-mini",
    "claude-opus-5-fast",
    "claude-haiku-5",
    "claude-haiku-5-20260101",
    "claude-fable-5-3",
    "claude-sonet-4-5",
    "xclaude-opus-5",
    "other/claude-opus-5",
    "claude-opus-5 ",
    "claude-opus-5\n",
    "claude-opus-5-2025092",
    "claude-opus-5-20250929-20250929",
    "us.anthropic.claude-opus-5",
    "claude-sonnet-4-5@20250929",
    "gpt-5.5",
    "there-is-no-such-model",
    "claude-opus-5" * 1000,
]


def test_known_models() -> None:
    """Every model that the SDK knows has a price, or is listed as one without."""
    missing = {name for name in KNOWN if PriceList.shipped().find(name, NOW) is None}

    assert missing == UNPRICED


def test_unpriced_are_listed() -> None:
    """What has no price is told in the reviewed table, with the reason."""
    table = tomllib.loads((ROOT / "tools" / "prices_extra.toml").read_text("utf-8"))

    assert {row["id"] for row in table["unpriced"] if row["why"]} == UNPRICED


@pytest.mark.parametrize(("name", "model"), SAME)
def test_spellings(name: str, model: str) -> None:
    """Another way to write a model's name finds the same price."""
    found = PriceList.shipped().find(name, NOW)

    assert found is not None
    assert found is PriceList.shipped().find(model, NOW)


@pytest.mark.parametrize("name", STRANGERS, ids=lambda name: name[:40])
def test_no_guessing(name: str) -> None:
    """A name that only looks like a known one has no price."""
    assert PriceList.shipped().find(name, NOW) is None


def test_neighbours_differ() -> None:
    """A name that is the beginning of another doesn't get the other's price."""
    prices = PriceList.shipped()
    rates = {name: prices.find(name, NOW) for name in ("claude-opus-5", "claude-opus-5-5", "claude-opus-4-0")}

    assert {name: price.standard[0].input for name, price in rates.items() if price} == {
        "claude-opus-5": 5_000_000_000,
        "claude-opus-5-5": 4_000_000_000,
        "claude-opus-4-0": 15_000_000_000,
    }


def test_shipped_is_read_once() -> None:
    """The list is one value for the whole process."""
    assert PriceList.shipped() is PriceList.shipped()


def test_many_names() -> None:
    """Look-ups of ever new names, and of huge ones, are right and do not pile up."""
    prices = PriceList.shipped()

    assert all(prices.find(f"claude-{number}-unknown", NOW) is None for number in range(5_000))
    assert prices.find("claude-opus-5" * 10_000, NOW) is None
    assert len(prices._found) <= 1_024  # noqa: SLF001  # the bound itself is the promise
    assert max(map(len, prices._found)) <= 200  # noqa: SLF001  # the same
    assert prices.find("claude-opus-5", NOW) is not None


def test_version() -> None:
    """The version tells the day of the review and what the list was made from."""
    day, _, source = PriceList.shipped().version.partition("+")

    assert (int(day[:4]), source[:13]) == (2026, "genai-prices-")


def test_light() -> None:
    """Importing takes nothing along but msgspec and the standard library, and reads no file."""
    program = (
        "import sys, msgspec, clearway.pricing.cost as c;"
        "from clearway.pricing import prices;"
        "print(prices._shipped.cache_info().currsize, sorted({'genai_prices', 'pydantic', 'ssl'} & sys.modules.keys()))"
    )

    done = subprocess.run([sys.executable, "-c", program], env={}, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "0 []"
