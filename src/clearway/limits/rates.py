"""The limits of one key in time: requests and tokens per minute, requests at one moment.

Owns the buckets; what a refusal says is in limits/refusals. The counting of tokens has
a bucket of its own, because Claude Code asks for it in bursts (25 within 50 ms,
measured with 2.1.329). Used by limits/keeper.

Growth: at most four buckets for each key.
"""

from typing import Literal

from clearway.keys.model import Key
from clearway.limits.bucket import Bucket

Limit = Literal["requests", "input-tokens", "output-tokens", "count-tokens"]
"""What is limited per minute, named as the API's own headers name it."""


class Rates:
    """Of one key. None: there is no such limit. Is also the `Entry` of each of its exchanges."""

    __slots__ = ("counting", "input_tokens", "output_tokens", "requests", "running")

    def __init__(self) -> None:
        self.requests: Bucket | None = None
        self.input_tokens: Bucket | None = None
        self.output_tokens: Bucket | None = None
        self.counting: Bucket | None = None
        self.running = 0

    def set(self, key: Key, count_tokens_per_minute: int, now: float) -> None:
        """Take the key's limits as they are now; what was used stays used."""
        self.requests = _resized(self.requests, key.requests_per_minute, now)
        self.input_tokens = _resized(self.input_tokens, key.input_tokens_per_minute, now)
        self.output_tokens = _resized(self.output_tokens, key.output_tokens_per_minute, now)
        self.counting = _resized(self.counting, count_tokens_per_minute, now)

    @property
    def shown(self) -> tuple[Bucket | None, Bucket | None, Bucket | None]:
        """Those that clients are told of: requests, input and output tokens."""
        return self.requests, self.input_tokens, self.output_tokens

    @property
    def counts_tokens(self) -> bool:
        """There is a limit for tokens."""
        return self.input_tokens is not None or self.output_tokens is not None

    def leave(self) -> None:
        """One exchange less."""
        self.running -= 1

    def take_tokens(self, prompt: int, output: int, now: float) -> None:
        """Use them, whether they are there or not; negative: give them back."""
        if self.input_tokens is not None:
            self.input_tokens.take(prompt, now)
        if self.output_tokens is not None:
            self.output_tokens.take(output, now)


def _resized(bucket: Bucket | None, per_minute: int | None, now: float) -> Bucket | None:
    if per_minute is None:
        return None
    if bucket is None:
        return Bucket(per_minute, now)
    if bucket.per_minute != per_minute:
        bucket.resize(per_minute, now)
    return bucket
