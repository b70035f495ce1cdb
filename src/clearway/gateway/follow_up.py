"""What a translator asks of its own beside the client's request.

Two calls, each an attempt like any other, with a row and a reservation of its own: the
next part of an answer that pauses, and a request again without the thoughts that were
refused. The client hears one answer. Owns how often; what is sent is made in `wire/hub`.
Decision 0030. Used by gateway/send and gateway/relay; made by gateway/chat.

Growth: the content of an answer that may pause (`wire/hub/pausing.py`), and the body of
the call that was made last.
"""

from collections.abc import Callable
from typing import Protocol

import structlog

from clearway.core.clock import Clock
from clearway.gateway.decode import Asked
from clearway.wire.body import Peek
from clearway.wire.hub.forgetting import complaint, forgotten
from clearway.wire.hub.pausing import Fold, continued

log = structlog.get_logger()

MOST = 5
"""How often an answer that pauses goes on."""


class FollowUp(Protocol):
    """Says what is to be asked next, of the upstream that was asked last."""

    @property
    def left_s(self) -> float:
        """How long everything may still take, in seconds; not above 0 where that is over."""
        ...

    def after_refusal(self, body: bytes) -> Asked | None:
        """What to send after a 400; None: the client is to hear it.

        Args:
            body: The refusal's.
        """
        ...

    def after_pause(self, output_tokens: int) -> Asked | None:
        """What to send after an answer that pauses, when all of it has been heard; None: that was all.

        Args:
            output_tokens: Of this answer.
        """
        ...


class Following:
    """The follow-up calls of one translated request.

    Args:
        asked: The request, as one of Messages.
        exchange_id: Of the exchange.
        clock: The time.
        total_s: How long all of it may take, in seconds.
        fold: Hears what an answer says; None: none of this request's will pause.
        tell: Takes a note for `x-clearway-warnings`; None: nothing may be left out of this request.
    """

    def __init__(
        self,
        asked: Asked,
        exchange_id: str,
        clock: Clock,
        *,
        total_s: float,
        fold: Fold | None,
        tell: Callable[[bytes], None] | None,
    ) -> None:
        self._asked = asked
        self._exchange_id = exchange_id
        self._clock = clock
        self._ends_at = clock.monotonic() + total_s
        self._fold = fold
        self._tell = tell
        self._pauses = 0
        self._has_forgotten = False

    @property
    def left_s(self) -> float:
        """As `FollowUp.left_s`."""
        return self._ends_at - self._clock.monotonic()

    def after_refusal(self, body: bytes) -> Asked | None:
        """As `FollowUp.after_refusal`: once, and only where it is about thoughts."""
        if self._has_forgotten or self._pauses or self._tell is None or self.left_s <= 0:
            return None
        said = complaint(body)
        made = None if said is None else forgotten(self._asked.plain, said)
        if made is None:
            return None
        self._has_forgotten = True
        self._tell(b"dropped:messages=thinking_refused" + (b"; ignored:reasoning_effort" if made.is_off else b""))
        log.info("thoughts_refused", exchange_id=self._exchange_id, place=said and said.place)
        return self._next(made.body, self._asked.peek.max_tokens)

    def after_pause(self, output_tokens: int) -> Asked | None:
        """As `FollowUp.after_pause`: `MOST` times, while there is time and something is left of the bound."""
        blocks = None if self._fold is None else self._fold.take()
        left = (self._asked.peek.max_tokens or 0) - output_tokens
        may_go_on = blocks is not None and self._pauses < MOST and self.left_s > 0
        body = continued(self._asked.plain, blocks or [], left) if may_go_on else None
        if body is None:
            log.info("answer_not_continued", exchange_id=self._exchange_id, pauses=self._pauses)
            return None
        self._pauses += 1
        return self._next(body, left)

    def _next(self, body: bytes, max_tokens: int | None) -> Asked:
        before = self._asked
        peek = Peek(model=before.peek.model, stream=True, max_tokens=max_tokens)
        self._asked = Asked(body, body, peek, readable=True, ours=before.ours)
        return self._asked
