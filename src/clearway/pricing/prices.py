"""What each model costs, by name and day.

Owns finding the price of a model; the form of the data is `pricing/form.py`, the
arithmetic `pricing/cost.py`. The shipped list is `prices.json`, made by
`tools/prices.py` from genai-prices and a reviewed table with a source per row.
A name is matched exactly after a few spellings that cannot mean another model
are made equal; a name that is still unknown has no price, however like a known
one it looks. Names of resellers with prices of their own (Bedrock's
`us.anthropic.…`, Vertex AI's `…@20250929`) are unknown on purpose: regional
endpoints cost more than the list price.
Used by compose, for gateway/bookkeeping, and by cli.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Self

from clearway.pricing.form import ModelPrice, ModelPrices, PriceFile, PriceFileError, Rates, decode, read

__all__ = ["ModelPrice", "PriceFileError", "PriceList", "Rates"]

_SHIPPED = Path(__file__).with_name("prices.json")

_PREFIXES = ("openrouter/", "anthropic/")
_DOTTED = re.compile(r"(?<=\d)\.(?=\d)")
# Snapshots of one model cost the same: a changed price gets a new model, or a day in the list.
_SNAPSHOT = re.compile(r"-(?:20\d{6}|latest)$")

_LONGEST_NAME = 200
_REMEMBERED = 1024


class _Timeline:
    """The prices of one model, by the moment that they begin."""

    def __init__(self, model: ModelPrices) -> None:
        self._prices = model.prices
        self._starts = [_start_us(price) for price in model.prices]

    def at(self, at_us: int) -> ModelPrice | None:
        """The price at a moment; None before the first known day."""
        index = bisect_right(self._starts, at_us) - 1
        return self._prices[index] if index >= 0 else None


class PriceList:
    """Prices by model. A value: an override makes a new list."""

    def __init__(self, file: PriceFile) -> None:
        self._version = file.version
        self._by_name: dict[str, _Timeline] = {}
        self._found: dict[str, _Timeline | None] = {}
        self._add(file.models)

    @classmethod
    def shipped(cls) -> "PriceList":
        """The list that comes with the program, read at the first call."""
        return _shipped()

    def with_override(self, path: Path | str) -> Self:
        """This list with the models of a file of the owner's on top.

        A model of the file takes the place of the one here that answers to its
        `id`, under all of that one's names. What the file doesn't name stays.

        Raises:
            PriceFileError: The file cannot be read or is not of the form.
        """
        file, raw = read(Path(path).expanduser())
        merged = type(self)(PriceFile(version=f"{self._version}+file-{hashlib.sha256(raw).hexdigest()[:8]}", models=()))
        merged._by_name |= self._by_name  # noqa: SLF001  # another of our own kind
        merged._add(file.models)  # noqa: SLF001  # the same
        return merged

    @property
    def version(self) -> str:
        """Names these very prices: rows of the ledger keep it."""
        return self._version

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that has prices, in lower case; others are spelled like one of them."""
        return tuple(self._by_name)

    def find(self, model: str, at_us: int) -> ModelPrice | None:
        """The price of a model at a moment (UTC, in microseconds); None: unknown."""
        timeline = self._timeline(model)
        return timeline.at(at_us) if timeline is not None else None

    def _add(self, models: Iterable[ModelPrices]) -> None:
        for model in models:
            timeline = _Timeline(model)
            replaced = self._by_name.get(model.id.lower())
            names = [] if replaced is None else [name for name, known in self._by_name.items() if known is replaced]
            for name in (*names, model.id, *model.names):
                self._by_name[name.lower()] = timeline

    def _timeline(self, model: str) -> _Timeline | None:
        # Names come from clients: neither their length nor their number may cost memory.
        if len(model) > _LONGEST_NAME:
            return None
        try:
            return self._found[model]
        except KeyError:
            pass
        known = (self._by_name.get(name) for name in _spellings(model))
        timeline = next((found for found in known if found is not None), None)
        if len(self._found) >= _REMEMBERED:
            self._found.clear()
        self._found[model] = timeline
        return timeline


def _spellings(model: str) -> Iterator[str]:
    """The ways to write the same model's name, the most exact first.

    Sources: `[1m]` is Claude Code's mark for the long context; `anthropic/` and
    dotted versions are OpenRouter's; day and `-latest` suffixes are Anthropic's
    (platform.claude.com, "Models overview", read 2026-11-21).
    """
    name = model.lower()
    yield name
    name = name.removesuffix("[1m]")
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    yield name
    if name.startswith("claude-"):
        name = _DOTTED.sub("-", name)
        yield name
        yield _SNAPSHOT.sub("", name)


def _start_us(price: ModelPrice) -> int:
    """The first moment of a price; the beginning of time where it has no day."""
    if price.valid_from is None:
        return -(2**63)
    day = price.valid_from
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


@cache
def _shipped() -> PriceList:
    return PriceList(decode(_SHIPPED.read_bytes(), str(_SHIPPED)))
