"""Running the ASGI application on uvicorn, until somebody says stop."""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Generator
from functools import partial

import uvicorn

from clearway.server.app import Asgi
from clearway.server.guard import Guard
from clearway.server.hangup import Terminal


class _Server(uvicorn.Server):
    """uvicorn's, with our own handling of signals, and events to wait for."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()
        self.draining = asyncio.Event()
        self.on_hangup: Callable[[], None] | None = None
        self._terminal = Terminal()
        self._loop = asyncio.get_running_loop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup(sockets)
        self.accepting.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """SIGTERM and SIGINT: drain. Again: stop at once. A third time: the default.
        SIGHUP: whatever it was said to be, unless it tells that the terminal is gone.

        The handlers stay until the process ends, so that a second signal does not
        cut short what is still being written.
        """
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self.handle_exit)
            if self.on_hangup is not None:
                signal.signal(signal.SIGHUP, self._hang_up)
        yield

    def _hang_up(self, sig: int, frame: object) -> None:
        if self._terminal.is_gone:
            self.handle_exit(sig, frame)
        elif self.on_hangup is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.on_hangup)

    def handle_exit(self, sig: int, frame: object) -> None:  # noqa: ARG002  # the signature of handlers
        """The first signal drains, the second ends, the third is not ours."""
        if self.force_exit:
            signal.signal(sig, signal.SIG_DFL)
            signal.raise_signal(sig)
        if self.should_exit:
            self.force_exit = True
        self.stop()

    def stop(self) -> None:
        """Drain and end."""
        self.should_exit = True
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.draining.set)


class Serving:
    """One application on some sockets. Made on the event loop that it runs on.

    Args:
        app: Answers the requests.
        sockets: Where it listens.
        drain_s: How long running answers may go on after `stop`.
        max_connections: Of all clients together.
    """

    def __init__(self, app: Asgi, sockets: list[socket.socket], *, drain_s: float, max_connections: int) -> None:
        self._sockets = sockets
        self._duties: list[Callable[[], Coroutine[None, None, None]]] = []
        self._server = _Server(
            uvicorn.Config(
                app,
                # Called as the class is: uvicorn makes one for each connection.
                http=partial(Guard, max_connections=max_connections),  # type: ignore[arg-type]
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                backlog=4096,
            )
        )
        self.adjust(drain_s=drain_s)

    def adjust(self, *, drain_s: float) -> None:
        """Another time to drain."""
        self._server.config.timeout_graceful_shutdown = max(1, int(drain_s))

    def tend(self, duty: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run `duty` beside the server, until it has drained. It must not fail: that would end the server."""
        self._duties.append(duty)

    def on_hangup(self, react: Callable[[], None]) -> None:
        """Call `react` on the loop at each SIGHUP, instead of ending by it."""
        self._server.on_hangup = react

    @property
    def is_accepting(self) -> bool:
        """True while new requests are answered."""
        return self._server.started and not self._server.should_exit

    async def accepting(self) -> None:
        """Wait until requests are answered."""
        await self._server.accepting.wait()

    async def draining(self) -> None:
        """Wait until it was told to stop."""
        await self._server.draining.wait()

    def stop(self) -> None:
        """Drain and end."""
        self._server.stop()

    async def run(self) -> None:
        """Serve until told to stop, then let running answers finish."""
        async with asyncio.TaskGroup() as group:
            duties = [group.create_task(duty()) for duty in self._duties]
            await self._server.serve(sockets=self._sockets)
            for duty in duties:
                duty.cancel()
