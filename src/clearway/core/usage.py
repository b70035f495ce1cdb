"""What an exchange used, in Anthropic's terms.

The whole prompt is `input + cache_read + cache_write_5m + cache_write_1h`;
`input_tokens` alone is only its uncached rest, and `output_tokens` includes
thinking. Source: shared types of the `anthropic` SDK 2.x, class `Usage`.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """The five numbers that are billed, each a count of tokens."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt, cached or not."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens


class Iteration(Tokens, frozen=True, kw_only=True):
    """One entry of `usage.iterations`: a model run inside one exchange."""

    kind: str = "message"
    """`message`, `compaction`, `advisor_message`, `fallback_message`; an open list."""
    model: str | None = None
    """The model of this run where it differs from the exchange's; None otherwise."""


class Usage(Tokens, frozen=True, kw_only=True):
    """Everything countable of one attempt or exchange."""

    thinking_tokens: int = 0
    """Part of `output_tokens`, told for information."""
    web_search_requests: int = 0
    web_fetch_requests: int = 0
    service_tier: str | None = None
    """`standard`, `priority`, `batch`; an open list. None where it was not told."""
    speed: str | None = None
    """`standard` or `fast`. None where it was not told."""
    inference_geo: str | None = None
    iterations: tuple[Iteration, ...] = ()
    """Where it is not empty, these are priced one by one instead of the totals."""
    estimated: bool = False
    """True where the output was estimated because the final count never came."""


def total(parts: Sequence[Usage]) -> Usage:
    """What several answers used together; the words are those of the last. At least one."""
    if len(parts) == 1:
        return parts[0]
    runs: list[Iteration] = []
    if any(part.iterations for part in parts):
        # Once there are some, they alone are priced: what came without is one of them.
        for part in parts:
            runs += part.iterations or (Iteration(**{name: getattr(part, name) for name in Tokens.__struct_fields__}),)
    return msgspec.structs.replace(
        parts[-1],
        **{name: sum(getattr(part, name) for part in parts) for name in _COUNTS},
        iterations=tuple(runs),
        estimated=any(part.estimated for part in parts),
    )


_COUNTS = (*Tokens.__struct_fields__, "thinking_tokens", "web_search_requests", "web_fetch_requests")


Billing = Literal["billed", "plan", "simulated"]
"""Who is charged: real money on an API account, a subscription's plan, nobody."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What the usage costs at list price.

    `nano` is in integer nano-dollars; None means that the price is unknown,
    which is never the same as 0.
    """

    nano: int | None
    price_version: str
    billing: Billing

    @property
    def cost_nano(self) -> int | None:
        """Money really billed; None for estimates and unknown prices."""
        return self.nano if self.billing == "billed" else None

    @property
    def estimate_nano(self) -> int | None:
        """The list price of what was not billed by it; None otherwise."""
        return None if self.billing == "billed" else self.nano
