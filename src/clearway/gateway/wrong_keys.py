"""How many wrong keys a source may show: what guessing costs, and nobody else pays.

Owns the count and the decision; where a request comes from is the door's to say.
A wrong key is one of ours that is mistyped, unknown, expired, revoked or replaced.
Past `server.wrong_keys_per_minute` a source's further wrong keys get 429. Right keys
of the same source still pass; but once it has shown that many *different* wrong ones, only
those pass that were seen from it before: otherwise the answer to a guess would still
tell a right one from a wrong one. Decision 0018.
Used by gateway/authenticate. It outlives the walk of one configuration.

Growth: 4,096 sources with 65,536 numbers together, the one that was wrong longest ago
goes first; 16,384 pairs of a source and a right key.
"""

import math
from collections import OrderedDict

import structlog

from clearway.core.clock import Clock
from clearway.core.errors import LimitExceeded

log = structlog.get_logger()

_WINDOW_S = 60.0
_MOST_SOURCES = 4096
_MOST_HASHES = 65_536
_MOST_PAIRS = 16_384


class _Tries:
    """The wrong keys of one source since its first."""

    __slots__ = ("count", "hashes", "is_told", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.count = 0
        self.is_told = False
        """It is in the log."""
        self.hashes: set[bytes] = set()
        """Beginnings of the different ones: one that is shown again and again by a client
        that was set up wrongly is no guessing."""


class WrongKeys:
    """Counts wrong keys by source.

    Args:
        clock: Only its monotonic side is used.
        per_minute: How many are answered as such; 0: all.
    """

    def __init__(self, clock: Clock, per_minute: int) -> None:
        self._clock = clock
        self._most = per_minute
        self._sources: OrderedDict[str, _Tries] = OrderedDict()
        self._right: OrderedDict[tuple[str, bytes], None] = OrderedDict()
        self._held = 0

    def adjust(self, per_minute: int) -> None:
        """Another number from now on."""
        self._most = per_minute

    def check(self, source: str, secret_hash: bytes) -> None:
        """Before a key is looked up.

        Raises:
            LimitExceeded: The source has guessed too much to be told about this one.
        """
        if not self._sources:  # nearly always
            return
        tries = self._tries(source)
        if tries is None or not self._most or len(tries.hashes) < self._most or (source, secret_hash) in self._right:
            return
        tries.count += 1
        raise self._refusal(source, tries)

    def was_right(self, source: str, secret_hash: bytes) -> None:
        """A key was good."""
        pair = (source, secret_hash)
        if pair not in self._right:
            if len(self._right) >= _MOST_PAIRS:
                # The first that came: where it is still used, it comes again.
                self._right.popitem(last=False)
            self._right[pair] = None

    def was_wrong(self, source: str, secret_hash: bytes) -> None:
        """A key was wrong.

        Raises:
            LimitExceeded: One too many.
        """
        if not self._most:
            return
        self._right.pop((source, secret_hash), None)
        tries = self._tries(source)
        if tries is None:
            tries = self._sources[source] = _Tries(self._clock.monotonic())
        self._sources.move_to_end(source)
        tries.count += 1
        self._remember(tries, secret_hash[:8])
        if tries.count > self._most:
            raise self._refusal(source, tries)

    def _remember(self, tries: _Tries, beginning: bytes) -> None:
        if beginning not in tries.hashes:
            tries.hashes.add(beginning)
            self._held += 1
        while len(self._sources) > _MOST_SOURCES or (self._held > _MOST_HASHES and len(self._sources) > 1):
            _, oldest = self._sources.popitem(last=False)
            self._held -= len(oldest.hashes)

    def _tries(self, source: str) -> _Tries | None:
        """Of the minute that is running, if any is."""
        tries = self._sources.get(source)
        if tries is not None and self._clock.monotonic() - tries.since >= _WINDOW_S:
            del self._sources[source]
            self._held -= len(tries.hashes)
            return None
        return tries

    def _refusal(self, source: str, tries: _Tries) -> LimitExceeded:
        if not tries.is_told:
            tries.is_told = True
            log.warning("wrong_keys_slowed", source=source, wrong=tries.count, different=len(tries.hashes))
        left_s = max(1, math.ceil(_WINDOW_S - (self._clock.monotonic() - tries.since)))
        hint = f"see which key this client sends, and try again in {left_s} s; keys in use are not affected"
        message = f"over {self._most} wrong Clearway keys came from this address within a minute"
        return LimitExceeded(message, hint=hint, retry_after_s=left_s)
