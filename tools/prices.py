"""Make the shipped price list from genai-prices and our own reviewed table.

    python tools/prices.py          write src/clearway/pricing/prices.json
    python tools/prices.py --check  fail if the committed file differs

The same genai-prices and the same `prices_extra.toml` give the same bytes: the
date in the version is the table's `reviewed`. genai-prices is needed here only,
never by the program. Its data is MIT-licensed (Pydantic).
"""

import argparse
import sys
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from genai_prices import types as genai
from genai_prices.data import providers

from clearway.pricing.form import ModelPrice, ModelPrices, PriceFile, PriceFileError, Rates, decode

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "tools" / "prices_extra.toml"
SHIPPED = ROOT / "src" / "clearway" / "pricing" / "prices.json"

NANO = 1_000_000_000

# Ours to theirs. What they call cache write is the five-minute one.
FIELDS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}
SEARCHES = "web_searches_kcount"

Row = dict[str, Any]  # of the table; its shape is checked by use


class Problem(Exception):
    """The sources contradict one another or have something that we don't know."""


@dataclass(frozen=True)
class Table:
    """The reviewed table, as it is in the file."""

    reviewed: date
    batch: Row
    geo: Row
    fast: list[Row]
    same: list[Row]
    until: list[Row]
    names: list[Row]
    unpriced: list[Row]

    @classmethod
    def load(cls) -> "Table":
        """Read the table; each price in it must have a source."""
        table = cls(**tomllib.loads(TABLE.read_text("utf-8")))
        for row in (table.batch, table.geo, *table.fast, *table.same, *table.until, *table.names):
            if not str(row.get("source", "")).startswith("https://"):
                raise Problem(f"{TABLE.name}: a row without source: {row}")
        return table


def nano(usd: Decimal | Fraction | str) -> int:
    """Dollars as whole nano-dollars; anything finer is an error."""
    exact = Fraction(usd) * NANO
    if exact.denominator != 1:
        raise Problem(f"{usd} is not a whole number of nano-dollars")
    return exact.numerator


def rows(price: genai.ModelPrice) -> tuple[Rates, ...]:
    """Their prices, tier by tier, as rows of ours."""
    unknown = {key for key, value in vars(price).items() if value is not None} - {*FIELDS.values(), SEARCHES}
    if unknown:
        raise Problem(f"genai-prices has a sort of price that we don't bill: {sorted(unknown)}")
    values = {ours: getattr(price, theirs) for ours, theirs in FIELDS.items()}
    tiered = [value for value in values.values() if isinstance(value, genai.TieredPrices)]
    starts = sorted({0, *(tier.start for value in tiered for tier in value.tiers)})
    return tuple(Rates(over=start, **{ours: rate(value, start) for ours, value in values.items()}) for start in starts)


def rate(value: Decimal | genai.TieredPrices | None, start: int) -> int | None:
    """One of their prices for prompts longer than `start`."""
    if value is None:
        return None
    if isinstance(value, Decimal):
        return nano(value)
    usd = value.base
    for tier in value.tiers:
        usd = tier.price if tier.start <= start else usd
    return nano(usd)


def scaled(table: Iterable[Rates], change: Callable[[int], Fraction]) -> tuple[Rates, ...]:
    """The same rows with every rate changed."""
    return tuple(
        msgspec.structs.replace(
            row,
            **{field: nano(change(value) / NANO) for field in FIELDS if (value := getattr(row, field)) is not None},
        )
        for row in table
    )


def variant(model: genai.ModelInfo, when: dict[str, str]) -> tuple[Rates, ...]:
    """Their variant of a price for one condition; empty where there is none."""
    found = [entry for entry in model.price_variants or () if entry.when == when]
    if len(found) > 1:
        raise Problem(f"{model.id}: several variants for {when}")
    return rows(found[0].prices) if found else ()


def dated(model: genai.ModelInfo) -> list[tuple[date | None, genai.ModelPrice]]:
    """Their prices with the days from which they hold, oldest first."""
    if isinstance(model.prices, genai.ModelPrice):
        return [(None, model.prices)]
    found: list[tuple[date | None, genai.ModelPrice]] = []
    for entry in model.prices:
        if entry.constraint is not None and not isinstance(entry.constraint, genai.StartDateConstraint):
            raise Problem(f"{model.id}: a price by time of day")
        found.append((entry.constraint.start_date if entry.constraint else None, entry.prices))
    return found


def literals(clause: object) -> Iterable[str]:
    """The names that a matching rule of theirs spells out.

    Beginnings are taken as whole names: look-up strips what may follow
    (`pricing/prices.py`), and anything else that follows is another model.
    """
    match clause:
        case genai.ClauseEquals(equals=name) | genai.ClauseStartsWith(starts_with=name):
            yield name
        case genai.ClauseOr(or_=clauses):
            for part in clauses:
                yield from literals(part)
        case _:  # patterns and parts of names could match a model of tomorrow
            return


def convert(model: genai.ModelInfo, table: Table) -> ModelPrices:
    """One of their models, with what the table adds."""
    name = model.id.removesuffix("-latest")
    names = {literal.replace(".", "-") for literal in literals(model.match) if not literal.endswith(("@", "-2025"))}
    check_variants(model)
    prices = []
    for day, price in dated(model):
        standard = rows(price)
        searches = getattr(price, SEARCHES)
        prices.append(
            ModelPrice(
                valid_from=day,
                standard=standard,
                batch=batch(name, standard, model, table),
                fast=variant(model, {"speed": "fast"}),
                web_search_per_1000=None if searches is None else nano(searches),
            )
        )
    return ModelPrices(id=name, names=tuple(sorted(names - {name})), prices=tuple(prices))


def check_variants(model: genai.ModelInfo) -> None:
    """Refuse a condition that cost.py would not heed."""
    known: list[dict[str, str]] = [{"processing": "batch"}, {"speed": "fast"}]
    strange = [entry.when for entry in model.price_variants or () if entry.when not in known]
    if strange:
        raise Problem(f"{model.id}: prices for a condition that cost.py doesn't know: {strange}")


def batch(name: str, standard: tuple[Rates, ...], model: genai.ModelInfo, table: Table) -> tuple[Rates, ...]:
    """The batch rates: the documented part of the standard ones, which must be what they have too."""
    if name in table.batch["unknown_for"]:
        return ()
    ours = halved(standard, table)
    theirs = variant(model, {"processing": "batch"})
    newest = rows(dated(model)[-1][1]) == standard
    if theirs and newest and theirs != ours:
        raise Problem(f"{name}: batch rates of genai-prices are not the documented part of the standard ones")
    return ours


def halved(standard: tuple[Rates, ...], table: Table) -> tuple[Rates, ...]:
    """Standard rates by the documented rule for batches."""
    share = Fraction(table.batch["permille"], 1000)
    return scaled(standard, lambda value: value * share)


def add_fast(models: dict[str, ModelPrices], row: Row) -> None:
    """Give a model's prices the fast rates of a row, from its day on."""

    def change(price: ModelPrice) -> ModelPrice:
        if (price.valid_from or date.min) < row.get("from", date.min):
            return price
        if price.fast:
            raise Problem(f"{row['id']}: genai-prices has fast rates now; delete the row")
        base = price.standard[0]
        if len(price.standard) > 1 or base.input is None:
            raise Problem(f"{row['id']}: fast rates for a price with tiers")
        by_input = Fraction(nano(row["input"]), base.input)
        fast = scaled(price.standard, lambda value: value * by_input)
        if fast[0].output != nano(row["output"]):
            raise Problem(f"{row['id']}: fast input and output differ by other factors; extend the tool")
        return msgspec.structs.replace(price, fast=fast, source=row["source"])

    model = models[row["id"]]
    models[row["id"]] = msgspec.structs.replace(model, prices=tuple(change(price) for price in model.prices))


def add_until(models: dict[str, ModelPrices], row: Row, table: Table) -> None:
    """Put a price that held until a day before the oldest one that is known."""
    model = models[row["id"]]
    first, *rest = model.prices
    if first.valid_from is not None:
        raise Problem(f"{row['id']}: the oldest price has a day already; delete the row")
    given = {field: nano(row[field]) for field in FIELDS if field in row}
    standard = tuple(msgspec.structs.replace(rates, **given) for rates in first.standard)
    before = msgspec.structs.replace(
        first,
        standard=standard,
        batch=halved(standard, table) if first.batch else (),
        source=row["source"],
    )
    since = msgspec.structs.replace(first, valid_from=row["day"])
    models[row["id"]] = msgspec.structs.replace(model, prices=(before, since, *rest))


def build() -> PriceFile:
    """The whole list."""
    table = Table.load()
    provider = next(entry for entry in providers if entry.id == "anthropic")
    models = {found.id: found for found in (convert(model, table) for model in provider.models)}
    for row in table.same:
        new(models, row["id"])
        sibling = models[row["as"]]
        prices = tuple(msgspec.structs.replace(price, source=row["source"]) for price in sibling.prices)
        models[row["id"]] = ModelPrices(id=row["id"], prices=prices)
    for row in table.unpriced:
        new(models, row["id"])
    for row in table.fast:
        add_fast(models, row)
    for row in table.until:
        add_until(models, row, table)
    for row in table.names:
        model = models[row["id"]]
        models[row["id"]] = msgspec.structs.replace(model, names=tuple(sorted({*model.names, *row["names"]})))
    for name in table.geo["models"]:
        prices = tuple(
            msgspec.structs.replace(price, geo_permille=table.geo["permille"]) for price in models[name].prices
        )
        models[name] = msgspec.structs.replace(models[name], prices=prices)
    return PriceFile(
        version=f"{table.reviewed}+genai-prices-{version('genai-prices')}",
        models=tuple(models[name] for name in sorted(models)),
    )


def new(models: dict[str, ModelPrices], name: str) -> None:
    """Refuse a row for a model that genai-prices has learnt."""
    if name in models:
        raise Problem(f"{name}: genai-prices has it now; delete the row in {TABLE.name}")


def main() -> int:
    """Write or check the list."""
    parser = argparse.ArgumentParser(description="Make the shipped price list.")
    parser.add_argument("--check", action="store_true", help="fail if the committed file differs")
    arguments = parser.parse_args()
    try:
        made = msgspec.json.format(msgspec.json.encode(build()), indent=1) + b"\n"
        decode(made, str(SHIPPED))
    except (Problem, PriceFileError) as problem:
        print(f"prices: {problem}", file=sys.stderr)
        return 1
    if not arguments.check:
        SHIPPED.write_bytes(made)
        return 0
    if not SHIPPED.exists() or SHIPPED.read_bytes() != made:
        print(f"prices: {SHIPPED.relative_to(ROOT)} is not what its sources give; run `make prices`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
