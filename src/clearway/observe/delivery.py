"""Messages on their way to one receiver: a bounded queue, a few tries, nobody waits.

Owns when to try again and when to give up. A receiver that is down holds up neither the
others nor anything else: what it misses is in the log. What is neither taken nor given up
when the process ends stays in the ledger for the next start. Used by observe/alerts.

Growth: 64 messages of some hundred bytes for each receiver, and a row in the ledger for each.
"""

import asyncio
from collections import deque
from collections.abc import Hashable, Sequence
from typing import Protocol

import msgspec
import structlog

from clearway.core.clock import Clock
from clearway.core.errors import UpstreamError

log = structlog.get_logger()

MOST_WAITING = 64
_LEDGER_S = 5.0
_AGAIN = frozenset({408, 425, 429})
_OK, _REDIRECT, _SERVER_ERROR = 200, 300, 500


class Message(msgspec.Struct, frozen=True):
    """What is sent."""

    id: str
    body: bytes
    is_kept: bool = False
    """It is in the ledger until it is taken or given up."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How often a message is sent, and how long to wait before it is sent again: twice as long each time."""

    tries: int = 6
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0


class Receiver(Protocol):
    """Where messages go."""

    @property
    def shown(self) -> str:
        """How it is called in the log; never a secret."""
        ...

    @property
    def identity(self) -> Hashable:
        """Equal for the same receiver in another configuration."""
        ...

    @property
    def hashed(self) -> str:
        """How it is called in the ledger; never an address."""
        ...

    async def post(self, message_id: str, body: bytes, now_s: int) -> int:
        """Send once; returns the status of the answer. Raises UpstreamError."""
        ...

    async def aclose(self) -> None:
        """Let go of everything."""
        ...


class Outbox(Protocol):
    """Where messages are kept; called in threads."""

    def delivered(self, receiver: str, message_ids: Sequence[str]) -> None:
        """Let go of what was taken, or given up. Raises LedgerError."""
        ...


class NotTaken(Exception):
    """The receiver did not take a message; the text says why."""


class _Again(NotTaken):
    """It may take it later."""


class Delivery:
    """Delivers to one receiver, one message after the other.

    Args:
        receiver: Where they go.
        outbox: Has what is kept.
        clock: When they are sent.
        patience: Before a message is given up.
    """

    def __init__(self, receiver: Receiver, outbox: Outbox, clock: Clock, patience: Patience) -> None:
        self.receiver = receiver
        self._outbox = outbox
        self._clock = clock
        self._patience = patience
        self._waiting: deque[Message] = deque()
        self._in_hand: Message | None = None
        self._over: list[str] = []
        """Kept messages that need be kept no longer."""
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_removed = False
        self.dropped = 0
        """Messages that were given up."""

    def put(self, message: Message) -> None:
        """Have it delivered; where too many wait, the oldest is given up."""
        if len(self._waiting) >= MOST_WAITING:
            self._drop(self._waiting.popleft(), "too many wait")
        self._waiting.append(message)
        self._idle.clear()
        self._arrived.set()

    def remove(self) -> None:
        """Nothing goes there any more: what waits is given up when `attend` ends."""
        self._is_removed = True

    async def idle(self) -> None:
        """Wait until nothing waits."""
        await self._idle.wait()

    async def attend(self) -> None:
        """Deliver, until cancelled."""
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                while self._waiting:
                    # Out of the queue: what makes room in it must not take this one.
                    self._in_hand = self._waiting.popleft()
                    await self._deliver(self._in_hand)
                    self._in_hand = None
                    await self._let_go()
                self._idle.set()
        finally:
            self._end()
            await self._let_go()
            await self.receiver.aclose()

    async def _deliver(self, message: Message) -> None:
        try:
            await self._try(message)
        except NotTaken as error:
            self._drop(message, str(error))
        except Exception:  # the loop of deliveries: one message is lost, the next is not
            log.exception("webhook_failed", receiver=self.receiver.shown)
            self.dropped += 1
            self._is_over(message)
        else:
            self._is_over(message)

    def _end(self) -> None:
        left = [*([self._in_hand] if self._in_hand else []), *self._waiting]
        for message in left:
            if self._is_removed:
                self._drop(message, "this receiver was removed")
            elif not message.is_kept:
                self._drop(message, "the gateway ends, and it could not be kept")
        kept = sum(message.is_kept for message in left)
        if kept and not self._is_removed:
            log.warning("webhook_waits", receiver=self.receiver.shown, messages=kept, until="the next start")

    async def _let_go(self) -> None:
        if not self._over:
            return
        over, self._over = self._over, []
        done = asyncio.get_running_loop().run_in_executor(None, self._outbox.delivered, self.receiver.hashed, over)
        try:
            await asyncio.wait([done], timeout=_LEDGER_S)
        except asyncio.CancelledError:
            # Whoever cancels waits for it: what was taken must not be sent again.
            await asyncio.wait([done], timeout=_LEDGER_S)
            raise
        finally:
            error = done.exception() if done.done() else TimeoutError()
            if error is not None:
                # It is tried again with the next message; otherwise these come twice, with the same ids.
                self._over = [*over, *self._over][-MOST_WAITING:]
                log.warning("webhook_not_forgotten", receiver=self.receiver.shown, error=repr(error))

    async def _try(self, message: Message) -> None:
        # Few gateways have a webhook, and none needs this to start.
        from tenacity import (  # noqa: PLC0415
            AsyncRetrying,
            retry_if_exception_type,
            stop_after_attempt,
            wait_exponential_jitter,
        )

        patience = self._patience
        tries = AsyncRetrying(
            stop=stop_after_attempt(patience.tries),
            wait=wait_exponential_jitter(multiplier=patience.first_wait_s, max=patience.longest_wait_s),
            retry=retry_if_exception_type(_Again),
            reraise=True,
        )
        await tries(post, self.receiver, message, self._clock)

    def _drop(self, message: Message, why: str) -> None:
        self.dropped += 1
        log.warning("webhook_dropped", receiver=self.receiver.shown, message_id=message.id, why=why)
        self._is_over(message)

    def _is_over(self, message: Message) -> None:
        if message.is_kept:
            self._over.append(message.id)


async def post(receiver: Receiver, message: Message, clock: Clock) -> int:
    """Send once; returns the status where the message was taken.

    Raises:
        NotTaken: It was not.
    """
    try:
        status = await receiver.post(message.id, message.body, clock.now_us() // 1_000_000)
    except UpstreamError as error:
        raise _Again(str(error)) from error
    if _OK <= status < _REDIRECT:
        return status
    # A redirect is an answer like any other: where messages go is the owner's to say.
    raise (_Again if status >= _SERVER_ERROR or status in _AGAIN else NotTaken)(f"it answered {status}")
