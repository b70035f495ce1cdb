"""Keeps keys to their limits and budgets, and the gateway to its own.

Owns the decision to let a request on. Budgets hold by reserve, top up and settle: what a
request may cost at most is held before it is sent, a stream asks for more as it
produces, and the truth takes the place of what was held. Everything happens on the event
loop: between a look and a hold nobody else comes. The bound is in docs/limits.md.
Made by compose; used by gateway/pipeline and gateway/send.

Growth: for each key with limits four buckets, and a tally for each period of its budgets.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import tzinfo

import msgspec

from clearway.core.budget import Budget
from clearway.core.clock import Clock
from clearway.core.errors import LimitExceeded, NotAllowed
from clearway.core.exchange import Endpoint
from clearway.core.fields import Fields
from clearway.core.usage import Billing, Cost, Usage
from clearway.keys.model import Key
from clearway.limits import refusals, told
from clearway.limits.bucket import Bucket
from clearway.limits.held import NO_ENTRY, Counted, Held, first_output
from clearway.limits.protocol import BudgetState, Entry, Estimate, Reservation
from clearway.limits.rates import Limit, Rates
from clearway.limits.tally import Account, Share, Tally, amounts
from clearway.pricing.ceiling import Ceiling

_NOTHING_TOLD = Fields((), ())
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


class Kept(msgspec.Struct):
    """All that is kept of a key with limits."""

    key: Key
    rates: Rates
    account: Account
    told: told.ToldRates


class Keeper:
    """Implements `limits.protocol.Limiter`.

    Args:
        settings: What holds for everybody.
        clock: The time.
        ceilings: Prices.
        on_spent: Told of a budget after something was spent of it; returns from which spending on it wants to
            hear of this period again, in the budget's unit.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        ceilings: Ceilings,
        on_spent: Callable[[Share], float] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._ceilings = ceilings
        self._on_spent = on_spent
        self._kept: Mapping[str, Kept] = {}
        self._gateway = Account(settings.zone)
        self.take_keys: Callable[[], None] = lambda: None
        """Has the keys taken as they are now."""

    def adjust(self, settings: Settings, ceilings: Ceilings) -> None:
        """Other settings and prices; `set_keys` puts them in force. The time zone stays."""
        self._settings = msgspec.structs.replace(settings, zone=self._settings.zone)
        self._ceilings = ceilings

    def set_keys(self, keys: Iterable[Key]) -> list[Begun]:
        """Take the keys as they are now, also for what runs.

        Returns:
            What has to be loaded from the ledger.
        """
        now, now_us = self._clock.monotonic(), self._clock.now_us()
        begun = [Begun(None, tally, now_us) for tally in self._gateway.set(self._settings.budgets, None, now_us)]
        kept: dict[str, Kept] = {}
        for key in keys:
            if not is_limited(key):
                continue
            known = self._kept.get(key.id) or self._new(key)
            kept[key.id] = known
            known.key = key
            known.rates.set(key, self._settings.count_tokens_per_minute, now)
            known.told = told.ToldRates(known.rates)
            begun += [Begun(key.id, tally, now_us) for tally in known.account.set(key.budgets, key, now_us)]
        # What still runs for a key that is gone holds its own.
        self._kept = kept
        return begun

    def enter(self, key: Key | None, endpoint: Endpoint) -> Entry:
        """See `Limiter.enter`."""
        kept = None if key is None else self._kept.get(key.id) or self._late(key)
        if key is None or kept is None or endpoint == "models":
            return NO_ENTRY
        rates = kept.rates
        if endpoint == "count_tokens":
            counting = rates.counting
            if counting is not None and not counting.try_take(1, self._clock.monotonic()):
                raise self._short(kept, "count-tokens", counting, 1)
            return NO_ENTRY
        if key.parallel is not None and rates.running >= key.parallel:
            raise refusals.parallel(key, key.parallel)
        requests = rates.requests
        if requests is not None and not requests.try_take(1, self._clock.monotonic()):
            raise self._short(kept, "requests", requests, 1)
        rates.running += 1
        return rates

    def reserve(self, key: Key | None, estimate: Callable[[], Estimate], *, admitted_us: int) -> Reservation:
        """See `Limiter.reserve`."""
        kept = None if key is None else self._kept.get(key.id) or self._late(key)
        gateway = self._gateway
        if kept is None and not gateway.shares:
            return Counted(self, key, admitted_us)
        wanted = estimate()
        shares = self.shares(key, wanted.billing, admitted_us)
        ceiling, nano = None, 0
        prompt, output = wanted.input_tokens, wanted.output_tokens
        tokens, is_short = prompt + output, False
        for share in shares:
            if not share.is_money:
                is_short |= share.room() < tokens
                continue
            if ceiling is None:
                ceiling = self._ceiling(wanted, admitted_us)
                nano = ceiling.nano(prompt, output)
            is_short |= share.room() < nano
        if is_short:
            output = self._output_that_fits(shares, wanted, ceiling)
            nano = 0 if ceiling is None else ceiling.nano(prompt, output)
        if kept is None:
            return Held(self, key, wanted, output, nano, admitted_us, gateway.tallies, None, ceiling)
        rates = kept.rates
        if rates.counts_tokens:
            self._take_tokens(kept, prompt, output)
        tallies = kept.account.tallies + gateway.tallies
        return Held(self, key, wanted, output, nano, admitted_us, tallies, rates, ceiling)

    def resume(self, key: Key, estimate: Estimate, *, admitted_us: int) -> Reservation:
        """See `Limiter.resume`."""
        shares = self.shares(key, estimate.billing, self._clock.now_us())
        tallies = {share.tally: None for share in shares if share.tally.span.has(admitted_us)}
        ceiling = self._ceilings(estimate, admitted_us) if any(share.is_money for share in shares) else None
        output = estimate.output_tokens
        nano = 0 if ceiling is None else ceiling.nano(estimate.input_tokens, output)
        return Held(self, key, estimate, output, nano, admitted_us, tuple(tallies), None, ceiling)

    def told(self, key: Key | None) -> Fields:
        """See `Limiter.told`."""
        kept = None if key is None else self._kept.get(key.id)
        if kept is None:
            return _NOTHING_TOLD
        now_us = self._clock.now_us()
        fields = kept.told.fields(self._clock.monotonic(), now_us)
        account = kept.account
        account.roll(now_us)
        money = account.money
        if not money:
            return fields
        share = money[0]
        if len(money) == 1 and share.spent < share.shown_below and share.shown is not None:
            return fields.joined(share.shown)
        return fields.joined(told.of_budgets(money))

    def budgets(self) -> list[BudgetState]:
        """See `Limiter.budgets`."""
        return self.budgets_of(None) + [state for kept in self._kept.values() for state in self.budgets_of(kept.key)]

    def budgets_of(self, key: Key | None) -> list[BudgetState]:
        """See `Limiter.budgets_of`."""
        account = self._account_of(None if key is None else key.id)
        if account is None:
            return []
        account.roll(self._clock.now_us())
        return [state_of(share) for share in account.shares]

    def overdrawn(self, key: Key) -> LimitExceeded | None:
        """See `Limiter.overdrawn`."""
        over = (state for state in self.budgets_of(key) if state.spent + state.held > state.budget.amount)
        state = next(over, None)
        if state is None:
            return None
        return refusals.spent(state, self._clock.now_us(), self._settings.zone, while_running=True)

    # What reservations need of it: `limits.held.Desk`.

    def now(self) -> float:
        """By a clock that never steps."""
        return self._clock.monotonic()

    def shares(self, key: Key | None, billing: Billing, admitted_us: int) -> Sequence[Share]:
        """The budgets that have to pay, as they are now."""
        kept = None if key is None else self._kept.get(key.id)
        gateway = self._gateway
        gateway.roll(admitted_us)
        if kept is None:
            return gateway.paying(billing)
        own = kept.account
        own.roll(admitted_us)
        return own.paying(billing) + gateway.paying(billing)

    def count(
        self, key: Key | None, admitted_us: int, usage: Usage | None, cost: Cost | None, tallies: Sequence[Tally]
    ) -> None:
        """Add what was used to those of `tallies` that are still kept, and to those that have begun since."""
        kept = None if key is None else self._kept.get(key.id)
        accounts = (self._gateway,) if kept is None else (kept.account, self._gateway)
        billed, estimates, tokens = amounts(usage, cost)
        on_spent = self._on_spent
        for account in accounts:
            for tally in account.tallies:
                if tally in tallies or tally.span.has(admitted_us):
                    tally.add(billed, estimates, tokens)
            if on_spent is not None:
                for share in account.shares:
                    if share.spent >= share.told_at:
                        share.told_at = on_spent(share)

    def _late(self, key: Key) -> Kept | None:
        """A key that is not known here. One with limits was read a moment ago, in a thread that has not told us yet."""
        if not is_limited(key):
            return None
        self.take_keys()
        return self._kept.get(key.id)

    def _new(self, key: Key) -> Kept:
        rates = Rates()
        return Kept(key, rates, Account(self._settings.zone), told.ToldRates(rates))

    def _account_of(self, key_id: str | None) -> Account | None:
        if key_id is None:
            return self._gateway
        kept = self._kept.get(key_id)
        return None if kept is None else kept.account

    def _short(self, kept: Kept, limit: Limit, bucket: Bucket, amount: int) -> LimitExceeded:
        now = self._clock.monotonic()
        fields = kept.told.fields(now, self._clock.now_us())
        return refusals.rate(kept.key, limit, bucket.per_minute, bucket.wait_s(amount, now), fields)

    def _take_tokens(self, kept: Kept, input_tokens: int, output_tokens: int) -> None:
        prompt, output = kept.rates.input_tokens, kept.rates.output_tokens
        now = self._clock.monotonic()
        # Of output it is not known what will come: that something is left will do.
        if output is not None:
            if not output.may_take(1, now):
                raise self._short(kept, "output-tokens", output, 1)
            output.take(first_output(output_tokens), now)
        if prompt is not None and not prompt.try_take(input_tokens, now):
            if output is not None:
                output.take(-first_output(output_tokens), now)
            raise self._short(kept, "input-tokens", prompt, input_tokens)

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
        most = wanted.output_tokens
        least = (most + 1) // 2 if wanted.is_stream else most
        fits = most
        for share in shares:
            unspent = share.amount - share.spent
            within = share.output_within(share.room(), wanted.input_tokens, ceiling)
            if within < most:
                without_others = share.output_within(unspent, wanted.input_tokens, ceiling)
                if without_others < least:
                    raise refusals.spent(state_of(share), self._clock.now_us(), self._settings.zone)
                if without_others > within:
                    # With less it would be ended half-way, while others give back what they do not use.
                    raise refusals.held(state_of(share))
                fits = min(fits, within)
        return fits


def state_of(share: Share) -> BudgetState:
    """A budget as it is now."""
    return BudgetState(
        key_id=share.key_id,
        key_name=share.key_name,
        budget=share.budget,
        spent=share.spent,
        held=share.held,
        since_us=share.since_us,
        resets_us=share.resets_us,
    )


def is_limited(key: Key) -> bool:
    """Whether anything has to be kept of it."""
    return bool(
        key.budgets
        or key.requests_per_minute
        or key.input_tokens_per_minute
        or key.output_tokens_per_minute
        or key.parallel
    )
