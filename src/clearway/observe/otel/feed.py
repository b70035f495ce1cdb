"""The loop's side of OpenTelemetry: what is over is queued for a thread of its own.

That makes spans and metrics of it and sends them (observe/otel/sender). Nothing here
waits or fails; where the thread cannot follow, exchanges are dropped and counted.
Used by compose, where `otel.endpoint` is set.

Growth: `_WAITING` exchanges that are over.
"""

import asyncio
import importlib.util
import threading
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

import structlog

from clearway.config.model import Otel
from clearway.core.exchange import Finished

if TYPE_CHECKING:
    from clearway.observe.otel.sender import Sender

log = structlog.get_logger()

_WAITING = 8_192
_AT_ONCE = 64
"""Exchanges that are sent together: each is a span, and one for each try."""
_EVERY_S = 1.0
_LAST_S = 5.0
"""What is left at the end has so long."""


def is_installed() -> bool:
    """Whether the packages of the extra `otel` are there."""
    try:
        return all(
            importlib.util.find_spec(name) is not None
            for name in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
        )
    except ModuleNotFoundError:
        return False


class OtelFeed:
    """Hears of what is over, from the event loop's thread.

    Args:
        settings: Where to send what.
        instance_id: This process.
        models: As in `Tally`.
    """

    def __init__(self, settings: Otel, instance_id: str, models: Iterable[str] = ()) -> None:
        self._settings = settings
        self._instance_id = instance_id
        self._models = tuple(models)
        self._waiting: deque[Finished] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otel", daemon=True)
        self._sender: Sender | None = None
        self._has_failed = False
        self.dropped = 0
        """Exchanges that nobody will hear of."""

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()
        await asyncio.to_thread(self._thread.join, _LAST_S)
        if self._sender is not None and self._thread.is_alive():
            # Ends its waiting between tries; the thread itself does not hold up the process.
            await asyncio.to_thread(self._sender.give_up)

    def settled(self, finished: Finished) -> None:
        """An exchange is over."""
        if len(self._waiting) >= _WAITING:
            self.dropped += 1
            return
        self._waiting.append(finished)

    def _run(self) -> None:
        """On the thread, from start to end."""
        # A start does not share its time with what follows.
        if self._stopping.wait(_EVERY_S) and not self._waiting:
            return
        # Takes half a second, and nobody waits for it.
        from clearway.observe.otel.sender import Sender  # noqa: PLC0415

        self._sender = sender = Sender(self._settings, self._instance_id, self._models)
        while not self._stopping.wait(_EVERY_S):
            self._send(sender)
        self._send(sender)
        sender.close()

    def _send(self, sender: "Sender") -> None:
        try:
            while self._waiting:
                sender.send([self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))])
            sender.send_metrics(is_last=self._stopping.is_set())
        except Exception:  # the thread's loop: one batch is lost, and the next is tried
            if not self._has_failed:
                self._has_failed = True
                log.exception("otel_failed")
