"""Failed sign-ins make the next one wait: for each source, and for all together.

Counts before it is known how an attempt ends, so that many at once are no way round.
Growth: `_MOST_SOURCES` small records, and the times of `_MOST_TOGETHER` failures.
A source behind a proxy is the proxy's address: then all share one count. Sign-in links
have full entropy and are not slowed by the failures of others. Used by server/admin/app.
"""

import ipaddress
import math
from collections import OrderedDict, deque

from clearway.core.clock import Clock

_FREE = 5
"""Failures of a source before it waits."""
_LONGEST_S = 300.0
_FORGET_S = 900.0
"""After so long without another failure a source is new again."""
_MOST_TOGETHER = 30
"""Failures of all sources within `_TOGETHER_S`."""
_TOGETHER_S = 60.0
_MOST_SOURCES = 1024
_MOST_DOUBLINGS = 16
_NETWORK_BITS = 64


class _Source:
    __slots__ = ("failures", "last", "until")

    def __init__(self) -> None:
        self.failures = 0
        self.last = 0.0
        self.until = 0.0


class Slowdown:
    """One for the process; used from the event loop's thread.

    Args:
        clock: Only its monotonic side is used.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self._together: deque[float] = deque()

    def begin(self, address: str) -> int:
        """An attempt comes; it counts as failed until `succeeded` says otherwise.

        Returns:
            0: go on. Otherwise the seconds to wait; then it does not count.
        """
        now = self._clock.monotonic()
        while self._together and self._together[0] <= now - _TOGETHER_S:
            self._together.popleft()
        source = self._find(address, now)
        waits = source.until - now
        if len(self._together) >= _MOST_TOGETHER:
            waits = max(waits, self._together[0] + _TOGETHER_S - now)
        if waits > 0:
            return math.ceil(waits)
        self._together.append(now)
        source.failures += 1
        source.last = now
        if source.failures >= _FREE:
            source.until = now + min(2.0 ** min(source.failures - _FREE, _MOST_DOUBLINGS), _LONGEST_S)
        return 0

    def succeeded(self, address: str) -> None:
        """The attempt was right."""
        self._sources.pop(_network(address), None)
        if self._together:
            self._together.pop()

    def _find(self, address: str, now: float) -> _Source:
        name = _network(address)
        source = self._sources.get(name)
        if source is None or now - max(source.last, source.until) > _FORGET_S:
            source = self._sources[name] = _Source()
            source.last = now
        self._sources.move_to_end(name)
        if len(self._sources) > _MOST_SOURCES:
            self._sources.popitem(last=False)
        return source


def _network(address: str) -> str:
    """Of IPv6 the network: who has one address there has them all."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, _NETWORK_BITS), strict=False))
    return str(found)
