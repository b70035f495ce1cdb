"""TLS servers on 127.0.0.1 and the certificates they show. Used by the tests of TLS and of proxies."""

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Protocol

import trustme

from tests.upstreams.hostile import chunked, plain

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Certificate(Protocol):
    """Something that a server can show."""

    def configure_cert(self, ctx: ssl.SSLContext) -> None:
        """Make a server show it."""
        ...


class SelfSigned:
    """A certificate that vouches for itself, as `openssl req -x509` makes them."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        self._files = (directory / "own.pem", directory / "own.key")
        authority.cert_pem.write_to_path(self._files[0])
        authority.private_key_pem.write_to_path(self._files[1])

    def configure_cert(self, ctx: ssl.SSLContext) -> None:
        """See `Certificate`."""
        ctx.load_cert_chain(*self._files)


@contextlib.asynccontextmanager
async def serving(
    certificate: Certificate,
    handler: Handler,
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    *,
    host: str = "127.0.0.1",
) -> AsyncIterator[int]:
    """A TLS server; yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    if newest < ssl.TLSVersion.TLSv1_2:
        only_tls_1_1(context)
    else:
        context.maximum_version = newest
    certificate.configure_cert(context)
    server = await asyncio.start_server(handler, host, 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def only_tls_1_1(context: ssl.SSLContext) -> None:
    """Off by default for long: Python and OpenSSL each have to be persuaded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")


async def request_body(reader: asyncio.StreamReader) -> bytes:
    """The body of the next request."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return await reader.readexactly(size)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send bodies back, until the client leaves."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            body = await request_body(reader)
            writer.write(chunked(body) if body else plain(str(writer.get_extra_info("ssl_object").version()).encode()))
            await writer.drain()
    writer.close()
