"""What runs for which key, so that it ends when the key does.

Owns the look at what runs: at once when keys change, and every second for what expires.
Answers that run for a revoked or expired key, or one whose budget was lowered below what
is spent and held, are ended as `gateway/pipeline` ends what it refuses. Secrets that
were rotated out are another matter: what they began is finished.

Growth: one entry for each exchange that runs for a key.
"""

import asyncio

import msgspec

from clearway.core.clock import Clock
from clearway.core.errors import GatewayError, NotAuthenticated
from clearway.gateway.bookkeeping import Exchange
from clearway.keys import policy
from clearway.keys.model import Key
from clearway.ledger.protocol import KeyRing
from clearway.limits.protocol import Limiter

_LOOK_EVERY_S = 1.0


class Running:
    """The exchanges of all keys.

    Args:
        ring: The keys as they are now.
        limiter: Knows what was lowered.
        clock: For expiry.
    """

    def __init__(self, ring: KeyRing, limiter: Limiter, clock: Clock) -> None:
        self._ring = ring
        self._limiter = limiter
        self._clock = clock
        self._by_key: dict[str, dict[Exchange, _Run]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, key: Key, exchange: Exchange) -> None:
        """The current task answers an exchange."""
        task = asyncio.current_task()
        if task is None:
            return
        self._by_key.setdefault(key.id, {})[exchange] = _Run(task, key)
        if self._timer is None:
            self._timer = task.get_loop().call_later(_LOOK_EVERY_S, self._look_again)

    def remove(self, key: Key, exchange: Exchange) -> None:
        """It is over."""
        own = self._by_key.get(key.id)
        if own is not None:
            own.pop(exchange, None)
            if not own:
                del self._by_key[key.id]

    def look(self) -> None:
        """End what may not run any more."""
        for key_id, own in list(self._by_key.items()):
            current = self._ring.by_id(key_id)
            if current is None:
                continue  # made since this copy of the keys was read
            verdict = policy.judge_key(current, self._clock.now_us())
            for exchange, run in list(own.items()):
                if isinstance(verdict, policy.Deny):
                    _stop(exchange, run, NotAuthenticated(verdict.reason, hint=verdict.hint))
                elif run.key.budgets != current.budgets:
                    _stop(exchange, run, self._limiter.overdrawn(current))

    def _look_again(self) -> None:
        self._timer = None
        if self._by_key:
            self.look()
            self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY_S, self._look_again)


class _Run(msgspec.Struct, frozen=True):
    """What answers an exchange, and its key as it was let in."""

    task: asyncio.Task[object]
    key: Key


def _stop(exchange: Exchange, run: _Run, error: GatewayError | None) -> None:
    if error is not None and exchange.stopped_by is None and not exchange.settled:
        exchange.stopped_by = error
        run.task.cancel()
