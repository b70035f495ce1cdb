"""What is reserved for batches that run, for hours, until their results tell the truth.

The reservations are held in this process and can be made again at its next start from
what the ledger keeps of each batch (`ledger.ownership.Share`). The period is that
of the batch's admission, for the hold and for the truth.
Growth: one entry for each batch whose results nobody has read, 30 days at most.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from types import CoroutineType

from clearway.core.clock import Clock
from clearway.core.usage import Cost, Usage
from clearway.keys.model import Key
from clearway.ledger.ownership import Owned, Share
from clearway.limits.protocol import BatchHolds, Estimate, Limiter, Reservation

_LONGEST_US = 30 * 86_400 * 1_000_000
"""Results can be had for 29 days (platform.claude.com, "Batch processing", read 2026-08-22)."""


class Hold:
    """The reservations of one batch, which end together.

    Args:
        reservations: One for each model.
        since_us: When the batch was admitted.
    """

    def __init__(self, reservations: Sequence[Reservation], since_us: int) -> None:
        self._reservations = list(reservations)
        self.since_us = since_us

    def settle(self, usage: Usage | None, cost: Cost | None) -> None:
        """Book what all of it used; None: it was never told."""
        reservations, self._reservations = self._reservations, []
        if usage is None:
            for reservation in reservations:
                reservation.settle(None, None)
            return
        # Limits count tokens and money, not models: the first bears all.
        for reservation in reservations[:1]:
            reservation.settle(usage, cost)
        for reservation in reservations[1:]:
            reservation.release()

    def hand_over(self) -> Sequence[Reservation]:
        """Somebody else ends them."""
        reservations, self._reservations = self._reservations, []
        return reservations

    def release(self) -> None:
        """Give everything back: certainly nothing was used."""
        reservations, self._reservations = self._reservations, []
        for reservation in reservations:
            reservation.release()


class Holds:
    """Holds by batch. Used from the event loop only.

    Args:
        limiter: Grants the reservations.
        clock: To let go of what can never be told any more.
        shared: Keeps them where gateways share their counters; None: this process does.
    """

    def __init__(self, limiter: Limiter, clock: Clock, shared: BatchHolds | None = None) -> None:
        self._limiter = limiter
        self._shared = shared
        self._clock = clock
        self._open: dict[tuple[str, str], Hold] = {}

    def __len__(self) -> int:
        """Batches that are held for."""
        return len(self._open)

    async def reserve(self, key: Key | None, shares: Iterable[Share], admitted_us: int) -> Hold:
        """Hold for all of `shares`, or for none.

        Raises:
            LimitExceeded: A limit or budget refuses.
        """
        held: list[Reservation] = []
        try:
            for share in shares:
                one = self._limiter.reserve(key, partial(estimate_of_share, share), admitted_us=admitted_us)
                held.append(await one if isinstance(one, CoroutineType) else one)
        except BaseException:
            Hold(held, admitted_us).release()
            raise
        return Hold(held, admitted_us)

    def keep(self, owned: Owned, hold: Hold) -> None:
        """The batch runs: the hold stays until `settle`."""
        if self._shared is not None:
            self._shared.keep(name_of(owned), hold.hand_over())
            return
        self._let_go()
        self._open[owned.upstream, owned.id] = hold

    def settle(self, owned: Owned, usage: Usage | None, cost: Cost | None) -> None:
        """The truth is known. None: certainly nothing was used."""
        if self._shared is not None:
            self._shared.settle(name_of(owned), owned.key_id, owned.created_us, usage, cost)
            return
        hold = self._open.pop((owned.upstream, owned.id), None)
        if hold is None:
            return
        if usage is None:
            hold.release()
        else:
            hold.settle(usage, cost)

    def resume(self, batches: Iterable[tuple[Owned, Key]]) -> None:
        """Hold again for what was running when the process before this one ended: as much, in the same periods."""
        if self._shared is not None:
            # They are held there all the time.
            return
        oldest_us = self._clock.now_us() - _LONGEST_US
        for owned, key in batches:
            since_us = owned.created_us
            if since_us < oldest_us or (owned.upstream, owned.id) in self._open:
                continue
            held = [self._limiter.resume(key, estimate_of_share(share), admitted_us=since_us) for share in owned.held]
            self._open[owned.upstream, owned.id] = Hold(held, since_us)

    def _let_go(self) -> None:
        """What is over for ever without having been told was used all the same: the limiter decides."""
        oldest_us = self._clock.now_us() - _LONGEST_US
        for place in [place for place, hold in self._open.items() if hold.since_us < oldest_us]:
            self._open.pop(place).settle(None, None)


def name_of(owned: Owned) -> str:
    """Tells a batch from all others."""
    return f"{owned.upstream}/{owned.id}"


def estimate_of_share(share: Share) -> Estimate:
    """What is held for the requests of a batch for one model."""
    return Estimate(
        model=share.model,
        input_tokens=share.input_tokens,
        output_tokens=share.output_tokens,
        most_output=share.output_tokens,
    )


class Draft:
    """A batch that is being made, and what is held for it.

    Args:
        hold: To be kept, given back or given up.
        shares: What it is for.
    """

    def __init__(self, hold: Hold, shares: tuple[Share, ...]) -> None:
        self._hold: Hold | None = hold
        self.shares = shares
        self.is_refused = False
        """Certainly nothing was made."""

    def keep(self, holds: Holds, owned: Owned) -> None:
        """It was made."""
        if self._hold is not None:
            holds.keep(owned, self._hold)
            self._hold = None

    def end(self) -> None:
        """It is over. What may have been made without anybody's knowing is for the limiter to judge."""
        hold, self._hold = self._hold, None
        if hold is None:
            return
        if self.is_refused:
            hold.release()
        else:
            hold.settle(None, None)
