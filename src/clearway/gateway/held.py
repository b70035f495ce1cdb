"""An answer whose body is read ahead, before it is decided who gets it.

Bounded in bytes and time: a refusal is small and there at once. Whatever was read is
handed out again, so that the client loses nothing where the answer is its own.
Used by gateway/send.
"""

import asyncio

from clearway.core.errors import UpstreamError
from clearway.core.fields import Headers
from clearway.upstreams.protocol import Reply

_MOST_BYTES = 64 * 1024
_LONGEST_S = 2.0


class Held:
    """A `Reply` that was read to its end, or as far as it came in time.

    Args:
        reply: The answer, of which nothing has been read; stays open meanwhile.
    """

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._error: UpstreamError | None = None
        self.status = reply.status
        self.headers: Headers = reply.headers
        self.body = b""
        """What was read and not yet handed out."""

    @property
    def ended(self) -> bool:
        """As `Reply.ended`."""
        return not self.body and self._error is None and self._reply.ended

    async def read_ahead(self) -> bool:
        """Read; True: the body is here, whole."""
        parts = []
        size = 0
        try:
            async with asyncio.timeout(_LONGEST_S):
                while not self._reply.ended and size <= _MOST_BYTES:
                    parts.append(await self._reply.read())
                    size += len(parts[-1])
        except TimeoutError:
            pass
        except UpstreamError as error:
            # Raised again in its place: after the bytes that came before it.
            self._error = error
        self.body = b"".join(parts)
        return self._error is None and self._reply.ended

    async def read(self) -> bytes:
        """As `Reply.read`."""
        if self.body:
            taken, self.body = self.body, b""
            return taken
        if self._error is not None:
            raise self._error
        return await self._reply.read()
