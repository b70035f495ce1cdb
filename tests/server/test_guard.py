"""The connection by itself: what its clock does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from clearway.server import guard
from clearway.server.guard import Guard

HEAD = b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\ncontent-length: 1000\r\n\r\n"
REFUSAL = {"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]}


class Refusing:
    """Answers everything without reading, and lets nothing through to a walk."""

    def turn(self, *_: object) -> None:
        """Nothing is for the walk."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI's own
        """Answers without reading."""
        del scope, receive
        await send(REFUSAL)
        await send({"type": "http.response.body", "body": b""})


@contextlib.asynccontextmanager
async def door() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client's end of a connection."""
    loop = asyncio.get_running_loop()
    config = uvicorn.Config(
        Refusing(), http=Guard, ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False
    )
    server = await loop.create_server(lambda: Guard(config, ServerState(), {}, loop), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock's ten seconds are over soon."""
    monkeypatch.setattr(guard, "HEAD_S", 0.05)


@pytest.mark.parametrize("sent", [b"", b"POST /v1/messages HT", HEAD[:-2], b"\r\n\r\n"])
async def test_a_head_that_does_not_come(sent: bytes) -> None:
    """It is answered, and the connection ends."""
    async with door() as (reader, writer), asyncio.timeout(5):
        writer.write(sent)
        said = await reader.read()

        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"x-clearway-error: too_slow\r\n" in said


@pytest.mark.parametrize("more", [b"", b"x"])
async def test_a_refused_body_that_does_not_end(more: bytes) -> None:
    """It was answered long ago; the connection is not held for what never comes."""
    async with door() as (reader, writer), asyncio.timeout(5):
        writer.write(HEAD)
        said = await reader.readuntil(b"\r\n\r\n")
        writer.write(more)

        assert said.startswith(b"HTTP/1.1 413 ")
        assert b"" == await reader.read()


async def test_a_quiet_connection_is_kept() -> None:
    """Between requests nobody is in a hurry."""
    async with door() as (reader, writer), asyncio.timeout(5):
        for _ in range(2):
            writer.write(HEAD + b"x" * 1000)

            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413 ")
            await asyncio.sleep(0.2)
