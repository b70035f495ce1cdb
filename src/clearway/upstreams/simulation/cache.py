"""The simulated prompt cache: which prefixes were seen, and until when.

As at the real API: a prefix is written at a breakpoint and read by any later
request of the same model that begins with it and has a breakpoint at or after it;
reading makes it young again. Unlike there, the shortest prompt counts too.

Growth: at most `size` prefixes (the least recently used go first), about 200 bytes each.
"""

from collections import OrderedDict

import msgspec

from clearway.core.clock import Clock
from clearway.upstreams.simulation.prompt import Mark, Prompt, tokens

_TTL_S = {"5m": 300.0, "1h": 3600.0}


class Charge(msgspec.Struct, frozen=True):
    """How a prompt is billed, in tokens; the four add up to the whole prompt."""

    input_tokens: int
    read_tokens: int
    write_5m_tokens: int
    write_1h_tokens: int


class _Entry(msgspec.Struct):
    ttl_s: float
    expires: float
    """By the monotonic clock."""


class PromptCache:
    """Remembers prefixes.

    Args:
        clock: Decides when a prefix is too old.
        size: The most prefixes that are remembered.
    """

    def __init__(self, clock: Clock, size: int = 4096) -> None:
        self._clock = clock
        self._size = size
        self._entries: OrderedDict[tuple[str, bytes], _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def charge(self, model: str, prompt: Prompt) -> Charge:
        """Bill a prompt and remember its prefixes: called once for each answer."""
        if not prompt.marks:
            return Charge(prompt.tokens, 0, 0, 0)
        now = self._clock.monotonic()
        found = self._longest(model, prompt, now)
        read = done = tokens(prompt.ends[found]) if found >= 0 else 0
        written = {"5m": 0, "1h": 0}
        for mark in prompt.marks:
            if mark.place > found:
                upto = tokens(prompt.ends[mark.place])
                written[mark.ttl] += upto - done
                done = upto
            self._remember(model, prompt, mark, now)
        return Charge(prompt.tokens - done, read, written["5m"], written["1h"])

    def _longest(self, model: str, prompt: Prompt, now: float) -> int:
        """The index of the last part that is read from the cache; -1 for none."""
        for place in range(prompt.marks[-1].place, -1, -1):
            key = (model, prompt.hashes[place])
            entry = self._entries.get(key)
            if entry is None:
                continue
            if entry.expires > now:
                entry.expires = now + entry.ttl_s
                self._entries.move_to_end(key)
                return place
            del self._entries[key]
        return -1

    def _remember(self, model: str, prompt: Prompt, mark: Mark, now: float) -> None:
        key = (model, prompt.hashes[mark.place])
        entry = self._entries.get(key)
        ttl_s = _TTL_S[mark.ttl]
        if entry is not None and entry.expires > now:
            ttl_s = entry.ttl_s  # a read keeps the life that was paid for
        self._entries[key] = _Entry(ttl_s, now + ttl_s)
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
