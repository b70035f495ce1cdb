"""A client that takes nothing of its answer: how long that may last.

Back-pressure makes everybody wait for a slow reader: what is unsent here, the upstream's
connection, the reservation. One that reads nothing at all, and does not leave either,
would hold them for ever: its peer's kernel answers every probe (RFC 9293, section 3.8.6.1).
Used by server/guard, which looks at it now and then.
"""

import asyncio

STALL_S = 300.0
"""How long a client may take nothing of what waits for it."""


class Stall:
    """Since when nothing has been taken.

    Only where nothing is added meanwhile does an unchanged size prove that: while
    writing is paused, and once the connection is closing.
    """

    __slots__ = ("_left", "_since")

    def __init__(self) -> None:
        self._left = 0
        self._since = 0.0

    def is_over(self, transport: asyncio.Transport, now: float, *, is_paused: bool) -> bool:
        """True where the client had its time, and the connection is to be ended.

        Args:
            transport: The client's.
            now: The loop's clock.
            is_paused: Writing is paused, because too much waits already.
        """
        left = transport.get_write_buffer_size() if is_paused or transport.is_closing() else 0
        if not left or left < self._left or not self._left:
            self._since = now
        self._left = left
        return left > 0 and now - self._since >= STALL_S
