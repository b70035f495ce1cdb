"""A limit per minute: a bucket that holds a minute's worth and fills all the time.

Never a moment at which a whole new minute's worth is there at once, as a window that
begins anew has it; the API's own limits work alike (platform.claude.com, "Rate
limits", read 2026-11-27). Kept as the moment at which it is full again (the generic
cell rate algorithm of ITU-T I.371), so that nothing has to be filled before a look.
Pure: the time is given, by a clock that never steps. Used by limits/rates.
"""

from math import ceil

_MINUTE_S = 60.0
_GRAIN_S = 1e-7
"""What sums of fractions may be off by, in seconds."""


class Bucket:
    """How much of something may be used now.

    Growth: three numbers.
    """

    __slots__ = ("_each_s", "_full_at", "per_minute")

    def __init__(self, per_minute: int, now: float) -> None:
        self.per_minute = per_minute
        self._each_s = _MINUTE_S / per_minute
        self._full_at = now

    def may_take(self, amount: float, now: float) -> bool:
        """Whether `amount` is there. What is more than a minute's worth needs a full bucket."""
        lacks_s = self._full_at - now
        if lacks_s <= _GRAIN_S:
            return True
        return lacks_s + amount * self._each_s <= _MINUTE_S + _GRAIN_S

    def try_take(self, amount: float, now: float) -> bool:
        """Use it where `may_take` says so."""
        lacks_s = self._full_at - now
        if lacks_s <= _GRAIN_S:
            self._full_at = now + amount * self._each_s
            return True
        after_s = lacks_s + amount * self._each_s
        if after_s > _MINUTE_S + _GRAIN_S:
            return False
        self._full_at = now + after_s
        return True

    def take(self, amount: float, now: float) -> None:
        """Use it, whether it is there or not; a negative amount gives back."""
        full_at = self._full_at
        self._full_at = max(now, full_at) + amount * self._each_s

    def wait_s(self, amount: float, now: float) -> int:
        """Whole seconds until `amount` may be taken, one at least."""
        return max(1, ceil(self._full_at - now + min(amount, self.per_minute) * self._each_s - _MINUTE_S - _GRAIN_S))

    def told(self, now: float) -> tuple[int, float]:
        """What remains, whole and not below 0, and the seconds until it is full again."""
        lacks_s = self._full_at - now
        if lacks_s <= _GRAIN_S:
            return self.per_minute, 0.0
        left_s = _MINUTE_S - lacks_s
        return (int((left_s + _GRAIN_S) / self._each_s) if left_s > 0 else 0), lacks_s

    def set_level(self, level: float, now: float) -> None:
        """What is there, where somebody else counts it."""
        self._full_at = now + (self.per_minute - level) * self._each_s

    def resize(self, per_minute: int, now: float) -> None:
        """Another limit from now on; what was used stays used."""
        used = max(0.0, self._full_at - now) / self._each_s
        self.per_minute = per_minute
        self._each_s = _MINUTE_S / per_minute
        self._full_at = now + used * self._each_s
