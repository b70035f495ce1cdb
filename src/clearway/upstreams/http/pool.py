"""The connections to one origin: the idle ones for the next request, all of them for the end.

The one used last goes first, so that the others grow old and close. There is no
bound on connections in use: how much may run at once is the gateway's policy.
Used by `client`.
"""

import asyncio

from clearway.upstreams.http.connection import Connection


class Pool:
    """Keeps what can be used again.

    Args:
        max_idle: Idle connections that are kept; beyond it the oldest is closed.
    """

    def __init__(self, max_idle: int) -> None:
        self._max_idle = max_idle
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._gone = asyncio.Event()
        self.closed = False

    def take(self) -> Connection | None:
        """An idle connection that is still open, or None."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_quiet:
                return connection
            connection.abort()
        return None

    def put(self, connection: Connection) -> None:
        """Take back what an exchange has left."""
        if not connection.release():
            return
        self._idle.append(connection)
        if self.closed:
            connection.abort()
        elif len(self._idle) > self._max_idle:
            self._idle.pop(0).abort()

    def add(self, connection: Connection) -> None:
        """A connection was made. Not told by the connection itself: one whose making
        was cancelled can be open without ever being lost (uvloop).
        """
        if self.closed:
            connection.abort()
        if connection.is_open:
            self._all.add(connection)

    def lost(self, connection: Connection) -> None:
        """A connection is gone."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self.closed and not self._all:
            self._gone.set()

    async def aclose(self) -> None:
        """Close all connections, also those in use, and wait until they are gone."""
        self.closed = True
        for connection in tuple(self._all):
            connection.abort()
        if self._all:
            await self._gone.wait()
