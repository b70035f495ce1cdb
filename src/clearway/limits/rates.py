"""The limits of one key in time: requests and tokens per minute, requests at one moment.

Owns the buckets and the judgement; what a refusal says is in limits/refusals.
The counting of tokens has a bucket of its own, because Claude Code asks for it in
bursts (25 within 50 ms, measured with 2.1.329). Used by limits/keeper.

Growth: at most four buckets for each key.
"""

from typing import Literal

from clearway.keys.model import Key
from clearway.limits.bucket import Bucket

Limit = Literal["requests", "input-tokens", "output-tokens", "count-tokens"]
"""What is limited per minute, named as the API's own headers name it."""


class Rates:
    """Of one key."""

    __slots__ = ("buckets", "running")

    def __init__(self) -> None:
        self.buckets: dict[Limit, Bucket] = {}
        self.running = 0

    def set(self, key: Key, count_tokens_per_minute: int, now: float) -> None:
        """Take the key's limits as they are now; what was used stays used."""
        wanted: dict[Limit, int | None] = {
            "requests": key.requests_per_minute,
            "input-tokens": key.input_tokens_per_minute,
            "output-tokens": key.output_tokens_per_minute,
            "count-tokens": count_tokens_per_minute,
        }
        for limit, per_minute in wanted.items():
            bucket = self.buckets.get(limit)
            if per_minute is None:
                self.buckets.pop(limit, None)
            elif bucket is None:
                self.buckets[limit] = Bucket(per_minute, now)
            elif bucket.per_minute != per_minute:
                bucket.resize(per_minute, now)

    def lacks(self, limit: Limit, amount: float, now: float) -> Bucket | None:
        """The bucket in which `amount` is not there; None: it is, or there is no such limit."""
        bucket = self.buckets.get(limit)
        return None if bucket is None or bucket.may_take(amount, now) else bucket

    def take(self, limit: Limit, amount: float, now: float) -> None:
        """Use it; negative: give it back."""
        bucket = self.buckets.get(limit)
        if bucket is not None:
            bucket.take(amount, now)
