"""The walk's sink on ASGI."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from clearway.server.guard import Guard
from clearway.upstreams.protocol import Headers

Send = Callable[[Any], Awaitable[None]]
_BODILESS = (204, 304)


class AsgiSink:
    """Writes one answer to one connection."""

    __slots__ = ("_connection", "_send", "gone", "started")

    def __init__(self, send: Send, connection: Guard) -> None:
        self._send = send
        self._connection = connection
        self.started = False
        self.gone = False

    async def start(self, status: int, headers: Headers) -> None:
        """Send the head."""
        self.started = True
        if status in _BODILESS:
            # uvicorn would wait for the body that such an answer never has (RFC 9110, section 8.6).
            headers = [field for field in headers if field[0] != b"content-length"]
        await self._send({"type": "http.response.start", "status": status, "headers": list(headers)})

    async def write(self, data: bytes) -> None:
        """Send a piece; waits while the client reads slowly."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def nudge(self, data: bytes) -> bool:
        """Send a piece at once if the client is reading."""
        if self._connection.is_slow() or self.gone:
            return False
        # uvicorn's send waits for a slow client only; it is run to its end here.
        sending = self._send({"type": "http.response.body", "body": data, "more_body": True}).__await__()
        with contextlib.suppress(StopIteration):
            next(sending)
            sending.close()
            return False
        return True

    async def finish(self, data: bytes = b"") -> None:
        """Send the last piece and end the answer."""
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    def cut(self) -> None:
        """End the connection so that the client notices."""
        self._connection.cut()
