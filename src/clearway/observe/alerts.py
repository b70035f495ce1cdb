"""Soft thresholds of budgets and windows: told once each, in the log and to webhooks.

`budget` and `window` are called on the event loop, often; they cost one look into a
dictionary while no threshold is passed. Everything else happens in a task: whether it
was told already (before a restart, or by another gateway) is asked of the ledger in a
thread, which keeps the messages, too, until they are delivered.
Messages are described in docs/alerts.md. Used by limits, by what observes windows, and compose.

Growth: 4,096 budgets and windows are remembered, 256 alerts wait to be told.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec
import structlog

from clearway.core.clock import Clock
from clearway.core.ids import IdMaker
from clearway.ledger.protocol import LedgerError
from clearway.ledger.told import Undelivered
from clearway.observe.delivery import Delivery, Message, Outbox, Patience, Receiver
from clearway.observe.passed import WHOLE, Alert, message_of, of_budget, of_window
from clearway.observe.reading import BudgetLevel

log = structlog.get_logger()

_MOST_KNOWN = 4096
_MOST_WAITING = 256
_REARM = 4
_PATIENCE = Patience()
_JITTER_US = 600 * 1_000_000
"""What one answer says of a window's end and what the next says may differ by less."""
_TAKE_OVER_EVERY_S = 60.0
_LAST_S = 2.0
"""At the end of the process: for what was just passed, and for receivers to take it."""


class Book(Outbox, Protocol):
    """Remembers what has been told; called in threads. All raise LedgerError."""

    def claim(self, subject: str, since_us: int, permilles: Sequence[int], messages: Sequence[Undelivered]) -> bool:
        """Whether it is to be told now; then the messages are kept."""
        ...

    def keep(self, messages: Sequence[Undelivered]) -> None:
        """Keep messages that need no claim."""
        ...

    def take_over(self, receivers: Sequence[str]) -> list[Undelivered]:
        """What those that are over have left for some receivers."""
        ...

    def forget(self) -> None:
        """Let go of what is long over."""
        ...


class _Known:
    """What is known of one budget or window."""

    __slots__ = ("next_at", "since_us")

    def __init__(self, since_us: int, next_at: float) -> None:
        self.since_us = since_us
        self.next_at = next_at
        """Below this nothing new is to be told; in the unit of what is measured."""


class Alerts:
    """Tells.

    Args:
        book: Remembers what has been told.
        clock: When.
        ids: Names messages.
        patience: With receivers that do not take a message.
    """

    def __init__(self, book: Book, clock: Clock, ids: IdMaker, patience: Patience = _PATIENCE) -> None:
        self._book = book
        self._clock = clock
        self._ids = ids
        self._patience = patience
        self._permilles: tuple[int, ...] = ()
        self._known: dict[object, _Known] = {}
        self._unseen: deque[BudgetLevel] = deque()
        self._waiting: deque[Alert] = deque()
        self._arrived = asyncio.Event()
        self._deliveries: dict[Delivery, asyncio.Task[None] | None] = {}
        self._group: asyncio.TaskGroup | None = None
        self._telling: asyncio.Task[None] | None = None
        self.dropped = 0
        """Alerts that were not even looked at, because too many came at once."""

    @property
    def waiting(self) -> int:
        """Alerts that are still to be told."""
        return len(self._waiting) + len(self._unseen)

    def adjust(self, thresholds: Sequence[float], receivers: Sequence[Receiver]) -> None:
        """Other thresholds and receivers from now on; a receiver that stays keeps what waits for it."""
        permilles = tuple(round(part * WHOLE) for part in thresholds)
        if permilles != self._permilles:
            self._permilles = permilles
            self._known.clear()
        wanted = {receiver.identity: receiver for receiver in receivers}
        for delivery, task in list(self._deliveries.items()):
            if wanted.pop(delivery.receiver.identity, None) is None:
                del self._deliveries[delivery]
                delivery.remove()
                if task is not None:
                    task.cancel()
        for receiver in wanted.values():
            delivery = Delivery(receiver, self._book, self._clock, self._patience)
            self._deliveries[delivery] = self._group.create_task(delivery.attend()) if self._group else None

    def survey(self, budgets: Iterable[BudgetLevel]) -> None:
        """These are the budgets now: one may be past a threshold that nobody was told of, and perhaps
        nothing is spent of it any more.
        """
        self._unseen = deque(budgets)
        self._arrived.set()

    def budget(self, state: BudgetLevel) -> float:
        """The spend of a budget has risen.

        Returns:
            From which spending on something new is to be told of this period, in the budget's unit.
        """
        known = self._known.get((state.key_id, state.budget))
        if known is not None and state.spent < known.next_at and known.since_us == state.since_us:
            return known.next_at
        return self._look_at_budget(state, known)

    def window(self, label: str, window: str, utilization: float, resets_us: int | None) -> None:
        """A window of a subscription was observed.

        Args:
            label: Whose it is, as it may be shown.
            window: Which: `5h`, `7d`.
            utilization: The part that is used, from 0 to 1.
            resets_us: When it begins anew; None: it was not said.
        """
        known = self._known.get((label, window))
        since_us = _about(resets_us, known)
        # Without a period, what has fallen far is one that begins anew.
        if known is not None and not since_us and utilization * _REARM < known.next_at:
            known = None
        if known is None or utilization >= known.next_at or known.since_us != since_us:
            self._look_at_window(label, window, utilization, since_us, known)

    async def attend(self) -> None:
        """Tell, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for delivery in self._deliveries:
                self._deliveries[delivery] = group.create_task(delivery.attend())
            group.create_task(self._take_over())
            try:
                while True:
                    await self._arrived.wait()
                    self._arrived.clear()
                    while self._look_further():
                        self._telling = group.create_task(self._tell(self._waiting[0]))
                        # What has begun is ended, whoever cancels: it is claimed, and nobody else will tell it.
                        await asyncio.shield(self._telling)
            finally:
                await self._tell_the_last()
                self._group = None

    def _look_further(self) -> bool:
        """Whether something is to be told."""
        while not self._waiting and self._unseen:
            self.budget(self._unseen.popleft())
        return bool(self._waiting)

    async def _tell_the_last(self) -> None:
        """What the last exchanges have passed; receivers that are there take it now, others after the next start."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_S):
                if self._telling is not None:
                    await asyncio.shield(self._telling)
                while self._look_further():
                    await self._tell(self._waiting[0])
                for delivery in self._deliveries:
                    await delivery.idle()

    async def _take_over(self) -> None:
        """Deliver what gateways have left that are over: at the start, and later where several share a database."""
        await self._forget()
        while True:
            by_hash = {delivery.receiver.hashed: delivery for delivery in self._deliveries}
            try:
                left = await asyncio.to_thread(self._book.take_over, list(by_hash)) if by_hash else []
            except LedgerError as error:
                log.warning("webhooks_not_resumed", error=str(error))
            else:
                for one in left:
                    by_hash[one.receiver].put(Message(one.message_id, one.body, is_kept=True))
            await asyncio.sleep(_TAKE_OVER_EVERY_S)

    def _look_at_budget(self, state: BudgetLevel, known: _Known | None) -> float:
        budget = state.budget
        passed = [each for each in self._permilles if state.spent * WHOLE >= each * budget.amount]
        following = [each for each in self._permilles if each not in passed]
        next_at = following[0] * budget.amount / WHOLE if following else float("inf")
        self._remember((state.key_id, budget), state.since_us, next_at)
        if passed and (known is None or known.since_us != state.since_us or state.spent >= known.next_at):
            self._put(of_budget(state, passed))
        return next_at

    def _look_at_window(self, label: str, window: str, utilization: float, since_us: int, known: _Known | None) -> None:
        used = utilization * WHOLE
        passed = [each for each in self._permilles if used >= each]
        following = [each for each in self._permilles if each not in passed]
        self._remember((label, window), since_us, following[0] / WHOLE if following else float("inf"))
        if passed and (known is None or known.since_us != since_us or utilization >= known.next_at):
            self._put(of_window(label, window, utilization, since_us, passed))

    def _remember(self, key: object, since_us: int, next_at: float) -> None:
        if len(self._known) >= _MOST_KNOWN and key not in self._known:
            self._known.clear()  # the book still knows what was told
        self._known[key] = _Known(since_us, next_at)

    def _put(self, alert: Alert) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self.dropped += 1
            log.warning("alert_dropped", text=alert.text, dropped=self.dropped)
            return
        self._waiting.append(alert)
        self._arrived.set()

    async def _forget(self) -> None:
        try:
            await asyncio.to_thread(self._book.forget)
        except LedgerError as error:
            log.warning("alerts_not_forgotten", error=str(error))

    async def _is_new(self, alert: Alert, messages: Sequence[Undelivered]) -> tuple[bool, bool]:
        """Whether it is to be told, and whether the messages are kept."""
        try:
            if alert.is_of_period:
                book = self._book
                return await asyncio.to_thread(
                    book.claim, alert.subject, alert.since_us, alert.permilles, messages
                ), True
            if messages:
                await asyncio.to_thread(self._book.keep, messages)
        except LedgerError as error:
            log.warning("alert_not_remembered", error=str(error))
        except Exception:  # the loop of alerts: one is told perhaps twice, the next is told too
            log.exception("alert_not_remembered")
        else:
            return True, True
        return True, False  # rather twice than not at all

    async def _tell(self, alert: Alert) -> None:
        """Tell the first that waits, and have it wait no more."""
        message = message_of(self._ids.new(), alert.kind, alert.text, alert.data, self._clock.now_us())
        deliveries = list(self._deliveries)
        kept = [
            Undelivered(message_id=message.id, receiver=delivery.receiver.hashed, body=message.body)
            for delivery in deliveries
        ]
        is_new, is_kept = await self._is_new(alert, kept)
        if is_new:
            log.warning(alert.kind.replace(".", "_"), text=alert.text, **alert.data)
            message = msgspec.structs.replace(message, is_kept=is_kept)
            for delivery in deliveries:
                if delivery in self._deliveries:
                    delivery.put(message)
        self._waiting.popleft()


def _about(resets_us: int | None, known: _Known | None) -> int:
    """What tells one period of a window from the next; 0: nothing does."""
    if resets_us is None:
        return 0
    if known is not None and abs(known.since_us - resets_us) < _JITTER_US:
        return known.since_us
    return (resets_us + _JITTER_US // 2) // _JITTER_US * _JITTER_US
