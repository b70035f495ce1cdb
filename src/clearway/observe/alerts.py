"""Soft thresholds of budgets and windows: told once each, in the log and to webhooks.

`budget` and `window` are called on the event loop, often; they cost one look into a
dictionary while no threshold is passed. Everything else happens in a task: whether it
was told already (before a restart, or by another gateway) is asked of the ledger in a thread.
Messages are described in docs/alerts.md. Used by limits, by what observes windows, and compose.

Growth: 4,096 budgets and windows are remembered, 256 alerts wait to be told.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec
import structlog

from clearway.core.budget import Budget, show_amount, show_budget
from clearway.core.clock import Clock
from clearway.core.ids import IdMaker
from clearway.ledger.protocol import LedgerError
from clearway.observe.delivery import Delivery, Message, Patience, Receiver

log = structlog.get_logger()

_MOST_KNOWN = 4096
_MOST_WAITING = 256
_WHOLE = 1000
_REARM = 4
_PATIENCE = Patience()
_JITTER_US = 600 * 1_000_000
"""What one answer says of a window's end and what the next says may differ by less."""


class Spend(Protocol):
    """A budget at one moment: what is needed of `limits.protocol.BudgetState`."""

    @property
    def key_id(self) -> str | None:
        """None: the whole gateway's."""
        ...

    @property
    def key_name(self) -> str | None:
        """Likewise."""
        ...

    @property
    def budget(self) -> Budget:
        """Its amount, unit and period."""
        ...

    @property
    def spent(self) -> int:
        """In the budget's unit."""
        ...

    @property
    def since_us(self) -> int:
        """Where the period began; 0 for `total`."""
        ...

    @property
    def resets_us(self) -> int | None:
        """Where it ends; None: never."""
        ...


class Book(Protocol):
    """Remembers what has been told; called in threads."""

    def claim(self, subject: str, since_us: int, permilles: Sequence[int]) -> bool:
        """Whether it is to be told now. Raises LedgerError."""
        ...

    def forget(self) -> None:
        """Let go of what is long over. Raises LedgerError."""
        ...


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold was passed."""

    kind: str
    """`budget.threshold` or `window.threshold`."""
    subject: str
    since_us: int
    permilles: tuple[int, ...]
    """All that were passed so far, ascending; the last is told."""
    text: str
    data: dict[str, object]
    is_of_period: bool = True
    """False: no period is known that it could be told once in."""


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
        self._waiting: deque[Alert] = deque()
        self._arrived = asyncio.Event()
        self._deliveries: dict[Delivery, asyncio.Task[None] | None] = {}
        self._group: asyncio.TaskGroup | None = None
        self.dropped = 0
        """Alerts that were not even looked at, because too many came at once."""

    @property
    def waiting(self) -> int:
        """Alerts that are still to be told."""
        return len(self._waiting)

    def adjust(self, thresholds: Sequence[float], receivers: Sequence[Receiver]) -> None:
        """Other thresholds and receivers from now on; a receiver that stays keeps what waits for it."""
        permilles = tuple(round(part * _WHOLE) for part in thresholds)
        if permilles != self._permilles:
            self._permilles = permilles
            self._known.clear()
        wanted = {receiver.identity: receiver for receiver in receivers}
        for delivery, task in list(self._deliveries.items()):
            if wanted.pop(delivery.receiver.identity, None) is None:
                del self._deliveries[delivery]
                if task is not None:
                    task.cancel()
        for receiver in wanted.values():
            delivery = Delivery(receiver, self._clock, self._patience)
            self._deliveries[delivery] = self._group.create_task(delivery.attend()) if self._group else None

    def budget(self, state: Spend) -> float:
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
            try:
                await self._forget()
                while True:
                    await self._arrived.wait()
                    self._arrived.clear()
                    while self._waiting:
                        await self._tell(self._waiting[0])
                        self._waiting.popleft()
            finally:
                self._group = None

    def _look_at_budget(self, state: Spend, known: _Known | None) -> float:
        budget = state.budget
        passed = [each for each in self._permilles if state.spent * _WHOLE >= each * budget.amount]
        following = [each for each in self._permilles if each not in passed]
        next_at = following[0] * budget.amount / _WHOLE if following else float("inf")
        self._remember((state.key_id, budget), state.since_us, next_at)
        if not passed or (known is not None and known.since_us == state.since_us and state.spent < known.next_at):
            return next_at
        who = "the gateway" if state.key_id is None else f"the key {state.key_name}"
        percent = state.spent * 100 // budget.amount
        self._put(
            Alert(
                kind="budget.threshold",
                subject=f"budget:{state.key_id or '*'}:{show_budget(budget)}",
                since_us=state.since_us,
                permilles=tuple(passed),
                text=f"{who} has used {percent} % of its budget of {show_budget(budget)}",
                data={
                    "key_id": state.key_id,
                    "key_name": state.key_name,
                    "budget": show_budget(budget),
                    "unit": budget.unit,
                    "period": budget.period,
                    "amount": budget.amount,
                    "spent": state.spent,
                    "spent_text": show_amount(msgspec.structs.replace(budget, amount=state.spent)),
                    "threshold": passed[-1] / _WHOLE,
                    "since": _moment(state.since_us or None),
                    "resets": _moment(state.resets_us),
                },
            )
        )
        return next_at

    def _look_at_window(self, label: str, window: str, utilization: float, since_us: int, known: _Known | None) -> None:
        used = utilization * _WHOLE
        passed = [each for each in self._permilles if used >= each]
        following = [each for each in self._permilles if each not in passed]
        self._remember((label, window), since_us, following[0] / _WHOLE if following else float("inf"))
        if not passed or (known is not None and known.since_us == since_us and utilization < known.next_at):
            return
        self._put(
            Alert(
                kind="window.threshold",
                subject=f"window:{label}:{window}",
                since_us=since_us,
                permilles=tuple(passed),
                text=f"{utilization:.0%} of the {window} window of {label} is used",
                data={
                    "label": label,
                    "window": window,
                    "utilization": utilization,
                    "threshold": passed[-1] / _WHOLE,
                    "resets": _moment(since_us or None),
                },
                is_of_period=since_us > 0,
            )
        )

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

    async def _is_new(self, alert: Alert) -> bool:
        if not alert.is_of_period:
            return True
        try:
            return await asyncio.to_thread(self._book.claim, alert.subject, alert.since_us, alert.permilles)
        except LedgerError as error:
            log.warning("alert_not_remembered", error=str(error))
        except Exception:  # the loop of alerts: one is told perhaps twice, the next is told too
            log.exception("alert_not_remembered")
        return True  # rather twice than not at all

    async def _tell(self, alert: Alert) -> None:
        if not await self._is_new(alert):
            return
        log.warning(alert.kind.replace(".", "_"), text=alert.text, **alert.data)
        message = message_of(self._ids.new(), alert.kind, alert.text, alert.data, self._clock.now_us())
        for delivery in self._deliveries:
            delivery.put(message)


def message_of(message_id: str, kind: str, text: str, data: dict[str, object], now_us: int) -> Message:
    """A message as it is sent: `type`, `timestamp`, `data` as Standard Webhooks has them, and a sentence."""
    body = {"type": kind, "timestamp": _moment(now_us), "text": f"Clearway: {text}", "data": data}
    return Message(message_id, msgspec.json.encode(body))


def _about(resets_us: int | None, known: _Known | None) -> int:
    """What tells one period of a window from the next; 0: nothing does."""
    if resets_us is None:
        return 0
    if known is not None and abs(known.since_us - resets_us) < _JITTER_US:
        return known.since_us
    return (resets_us + _JITTER_US // 2) // _JITTER_US * _JITTER_US


def _moment(us: int | None) -> str | None:
    return None if us is None else datetime.fromtimestamp(us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
