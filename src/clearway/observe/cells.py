"""What is counted, as plain integers that are added to on the event loop.

A cell stands for one series, or for a few with the same labels. Money is integer
nano-dollars and time integer microseconds, so that no sum ever loses anything.
Cells are read from another thread (observe/exposition): each number is whole, and
what belongs together may be one exchange apart. Used by observe/tally.
"""

from bisect import bisect_left

from clearway.core.usage import Cost, Usage

_US = 1_000_000
DURATION_US = tuple(int(seconds * _US) for seconds in (*(0.01 * 2**power for power in range(17)), 1800.0, 3600.0))
"""Upper bounds: those that the GenAI conventions give for the duration of an operation (0.01 s to
81.92 s, doubling), and on to an hour, for agents' answers take minutes."""
FIRST_TOKEN_US = tuple(
    int(seconds * _US)
    for seconds in (0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160)
)
"""Upper bounds: those of the conventions for the time to the first token from 10 ms on, and on to
minutes: a long prompt that is not cached, or thinking, takes longer than they thought."""


class Count:
    """Exchanges."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Spent:
    """Tokens and money."""

    __slots__ = (
        "cache_read",
        "cache_write_1h",
        "cache_write_5m",
        "cost_nano",
        "estimate_nano",
        "estimated",
        "input",
        "output",
        "thinking",
        "unpriced",
        "web_fetch",
        "web_search",
    )

    def __init__(self) -> None:
        self.input = self.cache_read = self.cache_write_5m = self.cache_write_1h = self.output = 0
        self.thinking = self.web_search = self.web_fetch = 0
        self.cost_nano = self.estimate_nano = self.unpriced = self.estimated = 0

    def add(self, usage: Usage, cost: Cost | None) -> None:
        """One exchange's."""
        self.input += usage.input_tokens
        self.output += usage.output_tokens
        self.cache_read += usage.cache_read_tokens
        self.cache_write_5m += usage.cache_write_5m_tokens
        self.cache_write_1h += usage.cache_write_1h_tokens
        self.thinking += usage.thinking_tokens
        self.web_search += usage.web_search_requests
        self.web_fetch += usage.web_fetch_requests
        if usage.estimated:
            self.estimated += 1
        nano = None if cost is None else cost.nano
        if cost is None or nano is None:
            self.unpriced += 1
        elif cost.billing == "billed":
            self.cost_nano += nano
        else:
            self.estimate_nano += nano


class Times:
    """How long something took: a histogram.

    Args:
        bounds_us: Upper bounds of its buckets, ascending.
    """

    __slots__ = ("bounds_us", "buckets", "sum_us")

    def __init__(self, bounds_us: tuple[int, ...]) -> None:
        self.bounds_us = bounds_us
        self.buckets = [0] * (len(bounds_us) + 1)
        """Not cumulative; the last has no bound."""
        self.sum_us = 0

    def add(self, took_us: int) -> None:
        """One more."""
        self.buckets[bisect_left(self.bounds_us, took_us)] += 1
        self.sum_us += took_us
