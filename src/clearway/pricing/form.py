"""The form of a price file: what the shipped list and an owner's own file look like.

Owns the shape and what makes it valid; knows neither look-up nor arithmetic.
A file with one model that costs 3 USD for a million input tokens and 15 USD for
a million output tokens, whose other prices are unknown:

    {"models": [{"id": "my-model", "prices": [
        {"standard": [{"input": 3000000000, "output": 15000000000}]}]}]}

Every rate is an integer in nano-dollars per million tokens (1 USD is
1_000_000_000): all list prices are whole in it. A rate that is left out is
unknown; 0 is free. Used by pricing/prices.py and tools/prices.py.
"""

from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

UNIT: Final = "nano-dollars per million tokens"

Rate = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Permille = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]

# A rate below a tenth of a cent per million tokens is somebody writing dollars
# where nano-dollars belong: it would bill nothing and look like it worked.
_SMALLEST = 1_000_000

_MAX_BYTES = 4_000_000


class PriceFileError(Exception):
    """A price file cannot be used; the text names the file, the field and the fix."""


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a million tokens of each sort cost, in nano-dollars. None: unknown."""

    over: Count = 0
    """These rates hold for *every* token of a request whose whole prompt has more
    than this many tokens, unless a later row does. Default 0."""
    input: Rate | None = None
    output: Rate | None = None
    cache_read: Rate | None = None
    cache_write_5m: Rate | None = None
    cache_write_1h: Rate | None = None


class ModelPrice(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename={"valid_from": "from"},
):
    """The prices of one model from one day on. Empty or None: unknown."""

    valid_from: date | None = None
    """First day (UTC) that they hold; None: always did. Written `from` in a file."""
    standard: Annotated[tuple[Rates, ...], msgspec.Meta(min_length=1)]
    batch: tuple[Rates, ...] = ()
    """For `service_tier` `batch`."""
    fast: tuple[Rates, ...] = ()
    """For `speed` `fast`."""
    geo_permille: dict[str, Permille] = {}
    """By `inference_geo`, what all token rates are multiplied with, in thousandths."""
    web_search_per_1000: Rate | None = None
    """Nano-dollars for a thousand web searches."""
    source: str = ""
    """Where the prices are published, if not in the data that the file is made from."""


class ModelPrices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One model and all that it has cost, oldest first."""

    id: Name
    names: tuple[Name, ...] = ()
    """Further names that mean the same model."""
    prices: Annotated[tuple[ModelPrice, ...], msgspec.Meta(min_length=1)]


class PriceFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole file."""

    version: str = ""
    """Of the shipped list: the day of its last review and what it was made from."""
    unit: Literal["nano-dollars per million tokens"] = UNIT
    models: tuple[ModelPrices, ...]


def read(path: Path) -> tuple[PriceFile, bytes]:
    """Read and check a price file; the bytes are for telling its versions apart.

    Raises:
        PriceFileError: It cannot be read or is not of the form.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PriceFileError(f"{path}: cannot be read ({reason}); set `usage.prices` to a readable file") from error
    if len(raw) > _MAX_BYTES:
        raise PriceFileError(f"{path}: more than {_MAX_BYTES} bytes; keep only the models that you use")
    return decode(raw, str(path)), raw


def decode(raw: bytes, where: str) -> PriceFile:
    """Decode and check the bytes of a price file; `where` names it in errors.

    Raises:
        PriceFileError: It is not of the form.
    """
    try:
        file = msgspec.json.decode(raw, type=PriceFile)
    except msgspec.ValidationError as error:
        raise PriceFileError(
            f"{where}: {error}; rates are integers in {UNIT} (3 USD is 3000000000), days are `2026-11-21`"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PriceFileError(f"{where}: not JSON ({error}); correct it at that place") from error
    seen: set[str] = set()
    for index, model in enumerate(file.models):
        at = f"{where}: `models[{index}]` ({model.id})"
        for name in (model.id, *model.names):
            if name.lower() in seen:
                raise PriceFileError(f"{at}: the name `{name}` is there twice; keep one of them")
            seen.add(name.lower())
        _check_days(model, at)
        for number, price in enumerate(model.prices):
            _check_rates(price, f"{at}: `prices[{number}]")
    return file


def _check_days(model: ModelPrices, at: str) -> None:
    """Refuse prices that are not in the order of their days."""
    days = [price.valid_from or date.min for price in model.prices]
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise PriceFileError(f"{at}: `prices` are not in the order of `from`; put the oldest first, each day once")


def _check_rates(price: ModelPrice, at: str) -> None:
    """Refuse rows out of order and rates that can only be a mistake."""
    for field, rows in (("standard", price.standard), ("batch", price.batch), ("fast", price.fast)):
        starts = [row.over for row in rows]
        if starts and (starts[0] != 0 or starts != sorted(set(starts))):
            raise PriceFileError(
                f"{at}.{field}` has rows out of order; the first has no `over`, each next one a larger `over`"
            )
        for row in rows:
            for name in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"):
                _check_size(getattr(row, name), f"{at}.{field}`: `{name}`")
    _check_size(price.web_search_per_1000, f"{at}.web_search_per_1000`")


def _check_size(rate: int | None, at: str) -> None:
    """Refuse a rate that looks like dollars."""
    if rate is not None and 0 < rate < _SMALLEST:
        raise PriceFileError(f"{at} is {rate} nano-dollars; if dollars are meant, write {rate}000000000")
