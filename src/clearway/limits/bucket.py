"""A limit per minute: a bucket that holds a minute's worth and fills all the time.

Never a moment at which a whole new minute's worth is there at once, as a window that
begins anew has it; the API's own limits work alike (platform.claude.com, "Rate
limits", read 2026-11-27). Pure: the time is given, by a clock that never steps.
Used by limits/rates.
"""

from math import ceil

_MINUTE_S = 60.0


class Bucket:
    """How much of something may be used now.

    Growth: four numbers.
    """

    __slots__ = ("_at", "_level", "_per_second", "per_minute")

    def __init__(self, per_minute: int, now: float) -> None:
        self.per_minute = per_minute
        self._per_second = per_minute / _MINUTE_S
        self._level = float(per_minute)
        self._at = now

    def level(self, now: float) -> float:
        """What is there; below 0 where more was used than was known beforehand."""
        passed = now - self._at
        if passed > 0:
            self._at = now
            level = self._level + passed * self._per_second
            self._level = level if level < self.per_minute else float(self.per_minute)
        return self._level

    def may_take(self, amount: float, now: float) -> bool:
        """Whether `amount` is there. What is more than a minute's worth needs a full bucket."""
        return self.level(now) >= amount or (amount > self.per_minute and self._level >= self.per_minute)

    def try_take(self, amount: float, now: float) -> bool:
        """Use it where `may_take` says so."""
        if not self.may_take(amount, now):
            return False
        self._level -= amount
        return True

    def take(self, amount: float, now: float) -> None:
        """Use it, whether it is there or not; a negative amount gives back."""
        level = self.level(now) - amount
        self._level = level if level < self.per_minute else float(self.per_minute)

    def wait_s(self, amount: float, now: float) -> int:
        """Whole seconds until `amount` may be taken, one at least."""
        lacks = min(amount, self.per_minute) - self.level(now)
        return max(1, ceil(lacks / self._per_second))

    def told(self, now: float) -> tuple[int, float]:
        """What remains, whole and not below 0, and the seconds until it is full again."""
        level = self.level(now)
        return max(0, int(level)), (self.per_minute - level) / self._per_second

    def resize(self, per_minute: int, now: float) -> None:
        """Another limit from now on; what was used stays used."""
        used = self.per_minute - self.level(now)
        self.per_minute = per_minute
        self._per_second = per_minute / _MINUTE_S
        self._level = per_minute - used
