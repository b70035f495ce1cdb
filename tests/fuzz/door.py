"""The guard with a transport in memory on one side and a recording application on the other.

Drives the connection through the methods of `asyncio.Protocol` alone, on a loop of
its own that runs until nothing is left to do. Used by `targets`.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
import uvloop
from uvicorn.server import ServerState

from clearway.server.guard import Guard

_SAID = b"ok"


@dataclass
class Handed:
    """One request as the application got it."""

    method: bytes
    target: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""
    is_whole: bool = False


@dataclass
class Talk:
    """What a connection came to."""

    handed: list[Handed] = field(default_factory=list)
    written: bytes = b""
    is_closed: bool = False
    errors: list[str] = field(default_factory=list)
    """What went wrong on the loop."""


class _Transport(asyncio.Transport):
    """Keeps what is written; gives what comes only while it is read."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol, talk: Talk) -> None:
        super().__init__({"sockname": ("127.0.0.1", 1), "peername": ("127.0.0.1", 2)})
        self._loop = loop
        self._protocol = protocol
        self._talk = talk
        self._is_reading = True
        self._waiting: list[bytes] = []
        self._is_gone = False

    def give(self, data: bytes) -> None:
        """Bytes from the client."""
        self._waiting.append(data)
        self._pump()

    def _pump(self) -> None:
        while self._waiting and self._is_reading and not self._is_gone:
            self._protocol.data_received(self._waiting.pop(0))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._is_gone:
            self._talk.written += data

    def writelines(self, list_of_data: Any) -> None:  # noqa: ANN401  # asyncio's own signature
        self.write(b"".join(list_of_data))

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True
        self._loop.call_soon(self._pump)

    def is_reading(self) -> bool:
        return self._is_reading

    def is_closing(self) -> bool:
        return self._is_gone

    def close(self) -> None:
        if not self._is_gone:
            self._is_gone = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    abort = close

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Whatever is written is taken at once."""

    def get_write_buffer_size(self) -> int:
        return 0


class Door:
    """Makes connections, one after the other."""

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        self._loop.set_exception_handler(self._note)
        self._talk = Talk()
        self._moves = 0
        self._config = uvicorn.Config(
            self._answer, http=Guard, ws="none", lifespan="off", interface="asgi3", log_config=None, access_log=False,
            server_header=False, date_header=False, proxy_headers=False,
        )  # fmt: skip
        logging.getLogger("uvicorn.error").disabled = True
        self._config.load()

    def talks(self, ways: Iterable[list[bytes]]) -> list[Talk]:
        """One connection for each way: its pieces come one after the other."""
        return self._loop.run_until_complete(self._talks(ways))

    async def _talks(self, ways: Iterable[list[bytes]]) -> list[Talk]:
        talks = []
        for pieces in ways:
            self._talk = Talk()
            await self._connection(pieces)
            talks.append(self._talk)
        return talks

    async def _connection(self, pieces: list[bytes]) -> None:
        state = ServerState()
        guard = Guard(self._config, state, {}, self._loop)
        transport = _Transport(self._loop, guard, self._talk)
        guard.connection_made(transport)
        for piece in pieces:
            transport.give(piece)
            await asyncio.sleep(0)
        await self._quiet()
        self._talk.is_closed = transport.is_closing()
        transport.close()
        await self._quiet()
        for task in list(state.tasks):
            self._talk.errors.append("a task is left behind")
            task.cancel()

    async def _quiet(self) -> None:
        """Let the loop run until nothing moves any more."""
        before = None
        while before != (before := (len(self._talk.handed), len(self._talk.written), self._moves)):
            for _ in range(4):
                await asyncio.sleep(0)

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        del loop
        self._talk.errors.append(f"{context.get('message')}: {context.get('exception')!r}")

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI's own
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        handed = Handed(scope["method"].encode(), target, list(scope["headers"]))
        self._talk.handed.append(handed)
        while not handed.is_whole:
            message = await receive()
            if message["type"] != "http.request":
                return
            self._moves += 1
            handed.body += message["body"]
            handed.is_whole = not message["more_body"]
        if handed.fields != list(scope["headers"]):
            self._talk.errors.append("the fields changed while the body came")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": _SAID})
