"""An outgoing proxy on 127.0.0.1, in a thread of its own, that keeps a journal.

It makes tunnels, leads each of them where the test says, and remembers what it was
told and what passed. Proxies that misbehave are scripts of `tests/upstreams/hostile.py`.
Used by every test that needs to see what a proxy sees.
"""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import trustme

from tests.fake_upstream import PATIENCE_S

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass
class Passed:
    """One tunnel."""

    head: bytes
    """What asked for it, to the empty line."""
    there: bytearray = field(default_factory=bytearray)
    """What the client sent through it."""
    is_over: threading.Event = field(default_factory=threading.Event)
    """The client has left."""

    @property
    def target(self) -> str:
        """Host and port that were asked for."""
        return self.head.split(b" ", 2)[1].decode()


class ForwardProxy:
    """Listens while the context is open.

    Args:
        leads_to: Base URL or `host:port` where every tunnel ends, whatever was asked for.
        certificate: The proxy is spoken to through TLS.
        says: What is answered to `CONNECT`.
    """

    def __init__(
        self, leads_to: str, *, certificate: trustme.LeafCert | None = None, says: bytes = ESTABLISHED
    ) -> None:
        target = urlsplit(leads_to if "://" in leads_to else f"//{leads_to}")
        self._host, self._port = target.hostname, target.port
        self._certificate = certificate
        self._says = says
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self.tunnels: list[Passed] = []
        """In the order they were asked for."""
        self.authority = ""
        """Host and port."""

    def url(self, user_info: str = "") -> str:
        """As `proxy` and `HTTPS_PROXY` name it."""
        scheme = "https" if self._certificate else "http"
        return f"{scheme}://{user_info}{'@' if user_info else ''}{self.authority}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_ready.wait(PATIENCE_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    async def _serve(self) -> None:
        context = None
        if self._certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._certificate.configure_cert(context)
        self._loop.set_exception_handler(lambda _, __: None)  # connections that break are what is tested
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0, ssl=context)
        self.authority = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._is_ready.set()
        await self._stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError), contextlib.closing(writer):
            passed = Passed(await reader.readuntil(b"\r\n\r\n"))
            self.tunnels.append(passed)
            there, back = await asyncio.open_connection(self._host, self._port)
            with contextlib.closing(back):
                writer.write(self._says)
                await _either(_pump(reader, back, passed.there), _pump(there, writer, bytearray()))
                passed.is_over.set()


async def _either(*ways: Coroutine[object, object, None]) -> None:
    """Until one way has ended: a proxy then ends the other."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, copy: bytearray) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65536):
            copy += piece
            writer.write(piece)
            await writer.drain()
