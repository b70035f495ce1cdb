"""What tokens can cost at most: for reservations, made before anything is known.

Takes the dearest rate of every sort that a token may turn out to be. Integer
arithmetic, rounded up. Rules and sources as in pricing/cost. Pure.
Used by compose, for limits/keeper.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from clearway.pricing.prices import ModelPrice, PriceList, Rates

_SCALE = 1_000_000 * 1_000
_PLAIN_PERMILLE = 1_000
_HOUR_US = 3_600_000_000
_REMEMBERED = 256


class Ceiling(msgspec.Struct, frozen=True):
    """Of one request. Scaled rates: nano-dollars times `10**9`."""

    input_scaled: int
    """For each token of the prompt."""
    output_scaled: int
    """For each token of output."""

    def nano(self, input_tokens: int, output_tokens: int) -> int:
        """Nano-dollars at most."""
        return -((input_tokens * self.input_scaled + output_tokens * self.output_scaled) // -_SCALE)

    def output_within(self, nano: int, input_tokens: int) -> int:
        """How many tokens of output fit into `nano` beside the prompt; below 0 where that alone does not fit."""
        left = nano * _SCALE - input_tokens * self.input_scaled
        if left < 0:
            return -1
        return left // self.output_scaled if self.output_scaled else 1 << 60


NOTHING_COSTS = Ceiling(0, 0)
"""Of what is not metered."""


_Ttl = Literal["no", "5m", "1h"]
_Steps = list[tuple[int, Ceiling | None]]
"""From how many tokens of a prompt on each holds, the highest first."""


class DearestRates:
    """The dearest rates by a list of prices.

    Args:
        prices: The list to price by.

    Growth: `_REMEMBERED` sets of words; they are looked up anew each hour, for prices change by days.
    """

    def __init__(self, prices: PriceList) -> None:
        self._prices = prices
        self._known: dict[tuple[str, int, _Ttl, bool], _Steps] = {}

    def find(self, model: str, *, at_us: int, input_tokens: int, writes_cache: _Ttl, is_plain: bool) -> Ceiling | None:
        """The dearest rates; None: the model has no known price.

        Args:
            model: As it is sent.
            at_us: When, for prices that changed.
            input_tokens: The longest that the prompt may be: long ones may cost more.
            writes_cache: The dearest way in which it may be cached.
            is_plain: False: the request may ask for a speed or geography that costs more.
        """
        words = (model, at_us // _HOUR_US, writes_cache, is_plain)
        steps = self._known.get(words)
        if steps is None:
            price = self._prices.find(model, at_us)
            if price is None:
                return None
            steps = _steps(price, writes_cache, is_plain=is_plain)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[words] = steps
        # A prompt of no tokens is priced like one of one.
        for over, found in steps:
            if over < (input_tokens or 1):
                return found
        return None


def _steps(price: ModelPrice, writes_cache: _Ttl, *, is_plain: bool) -> _Steps:
    rows = price.standard if is_plain else (*price.standard, *price.fast)
    overs = sorted({row.over for row in rows}, reverse=True)
    permille = _PLAIN_PERMILLE if is_plain else max(_PLAIN_PERMILLE, *price.geo_permille.values(), 0)
    return [(over, _dearest([row for row in rows if row.over <= over], writes_cache, permille)) for over in overs]


def _dearest(rows: Sequence[Rates], writes_cache: _Ttl, permille: int) -> Ceiling | None:
    sorts = {"no": (), "5m": ("cache_write_5m",), "1h": ("cache_write_5m", "cache_write_1h")}[writes_cache]
    prompt = [getattr(row, sort) for row in rows for sort in ("input", *sorts)]
    output = [row.output for row in rows]
    if None in prompt or None in output:
        return None
    return Ceiling(max(prompt) * permille, max(rate or 0 for rate in output) * permille)
