"""What is held for batches: it outlives the gateway that has made it, and any other may learn the truth.

So it belongs to no gateway, but to the batch, by its name; it is told whole, and made again
from the ledger where the counters are lost. Used by gateway/objects/holds.

Growth: on the server two fields for each batch in each tally of its key.
"""

from collections.abc import Iterable, Sequence

import msgspec

from clearway.core.usage import Cost, Usage
from clearway.limits.protocol import Estimate, Reservation
from clearway.limits.shared.held import SharedHeld, Wanted
from clearway.limits.shared.keeper import SharedKeeper
from clearway.limits.shared.keys import Places
from clearway.limits.shared.stake import Stake


class Running(msgspec.Struct, frozen=True):
    """A batch whose use is not known yet."""

    name: str
    """Tells it from all others."""
    key_id: str
    since_us: int
    estimates: Sequence[Estimate]


class SharedBatches:
    """Implements `limits.protocol.BatchHolds`.

    Args:
        keeper: Has the stakes.
    """

    def __init__(self, keeper: SharedKeeper) -> None:
        self._keeper = keeper

    def keep(self, name: str, reservations: Iterable[Reservation]) -> None:
        """What is held for a batch is its own from now on."""
        sums: dict[Stake, list[int]] = {}
        for reservation in reservations:
            if isinstance(reservation, SharedHeld):
                stakes, nano, tokens = reservation.hand_over()
                for stake in stakes:
                    of = sums.setdefault(stake, [0, 0])
                    of[0] += nano
                    of[1] += tokens
        for stake, (nano, tokens) in sums.items():
            self._keeper.tell_always(Named(stake, name, nano, tokens))

    def settle(self, name: str, key_id: str, since_us: int, usage: Usage | None, cost: Cost | None) -> None:
        """Book what it used, and give back what was held; None: nothing was used, or it was never told."""
        for stake in self._keeper.stakes_of(key_id):
            if stake.tally.span.has(since_us):
                self._keeper.tell_always(Named(stake, name, 0, 0))
        if usage is not None or cost is not None:
            self._keeper.count_in(key_id, since_us, usage, cost)

    def lost(self, stake: Stake, batches: Iterable[Running]) -> "list[Named]":
        """What has to be held again in a tally that is made anew."""
        return [
            Named(stake, batch.name, *self._needs(batch))
            for batch in batches
            if stake.key_id in {None, batch.key_id} and stake.tally.span.has(batch.since_us)
        ]

    def _needs(self, batch: Running) -> tuple[int, int]:
        nano = tokens = 0
        for estimate in batch.estimates:
            wanted = Wanted(estimate, self._keeper.ceiling_of(estimate, batch.since_us))
            nano += wanted.nano(estimate.output_tokens)
            tokens += estimate.input_tokens + estimate.output_tokens
        return nano, tokens


class Named:
    """What a batch holds in a tally."""

    def __init__(self, stake: Stake, name: str, nano: int, tokens: int) -> None:
        self._stake = stake
        self._name = name
        self._nano = nano
        self._tokens = tokens

    def write(self, places: Places) -> Sequence[object]:
        """All of it."""
        stake = self._stake
        return ("named", places.of(stake.name), stake.until_ms, self._name, str(self._nano), str(self._tokens))

    def heard(self, answer: object) -> None:
        """Nothing is said."""

    def lost(self) -> None:
        """It will be told when there is somebody."""
