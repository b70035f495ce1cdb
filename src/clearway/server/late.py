"""An application that is made when somebody first asks it something. Used by compose, for the control socket."""

import asyncio
from collections.abc import Callable

from clearway.server.app import Asgi, Receive, Scope, Send


class Late:
    """An ASGI application, made by `make` at its first request.

    That is done in a thread: what is imported for it must not hold up others' answers.
    """

    def __init__(self, make: Callable[[], Asgi]) -> None:
        self._make = make
        self._app: Asgi | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        async with self._making:
            if self._app is None:
                self._app = await asyncio.to_thread(self._make)
            app = self._app
        await app(scope, receive, send)
