"""Makes shared counters that are missing from the ledger, and puts right what a gateway leaves that dies.

Owns both duties, each done by one gateway at a time. Every sum is made of parts: what
each gateway has told itself stands; of those that say nothing it is what the ledger
knows. So nothing is lost that is settled meanwhile, and nothing is counted twice. After
a loss of all counters the gateways that live are waited for, two seconds at most.
Made by compose; used with limits/shared/keeper.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

import structlog

from clearway.core.clock import Clock
from clearway.core.errors import LimitsUnavailable
from clearway.keys.model import Key
from clearway.ledger.parts import Gateway
from clearway.ledger.protocol import LedgerError
from clearway.ledger.spending import Spent, total
from clearway.limits.keeper import Begun
from clearway.limits.shared.batches import Running, SharedBatches
from clearway.limits.shared.keeper import SharedKeeper
from clearway.limits.shared.keys import Places
from clearway.limits.shared.post import Post
from clearway.limits.shared.stake import Stake

log = structlog.get_logger()

_REAP_S = 5.0
_SILENT_US = 10 * 1_000_000
"""A gateway that says nothing for so long may be gone: then the ledger is asked."""
_GATHER_S = 2.0
"""How long gateways that live are waited for when the counters are gone."""
_GATHER_AGAIN_S = 0.1
_TOLD_APART_US = 86_400 * 1_000_000
"""Gateways that were alive within a day keep a part of their own: one may come back that was taken for dead."""
_EARLIER = "earlier"
"""All that went before."""
_ASK_S = 5.0
_AGAIN_S = 5.0
_NOTHING = Spent(0, 0, 0)


class Ledger(Protocol):
    """What is known of the past (`ledger.parts.Parts`)."""

    is_shared: bool

    def gateways(self) -> list[Gateway]:
        """All that were ever started."""
        ...

    def spent(
        self, since_us: int, until_us: int, *, only: str | None = None, ended_before_us: int | None = None
    ) -> dict[tuple[str, str | None], Spent]:
        """By gateway and key."""
        ...


class SharedLoader:
    """Keeps a shared keeper up to date: with the keys as they change, and with the past.

    Args:
        keeper: Decides.
        post: To the server.
        ledger: Knows the past.
        clock: The time, for leases.
        keys: Reads the keys as they are.
        written: Waits until the ledger holds all that has happened here.
        changed: Called on the loop after each change.
        loaded: Called on the loop when the past is counted, too.
        begin: Has the duties of this loader attended to.
        batches: Reads those whose use is not known yet.
        holds: Knows what they hold.
    """

    def __init__(  # noqa: PLR0913  # what it stands between
        self,
        keeper: SharedKeeper,
        post: Post,
        ledger: Ledger,
        clock: Clock,
        keys: Callable[[], Iterable[Key]],
        *,
        written: Callable[[], Awaitable[object]],
        changed: Callable[[], object],
        loaded: Callable[[], object],
        begin: Callable[["SharedLoader"], Awaitable[None]],
        batches: Callable[[], Iterable[Running]],
        holds: SharedBatches,
    ) -> None:
        self._keeper = keeper
        self._post = post
        self._ledger = ledger
        self._clock = clock
        self._keys = keys
        self._written = written
        self._changed = changed
        self._loaded = loaded
        self._begin = begin
        self._has_started = False
        self._finding_out: dict[Stake, None] = {}
        """Whose past is not known yet."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._batches = batches
        self._holds = holds
        self._me = keeper.names.instance_id
        self._loop = asyncio.get_running_loop()
        self._is_wanted = asyncio.Event()
        self._unknown: asyncio.Queue[Sequence[tuple[Stake, Begun]]] = asyncio.Queue()
        keeper.load = self._is_wanted.set
        keeper.take_keys = self._take_now

    async def start(self) -> None:
        """Take the keys: this gateway has spent nothing yet. Begin what it does beside serving."""
        for stake, _ in self._keeper.known(self._keeper.set_keys(self._keys())):
            stake.is_known = True
        self._has_started = True
        await self._begin(self)

    @property
    def loading(self) -> frozenset[tuple[str | None, int]]:
        """Keys (None: the gateway) and beginnings of periods of which not all is counted yet."""
        return frozenset((stake.key_id, stake.tally.span.start_us) for stake in self._finding_out)

    async def settled(self, within_s: float) -> None:
        """Wait until nothing is `loading`, for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()

    def on_change(self) -> None:
        """The keys were read anew, on any thread. Does not wait."""
        if self._has_started:
            with contextlib.suppress(RuntimeError):  # the loop is over, and nobody asks any more
                self._loop.call_soon_threadsafe(self._take_now)

    def _take_now(self) -> None:
        begun = self._keeper.set_keys(self._keys())
        self._changed()
        if stakes := list(self._keeper.known(begun)):
            self._finding_out.update(dict.fromkeys(stake for stake, _ in stakes))
            self._idle.clear()
            self._unknown.put_nowait(stakes)
        else:
            self._loaded()

    async def attend_keys(self) -> None:
        """Find out what new budgets have to know. Never fails."""
        while True:
            stakes = await self._unknown.get()
            try:
                await self._find_out(stakes)
            except LedgerError as error:
                log.warning("budgets_without_past", error=str(error), again_in_s=_AGAIN_S)
                self._loop.call_later(_AGAIN_S, self._unknown.put_nowait, stakes)
            except Exception:  # the loop of the counters: it must outlive whatever comes
                log.exception("budgets_without_past")

    async def _find_out(self, stakes: Sequence[tuple[Stake, Begun]]) -> None:
        await self._written()
        own = await asyncio.to_thread(self._own, stakes)
        for (stake, _), before in zip(stakes, own, strict=True):
            stake.own.add(before.billed_nano, before.estimate_nano, before.tokens)
            stake.is_known = True
            self._finding_out.pop(stake, None)
            self._keeper.tell(stake)
        if not self._finding_out:
            self._idle.set()
        self._loaded()

    def _own(self, stakes: Sequence[tuple[Stake, Begun]]) -> list[Spent]:
        """What this gateway had spent in each before it began."""
        known: dict[tuple[int, int, int], dict[tuple[str, str | None], Spent]] = {}
        spent = []
        for stake, begun in stakes:
            span = stake.tally.span
            place = (span.start_us, span.end_us, begun.at_us)
            if place not in known:
                known[place] = self._ledger.spent(*place[:2], only=self._me, ended_before_us=begun.at_us)
            spent.append(_of_key(known[place], stake.key_id).get(self._me, _NOTHING))
        return spent

    # Loading what is missing.

    async def attend_loading(self) -> None:
        """Load whenever it is this gateway's turn. Never fails."""
        while True:
            await self._is_wanted.wait()
            try:
                await self._load()
            except (LedgerError, LimitsUnavailable) as error:
                log.warning("limits_not_loaded", error=str(error))
            except Exception:  # the loop of the counters: it must outlive whatever comes
                log.exception("limits_not_loaded")
            # Only now: all who were refused meanwhile meant this turn.
            self._is_wanted.clear()
            with contextlib.suppress(LimitsUnavailable):
                await self._ask("unlock")

    async def _load(self) -> None:
        gateways = await self._gather()
        batches = await asyncio.to_thread(lambda: list(self._batches()))
        stakes = [stake for stake in self._keeper.current() if stake.is_known]
        for span in dict.fromkeys(stake.tally.span for stake in stakes):
            spent = await asyncio.to_thread(self._ledger.spent, span.start_us, span.end_us)
            wanted = [stake for stake in stakes if stake.tally.span == span]
            for stake in wanted:
                parts = self._parts(_of_key(spent, stake.key_id), gateways)
                for held in self._holds.lost(stake, batches):
                    self._keeper.tell_always(held)
                await self._ask(_Loaded(stake, parts, self._keeper.names.touched))
        log.info("limits_loaded", tallies=len(stakes))

    async def _gather(self) -> Mapping[str, Gateway]:
        """The gateways that ever were, when those that live have told what they have."""
        until = self._loop.time() + _GATHER_S
        while True:
            known = {gateway.id: gateway for gateway in await asyncio.to_thread(self._ledger.gateways)}
            heard = {name for name, seen_us in (await self._heard()).items() if seen_us}
            living = {name for name, gateway in known.items() if self._is_living(gateway)}
            if living <= heard | {self._me} or self._loop.time() > until:
                return known
            await asyncio.sleep(_GATHER_AGAIN_S)

    def _parts(self, spent: Mapping[str, Spent], gateways: Mapping[str, Gateway]) -> list[tuple[str, Spent, bool]]:
        """By gateway, and those long gone as one; which of them are still to be put right when they are gone."""
        recent_us = self._clock.now_us() - _TOLD_APART_US
        earlier, parts = [], []
        for name, sums in spent.items():
            gateway = gateways.get(name)
            if name == self._me:
                continue  # it has told itself
            if gateway is None or gateway.expires_us < recent_us:
                earlier.append(sums)
            else:
                parts.append((name, sums, self._is_living(gateway) or gateway.has_open))
        return [*parts, (_EARLIER, total(earlier), False)]

    def _is_living(self, gateway: Gateway) -> bool:
        return self._ledger.is_shared and gateway.expires_us > self._clock.now_us()

    # Putting right what is left.

    async def attend_leaving(self) -> None:
        """Look now and then for gateways that are gone. Never fails."""
        while True:
            await asyncio.sleep(_REAP_S)
            if self._post.is_away:
                continue
            try:
                await self._reap()
            except (LedgerError, LimitsUnavailable) as error:
                log.warning("limits_not_put_right", error=str(error))
            except Exception:  # the loop of the counters: it must outlive whatever comes
                log.exception("limits_not_put_right")

    async def _reap(self) -> None:
        heard = await self._heard()
        now_us = max(heard.values(), default=0)
        silent = [name for name, seen_us in heard.items() if name != self._me and now_us - seen_us > _SILENT_US]
        if not silent:
            return
        known = {gateway.id: gateway for gateway in await asyncio.to_thread(self._ledger.gateways)}
        for name in silent:
            gateway = known.get(name)
            if gateway is None or not (self._is_living(gateway) or gateway.has_open):
                await self._put_right(name)

    async def _put_right(self, gone: str) -> None:
        names = self._keeper.names
        touched = list(cast("Iterable[str]", await self._ask("touched", names.touched(gone))))
        spans = {name: names.read_tally(name) for name in touched}
        for name, place in spans.items():
            spent = _NOTHING
            if place is not None:
                key_id, span = place
                sums = await asyncio.to_thread(self._ledger.spent, span.start_us, span.end_us, only=gone)
                spent = _of_key(sums, key_id).get(gone, _NOTHING)
            await self._ask(_Fold(name, gone, spent))
        await self._ask(_Forget(names.touched(gone), names.letters(gone), gone))
        log.warning("limits_put_right", gateway=gone, counters=len(touched))

    async def _heard(self) -> dict[str, int]:
        """When each gateway was heard last, by the server's clock."""
        flat = cast("Sequence[str]", await self._ask("members"))
        return {name: int(seen_us) for name, seen_us in zip(flat[::2], flat[1::2], strict=True)}

    async def _ask(self, what: "str | _Letter", *keys: str) -> object:
        """Raises LimitsUnavailable."""
        letter = _Letter((what,), keys) if isinstance(what, str) else what
        self._post.ask(letter)
        try:
            async with asyncio.timeout(_ASK_S):
                return await letter.answer
        except TimeoutError:
            raise LimitsUnavailable("the shared counters do not answer") from None

    def farewell(self) -> "_Letter":
        """What is said at the end, when this gateway holds nothing any more."""
        names = self._keeper.names
        return _Forget(names.touched(self._me), names.letters(self._me), self._me)


class _Letter:
    """One question."""

    def __init__(self, operation: Sequence[object] = (), keys: Sequence[str] = ()) -> None:
        self._operation = operation
        self._keys = keys
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def write(self, places: Places) -> Sequence[object]:
        """The operation."""
        return (*self._operation, *map(places.of, self._keys))

    def heard(self, answer: object) -> None:
        """The answer."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def lost(self) -> None:
        """Nobody answers."""
        if not self.answer.done():
            self.answer.set_exception(LimitsUnavailable("the shared counters cannot be reached"))
            self.answer.exception()  # whoever asked may be gone


class _Loaded(_Letter):
    """What the ledger knows of a tally."""

    def __init__(self, stake: Stake, parts: Iterable[tuple[str, Spent, bool]], touched: Callable[[str], str]) -> None:
        super().__init__()
        self._stake = stake
        self._parts = list(parts)
        self._touched = touched

    def write(self, places: Places) -> Sequence[object]:
        """The operation."""
        parts = [
            (name, *_numbers(spent), places.of(self._touched(name)) if is_open else 0)
            for name, spent, is_open in self._parts
        ]
        return ("loaded", places.of(self._stake.name), self._stake.until_ms, parts)


class _Fold(_Letter):
    """What a gateway that is gone has spent in a tally."""

    def __init__(self, name: str, gone: str, spent: Spent) -> None:
        super().__init__()
        self._name = name
        self._gone = gone
        self._spent = spent

    def write(self, places: Places) -> Sequence[object]:
        """The operation."""
        return ("fold", places.of(self._name), self._gone, *_numbers(self._spent), "0", "0")


class _Forget(_Letter):
    """A gateway that is gone, and nothing is left to put right."""

    def __init__(self, touched: str, letters: str, gone: str) -> None:
        super().__init__((), (touched, letters))
        self._gone = gone

    def write(self, places: Places) -> Sequence[object]:
        """The operation."""
        return ("forget", *map(places.of, self._keys), self._gone)


def _numbers(spent: Spent) -> Iterator[str]:
    return map(str, (spent.billed_nano, spent.estimate_nano, spent.tokens))


def _of_key(spent: Mapping[tuple[str, str | None], Spent], key_id: str | None) -> dict[str, Spent]:
    """Of one key, or of all requests, by gateway."""
    parts: dict[str, list[Spent]] = {}
    for (instance, key), sums in spent.items():
        if key_id is None or key == key_id:
            parts.setdefault(instance, []).append(sums)
    return {instance: total(sums) for instance, sums in parts.items()}
