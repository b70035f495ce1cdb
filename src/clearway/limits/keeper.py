"""Keeps keys to their limits and budgets, and the gateway to its own.

Owns the decision to let a request on. Budgets hold by reserve, top up and settle: what a
request may cost at most is held before it is sent, a stream asks for more as it
produces, and the truth takes the place of what was held. Everything happens on the event
loop: between a look and a hold nobody else comes. The bound is in docs/limits.md.
Made by compose; used by gateway/pipeline and gateway/send.

Growth: for each key with limits four buckets, and a tally for each period of its budgets.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo

import msgspec

from clearway.core.budget import Budget
from clearway.core.clock import Clock
from clearway.core.errors import LimitExceeded, NotAllowed
from clearway.core.exchange import Endpoint
from clearway.core.fields import Headers
from clearway.core.usage import Cost, Usage
from clearway.keys.model import Key
from clearway.limits import refusals, told
from clearway.limits.held import NO_ENTRY, Counted, Entered, Held, Share
from clearway.limits.protocol import BudgetState, Entry, Estimate, Reservation
from clearway.limits.rates import Limit, Rates
from clearway.limits.tally import Account, Tally
from clearway.pricing.ceiling import Ceiling

Ceilings = Callable[[Estimate, int], Ceiling | None]
"""What the tokens of an estimate can cost at most, at a moment; None: the price is not known."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for everybody."""

    budgets: tuple[Budget, ...] = ()
    """The whole gateway's."""
    count_tokens_per_minute: int
    """Of each key that has a limit or budget."""
    zone: tzinfo
    """Of the calendar."""


class Begun(msgspec.Struct, frozen=True):
    """A tally that begins here, and whose past only the ledger knows."""

    key_id: str | None
    tally: Tally
    at_us: int
    """What ended before is the ledger's to tell; everything later is counted here."""


class Keeper:
    """Implements `limits.protocol.Limiter`.

    Args:
        settings: What holds for everybody.
        clock: The time.
        ceilings: Prices.
        on_spent: Told of a budget after something was spent of it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        ceilings: Ceilings,
        on_spent: Callable[[BudgetState], None] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._ceilings = ceilings
        self._on_spent = on_spent
        self._keys: Mapping[str, Key] = {}
        self._rates: dict[str, Rates] = {}
        self._accounts: dict[str, Account] = {}
        self._gateway = Account(settings.zone)

    def set_keys(self, keys: Iterable[Key]) -> list[Begun]:
        """Take the keys as they are now, also for what runs.

        Returns:
            What has to be loaded from the ledger.
        """
        now, now_us = self._clock.monotonic(), self._clock.now_us()
        self._keys = {key.id: key for key in keys if _is_limited(key)}
        # What still runs for a key that is gone holds its own.
        self._rates = {key_id: rates for key_id, rates in self._rates.items() if key_id in self._keys}
        self._accounts = {key_id: account for key_id, account in self._accounts.items() if key_id in self._keys}
        begun = [Begun(None, tally, now_us) for tally in self._gateway.begin(self._settings.budgets, now_us)]
        for key in self._keys.values():
            self._rates.setdefault(key.id, Rates()).set(key, self._settings.count_tokens_per_minute, now)
            account = self._accounts.setdefault(key.id, Account(self._settings.zone))
            begun += [Begun(key.id, tally, now_us) for tally in account.begin(key.budgets, now_us)]
        return begun

    def enter(self, key: Key | None, endpoint: Endpoint) -> Entry:
        """See `Limiter.enter`."""
        rates = None if key is None else self._rates.get(key.id)
        if key is None or rates is None or endpoint == "models":
            return NO_ENTRY
        if endpoint == "count_tokens":
            self._take(key, rates, "count-tokens")
            return NO_ENTRY
        if key.parallel is not None and rates.running >= key.parallel:
            raise refusals.parallel(key, key.parallel)
        self._take(key, rates, "requests")
        return Entered(rates)

    def reserve(self, key: Key | None, estimate: Callable[[], Estimate], *, admitted_us: int) -> Reservation:
        """See `Limiter.reserve`."""
        rates = None if key is None else self._rates.get(key.id)
        if rates is None and not self._settings.budgets:
            return Counted(self, key, admitted_us)
        wanted = estimate()
        if key is not None and rates is not None:
            self._check_tokens(key, rates, wanted)
        shares = self.shares(key, wanted, admitted_us)
        ceiling = None
        if any(share.budget.unit == "usd" for share in shares):
            ceiling = self._ceiling(wanted, admitted_us)
        output = self._output_that_fits(shares, wanted, ceiling)
        held = msgspec.structs.replace(wanted, output_tokens=output)
        return Held(self, key, held, admitted_us, shares, rates, ceiling)

    def told(self, key: Key | None) -> Headers:
        """See `Limiter.told`."""
        rates = None if key is None else self._rates.get(key.id)
        if key is None or rates is None:
            return ()
        fields = [*told.of_rates(rates, self._clock.monotonic(), self._clock.now_us())]
        states = [state for state in self.budgets_of(key) if state.budget.unit == "usd"]
        if states:
            fields += told.of_budget(max(states, key=lambda state: state.spent / state.budget.amount))
        return fields

    def budgets(self) -> list[BudgetState]:
        """See `Limiter.budgets`."""
        return self.budgets_of(None) + [state for key in self._keys.values() for state in self.budgets_of(key)]

    def budgets_of(self, key: Key | None) -> list[BudgetState]:
        """See `Limiter.budgets_of`."""
        return [_state(share) for share in self._all_shares(key, self._clock.now_us())]

    def overdrawn(self, key: Key) -> LimitExceeded | None:
        """See `Limiter.overdrawn`."""
        states = self.budgets_of(self._keys.get(key.id)) if key.id in self._keys else []
        over = next((state for state in states if state.spent + state.held > state.budget.amount), None)
        if over is None:
            return None
        return refusals.spent(over, self._clock.now_us(), self._settings.zone, while_running=True)

    # What reservations need of it: `limits.held.Desk`.

    def now(self) -> float:
        """By a clock that never steps."""
        return self._clock.monotonic()

    def shares(self, key: Key | None, estimate: Estimate, admitted_us: int) -> list[Share]:
        """The budgets that have to pay, as they are now."""
        current = None if key is None else self._keys.get(key.id, key)
        shares = [*self._all_shares(current, admitted_us)] if current is not None else []
        return [
            share
            for share in (*shares, *self._all_shares(None, admitted_us))
            if share.budget.unit == "tokens"
            or estimate.billing == "billed"
            or (share.key is not None and share.key.counts_estimates)
        ]

    def count(
        self, key: Key | None, admitted_us: int, usage: Usage | None, cost: Cost | None, tallies: Sequence[Tally]
    ) -> None:
        """Add what was used to `tallies`, and to those that have begun since."""
        account = None if key is None else self._accounts.get(key.id)
        for known in (self._gateway,) if account is None else (account, self._gateway):
            for tally in known.tallies.values():
                if tally in tallies or tally.span.has(admitted_us):
                    tally.add(usage, cost)
                    self._tell_of(key if known is account else None, tally)

    def _tell_of(self, key: Key | None, tally: Tally) -> None:
        if self._on_spent is not None:
            for share in self._all_shares(key, self._clock.now_us()):
                if share.tally is tally:
                    self._on_spent(_state(share))

    def _all_shares(self, key: Key | None, at_us: int) -> Iterator[Share]:
        """The key's own budgets; the gateway's for None."""
        account = self._gateway if key is None else self._accounts.get(key.id)
        if account is not None:
            for budget in self._settings.budgets if key is None else key.budgets:
                yield Share(budget, account.tally(budget.period, at_us), key)

    def _take(self, key: Key, rates: Rates, limit: Limit) -> None:
        now = self._clock.monotonic()
        if rates.lacks(limit, 1, now) is not None:
            raise self._short(key, rates, limit, 1)
        rates.take(limit, 1, now)

    def _short(self, key: Key, rates: Rates, limit: Limit, amount: int) -> LimitExceeded:
        now = self._clock.monotonic()
        bucket = rates.buckets[limit]
        fields = told.of_rates(rates, now, self._clock.now_us())
        return refusals.rate(key, limit, bucket.per_minute, bucket.wait_s(amount, now), fields)

    def _check_tokens(self, key: Key, rates: Rates, wanted: Estimate) -> None:
        now = self._clock.monotonic()
        # Of output it is not known what will come: that something is left will do.
        amounts: tuple[tuple[Limit, int], ...] = (("input-tokens", wanted.input_tokens), ("output-tokens", 1))
        for limit, amount in amounts:
            if amount and rates.lacks(limit, amount, now) is not None:
                raise self._short(key, rates, limit, amount)

    def _ceiling(self, wanted: Estimate, admitted_us: int) -> Ceiling:
        ceiling = self._ceilings(wanted, admitted_us)
        if ceiling is None:
            model = (wanted.model or "")[:80]
            hint = "the owner of the gateway can give it a price (usage.prices)"
            raise NotAllowed(f"there is a budget in USD, and the price of {model!r} is not known", hint=hint)
        return ceiling

    def _output_that_fits(self, shares: Sequence[Share], wanted: Estimate, ceiling: Ceiling | None) -> int:
        """How much output may be held for, beside the prompt; all that is wanted, but for a stream.

        Raises:
            LimitExceeded: Not even the least that will do.
        """
        # With less than half a slice a stream would most probably be ended half-way.
        least = (wanted.output_tokens + 1) // 2 if wanted.is_stream else wanted.output_tokens
        fits = wanted.output_tokens
        for share in shares:
            within = share.output_within(share.room(), wanted.input_tokens, ceiling)
            if within < wanted.output_tokens:
                without_others = share.output_within(share.budget.amount - share.spent, wanted.input_tokens, ceiling)
                if without_others < least:
                    raise refusals.spent(_state(share), self._clock.now_us(), self._settings.zone)
                if without_others > within:
                    # With less it would be ended half-way, while others give back what they do not use.
                    raise refusals.held(_state(share))
            fits = min(fits, within)
        return fits


def _state(share: Share) -> BudgetState:
    budget, tally, key = share.budget, share.tally, share.key
    return BudgetState(
        key_id=None if key is None else key.id,
        key_name=None if key is None else key.name,
        budget=budget,
        spent=share.spent,
        held=tally.held(budget),
        since_us=tally.span.start_us,
        resets_us=tally.span.resets_us,
    )


def _is_limited(key: Key) -> bool:
    limits = (key.requests_per_minute, key.input_tokens_per_minute, key.output_tokens_per_minute, key.parallel)
    return bool(key.budgets) or any(limit is not None for limit in limits)
