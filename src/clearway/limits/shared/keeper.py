"""Keeps keys to their limits and budgets together with the other gateways on the same ledger.

Owns the same decisions as limits/keeper, which it is but for who makes them: the script
on the Valkey, for all gateways at once (decision 0016). What this gateway has there is in
its stakes; the tallies and buckets of the keeper show what was heard last, for what is
told of limits. Nobody waits longer than a second; without an answer what is limited is
refused. Made by compose where `limits.valkey_url` is set.

Growth: as limits/keeper, and a stake for each tally.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import CoroutineType
from typing import Any, cast

from clearway.core.clock import Clock
from clearway.core.errors import GatewayError, LimitsUnavailable
from clearway.core.exchange import Endpoint
from clearway.core.usage import Cost, Usage
from clearway.keys.model import Key
from clearway.limits import refusals
from clearway.limits.held import NO_ENTRY, Counted
from clearway.limits.keeper import Begun, Ceilings, Keeper, Kept, Settings, state_of
from clearway.limits.protocol import OUTPUT_SLICE, Entry, Estimate, Later, Reservation
from clearway.limits.rates import Limit
from clearway.limits.shared.held import (
    AGAIN_S,
    PATIENCE_S,
    Asking,
    SharedEntry,
    SharedHeld,
    Wanted,
    take_in,
    written_shares,
)
from clearway.limits.shared.keys import Names, Places
from clearway.limits.shared.post import Letter, Post
from clearway.limits.shared.stake import Gone, Look, Run, Stake, Used
from clearway.limits.tally import Account, Share, Tally
from clearway.pricing.ceiling import Ceiling

_SWEEP_BEATS = 120
"""A minute."""
_LOOKS = 64
"""Tallies whose sums are asked for with each beat, beside those in which something is held."""


class SharedKeeper(Keeper):
    """Implements `limits.protocol.Limiter`.

    Args:
        settings: What holds for everybody.
        clock: The time; what is limited per minute goes by the server's.
        ceilings: Prices.
        names: Of the keys on the server.
        on_spent: Told of a budget after something was spent of it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        ceilings: Ceilings,
        names: Names,
        on_spent: Callable[[Share], float] | None = None,
    ) -> None:
        super().__init__(settings, clock=clock, ceilings=ceilings, on_spent=on_spent)
        self.names = names
        self._stakes: dict[str, Stake] = {}
        """By name."""
        self._by_tally: dict[Tally, Stake] = {}
        self._runs: dict[str, Run] = {}
        self._looked_at = 0
        self._beats = 0
        self.post: Post | None = None
        """Given by compose, which makes both."""
        self.load: Callable[[], None] = lambda: None
        """Has the tallies loaded: it is this gateway's turn."""

    # What is decided on the server.

    # Wider than the keeper of one gateway: this one may have to be waited for.

    def enter(self, key: Key | None, endpoint: Endpoint) -> "Later[Entry]":  # type: ignore[override]  # as above
        """See `Limiter.enter`."""
        kept = self._kept_of(key)
        if key is None or kept is None or endpoint == "models":
            return NO_ENTRY
        run = self._run_of(kept)
        if endpoint == "count_tokens":
            return self._ask(_Counting(self, kept, run))
        if not run.is_shared:
            run.count += 1
            return SharedEntry(self, run)
        return self._ask(_Entering(self, kept, run))

    def reserve(  # type: ignore[override]  # as above
        self, key: Key | None, estimate: Callable[[], Estimate], *, admitted_us: int
    ) -> "Later[Reservation]":
        """See `Limiter.reserve`."""
        kept = self._kept_of(key)
        if kept is None and not self._gateway.shares:
            return Counted(self, key, admitted_us)
        wanted = estimate()
        shares = self.shares(key, wanted.billing, admitted_us)
        ceiling = self._ceiling(wanted, admitted_us) if any(share.is_money for share in shares) else None
        run = None if kept is None else self._run_of(kept)
        stakes = self.stakes_of(None if key is None else key.id)
        return self._ask(_Reserving(self, key, kept, Wanted(wanted, ceiling), shares, stakes, run, admitted_us))

    def _ask(self, question: "_Question") -> "CoroutineType[Any, Any, Any]":
        # What a coroutine function returns; the types of the library say less.
        return cast("CoroutineType[Any, Any, Any]", self._answer(question))

    async def _answer(self, question: "_Question") -> Any:  # noqa: ANN401  # what the question is for
        """Ask until there is an answer, for a second at most; what is granted too late is given back."""
        waiting = question.waiting
        loop = asyncio.get_running_loop()
        timer = loop.call_later(PATIENCE_S, question.lost)
        self.ask(question)
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                question.undo(waiting.result())
            raise
        finally:
            timer.cancel()

    # What questions and reservations need of it: `limits.shared.held.Desk`.

    def stakes_of(self, key_id: str | None) -> list[Stake]:
        """Where it is counted and held: everything of a key, and of the gateway."""
        own = None if key_id is None else self._account_of(key_id)
        accounts = [(key_id, own), (None, self._gateway)]
        return [
            self._stake(whose, tally) for whose, account in accounts if account is not None for tally in account.tallies
        ]

    def count_in(
        self,
        key_id: str | None,
        admitted_us: int,
        usage: Usage | None,
        cost: Cost | None,
        stakes: Sequence[Stake] = (),
    ) -> None:
        """Add what was used to `stakes`, and to those that have begun since."""
        counted = dict.fromkeys(stakes)
        counted |= dict.fromkeys(stake for stake in self.stakes_of(key_id) if stake.tally.span.has(admitted_us))
        for stake in counted:
            stake.spend(usage, cost)
            self.tell(stake)

    def ceiling_of(self, estimate: Estimate, admitted_us: int) -> Ceiling | None:
        """The dearest rates, where they are known."""
        return self._ceilings(estimate, admitted_us)

    def tell_always(self, letter: Letter) -> None:
        """Something stands that is nobody's own."""
        if self.post is not None:
            self.post.tell(letter)

    def count(
        self,
        key: Key | None,
        admitted_us: int,
        usage: Usage | None,
        cost: Cost | None,
        tallies: Sequence[Tally],  # noqa: ARG002  # stakes are counted by `count_in`
    ) -> None:
        """What was used where nothing was limited."""
        self.count_in(None if key is None else key.id, admitted_us, usage, cost)

    def tell(self, letter: Letter) -> None:
        """Something has changed."""
        if self.post is None:
            return
        if isinstance(letter, Used):
            self.post.ask(letter)
        elif not isinstance(letter, Stake) or letter.is_known:
            self.post.tell(letter)

    def ask(self, letter: "Asking | _Question") -> None:
        """Send a question."""
        if self.post is not None:
            self.post.ask(letter)

    def not_ready(self, answer: Sequence[object], stakes: Sequence[Stake]) -> None:
        """A tally is not there yet, or not known of us: see to it, so that the question may be asked again."""
        if answer[0] == "own":
            for place in cast("Sequence[int]", answer[1]):
                self.tell(stakes[place - 1])
        elif answer[1]:
            self.load()

    def unavailable(self) -> GatewayError:
        """Nobody answers."""
        return LimitsUnavailable(
            "the shared counters of limits and budgets cannot be reached",
            hint="try again in a moment; the owner of the gateway can see why with: clearway doctor",
            retry_after_s=1,
        )

    # What stands on the server.

    def known(self, begun: Iterable[Begun]) -> Iterator[tuple[Stake, Begun]]:
        """The stakes that begin with what `set_keys` returned."""
        for one in begun:
            stake = self._stake(one.key_id, one.tally)
            stake.begin(one.tally)
            yield stake, one

    def current(self) -> list[Stake]:
        """In every tally that is in force."""
        accounts: list[tuple[str | None, Account]] = [(None, self._gateway)]
        accounts += [(key_id, kept.account) for key_id, kept in self._kept.items()]
        now_us = self._clock.now_us()
        for _, account in accounts:
            account.roll(now_us)
        return [self._stake(whose, tally) for whose, account in accounts for tally in account.tallies]

    def standing(self) -> list[Letter]:
        """All that this gateway has there."""
        stakes = [stake for stake in self._stakes.values() if stake.is_known and not stake.is_empty]
        return [*stakes, *(run for run in self._runs.values() if run.count and run.is_shared)]

    def beat(self) -> list[Letter]:
        """What is worth a look: what something is held in, and some of the others in turn."""
        stakes = list(self._stakes.values())
        held = [stake for stake in stakes if stake.own.held_tokens][:_LOOKS]
        start = self._looked_at if self._looked_at < len(stakes) else 0
        self._looked_at = start + _LOOKS
        looked = dict.fromkeys([*held, *stakes[start : start + _LOOKS]])
        self._beats += 1
        return [*(Look(stake) for stake in looked), *(self._outlived() if self._beats % _SWEEP_BEATS == 0 else ())]

    def _outlived(self) -> list[Letter]:
        """Forget what is over: keys that are gone, and tallies that the server forgets as well. Begin new periods."""
        self.current()
        for key_id in [key_id for key_id, run in self._runs.items() if not run.count and key_id not in self._kept]:
            del self._runs[key_id]
        now_ms = self._clock.now_us() // 1000
        over = [stake for stake in self._stakes.values() if stake.until_ms and stake.until_ms < now_ms]
        gone = [stake for stake in over if not (stake.own.held_nano or stake.own.held_tokens)][:_LOOKS]
        for stake in gone:
            del self._stakes[stake.name]
        self._by_tally = {stake.tally: stake for stake in self._stakes.values()}
        return [Gone(stake) for stake in gone]

    @property
    def is_limiting(self) -> bool:
        """Something would be refused where nobody answers."""
        return bool(self._kept or self._gateway.shares)

    def set_keys(self, keys: Iterable[Key]) -> list[Begun]:
        """See `Keeper.set_keys`."""
        begun = super().set_keys(keys)
        for key_id, run in list(self._runs.items()):
            kept = self._kept.get(key_id)
            if kept is not None and run.is_shared != _is_counted(kept.key):
                run.is_shared = _is_counted(kept.key)
                self.tell(run)
        return begun

    def heard(self, stake: Stake) -> None:
        """There are new sums."""
        account = self._account_of(stake.key_id)
        if self._on_spent is not None and account is not None:
            for share in account.shares:
                if share.tally is stake.tally and share.spent >= share.told_at:
                    share.told_at = self._on_spent(share)

    def short(self, kept: Kept, limit: Limit, wait_s: int) -> GatewayError:
        """A limit per minute is used up."""
        rates = kept.rates
        buckets = {
            "requests": rates.requests,
            "input-tokens": rates.input_tokens,
            "output-tokens": rates.output_tokens,
            "count-tokens": rates.counting,
        }
        bucket = buckets[limit]
        per_minute = 0 if bucket is None else bucket.per_minute
        fields = kept.told.fields(self.now(), self._clock.now_us())
        return refusals.rate(kept.key, limit, per_minute, wait_s, fields)

    def refused(self, kind: object, share: Share) -> GatewayError:
        """A budget is spent, or held."""
        state = state_of(share)
        if kind == "held":
            return refusals.held(state)
        return refusals.spent(state, self._clock.now_us(), self._settings.zone)

    def _kept_of(self, key: Key | None) -> Kept | None:
        return None if key is None else self._kept.get(key.id) or self._late(key)

    def _stake(self, key_id: str | None, tally: Tally) -> Stake:
        """In a tally. One that a new period begins with knows all: nothing was spent in it before."""
        stake = self._by_tally.get(tally)
        if stake is None:
            name = self.names.tally(key_id, tally.span)
            stake = self._stakes.get(name)
            if stake is None:
                stake = self._stakes[name] = Stake(name, key_id, tally, self.heard)
            self._by_tally[tally] = stake
        return stake

    def _run_of(self, kept: Kept) -> Run:
        run = self._runs.get(kept.key.id)
        if run is None or run.rates is not kept.rates:
            run = Run(self.names.rates(kept.key.id), kept.rates)
            run.is_shared = _is_counted(kept.key)
            self._runs[kept.key.id] = run
        return run


def _is_counted(key: Key) -> bool:
    """Whether entering is a question."""
    return key.parallel is not None or key.requests_per_minute is not None


class _Question:
    """One question of a request that waits."""

    def __init__(self, keeper: SharedKeeper) -> None:
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        self.waiting: asyncio.Future[Any] = self._loop.create_future()

    def write(self, places: Places) -> Sequence[object]:
        """The question."""
        raise NotImplementedError

    def heard(self, answer: object) -> None:
        """The answer."""
        raise NotImplementedError

    def undo(self, granted: Any) -> None:  # noqa: ANN401  # what the question is for
        """Give back what was granted to nobody."""

    def lost(self) -> None:
        """Nobody answers, or too late."""
        self.fail(self._keeper.unavailable())

    def fail(self, error: GatewayError) -> None:
        """Say no."""
        if not self.waiting.done():
            self.waiting.set_exception(error)

    def grant(self, what: object) -> None:
        """Say yes; where nobody waits any more it is given back."""
        if self.waiting.done():
            self.undo(what)
        else:
            self.waiting.set_result(what)


class _Counting(_Question):
    """A request to count tokens."""

    def __init__(self, keeper: SharedKeeper, kept: Kept, run: Run) -> None:
        super().__init__(keeper)
        self._kept = kept
        self._run = run

    def write(self, places: Places) -> Sequence[object]:
        """The question."""
        counting = self._kept.rates.counting
        return ("count", places.of(self._run.name), 1 << 30 if counting is None else counting.per_minute)

    def heard(self, answer: object) -> None:
        """The answer."""
        said = cast("Sequence[Any]", answer)
        if said[0] == "ok":
            self.grant(NO_ENTRY)
        else:
            self.fail(self._keeper.short(self._kept, "count-tokens", said[2]))


class _Entering(_Question):
    """An exchange that is counted in."""

    def __init__(self, keeper: SharedKeeper, kept: Kept, run: Run) -> None:
        super().__init__(keeper)
        self._kept = kept
        self._run = run

    def write(self, places: Places) -> Sequence[object]:
        """The question."""
        return ("enter", places.of(self._run.name), self._kept.key.parallel or 0, self._run.limits())

    def heard(self, answer: object) -> None:
        """The answer."""
        said = cast("Sequence[Any]", answer)
        match said[0]:
            case "ok":
                self._run.take_in(said[1], self._keeper.now())
                self._run.count += 1
                self.grant(SharedEntry(self._keeper, self._run))
            case "parallel":
                self.fail(refusals.parallel(self._kept.key, self._kept.key.parallel or 0))
            case _:
                self._run.take_in(said[3], self._keeper.now())
                self.fail(self._keeper.short(self._kept, said[1], said[2]))

    def undo(self, granted: SharedEntry) -> None:
        """Count it out."""
        granted.leave()


class _Reserving(_Question):
    """An attempt that is held for."""

    def __init__(  # noqa: PLR0913, PLR0917  # what a reservation is made of
        self,
        keeper: SharedKeeper,
        key: Key | None,
        kept: Kept | None,
        wanted: Wanted,
        shares: Sequence[Share],
        stakes: Sequence[Stake],
        run: Run | None,
        admitted_us: int,
    ) -> None:
        super().__init__(keeper)
        self._key = key
        self._kept = kept
        self._wanted = wanted
        self._shares = shares
        self._stakes = stakes
        self._run = run
        self._admitted_us = admitted_us

    def write(self, places: Places) -> Sequence[object]:
        """The question."""
        limits = (0, 0, 0) if self._run is None else self._run.limits()
        rates = False if self._run is None else (places.of(self._run.name), limits, OUTPUT_SLICE)
        paying, tallies = written_shares(self._shares, self._stakes, places)
        return ("reserve", paying, tallies, self._wanted.first(), rates)

    def heard(self, answer: object) -> None:
        """The answer."""
        said = cast("Sequence[Any]", answer)
        match said[0]:
            case "ok":
                self.grant(self._held(said[1]))
                take_in(self._stakes, said[2])
                if self._run is not None:
                    self._run.take_in(said[3], self._keeper.now())
            case "spent" | "held":
                take_in(self._stakes, said[2])
                self.fail(self._keeper.refused(said[0], self._shares[said[1] - 1]))
            case "rate" if self._run is not None and self._kept is not None:
                take_in(self._stakes, said[4])
                self._run.take_in(said[3], self._keeper.now())
                self.fail(self._keeper.short(self._kept, said[1], said[2]))
            case _:
                self._keeper.not_ready(said, self._stakes)
                if not self.waiting.done():
                    self._loop.call_later(AGAIN_S, self._again)

    def _again(self) -> None:
        if not self.waiting.done():
            self._keeper.ask(self)

    def _held(self, output_tokens: int) -> SharedHeld:
        return SharedHeld(
            self._keeper, self._key, self._wanted, output_tokens, self._admitted_us, self._stakes, self._run
        )

    def undo(self, granted: SharedHeld) -> None:
        """Give all of it back."""
        granted.release()
