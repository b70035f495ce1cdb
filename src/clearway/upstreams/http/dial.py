"""A connection to one of a host's addresses, with TLS where it is due, through a proxy where one is set.

Several addresses are raced: the next one starts when the one before it failed or
took 0.25 s. It is done here because uvloop's own connecting tries one after the
other, so that a dead IPv6 route would use up the whole time.
Rules: RFC 8305, sections 4 and 5 ("happy eyeballs").
Used by `client`.
"""

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain, zip_longest
from typing import TypeVar

import msgspec

from clearway.config.proxies import Proxy
from clearway.core.errors import UpstreamUnreachable
from clearway.upstreams.http.address import Address
from clearway.upstreams.http.connection import Connection
from clearway.upstreams.http.proxy import Tunnel

_NEXT_ADDRESS_S = 0.25
# A model may think for minutes without a byte; routers forget silent connections.
_PROBE_AFTER_S = 60

_NUMBERS: dict[type[OSError], int] = {
    ConnectionResetError: errno.ECONNRESET,
    ConnectionAbortedError: errno.ECONNABORTED,
    BrokenPipeError: errno.EPIPE,
}

P = TypeVar("P", bound=asyncio.BaseProtocol)
_Target = tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]


@cache
def make_context(ca: str | None) -> ssl.SSLContext:
    """Verification always on, TLS 1.2 at least; `ca` adds authorities from a PEM file.

    The system's authorities are those that OpenSSL finds, `SSL_CERT_FILE` and
    `SSL_CERT_DIR` included; no variable turns verification off. Loading them takes
    20 ms, so that upstreams share one context.

    Raises:
        ValueError: The file cannot be read or holds no certificate.
    """
    # Not `create_default_context`: that one obeys SSLKEYLOGFILE, by which whoever sets
    # our environment could read credentials off the wire.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca is not None:
        try:
            context.load_verify_locations(cafile=ca)
        except OSError as error:
            raise ValueError(f"the certificate authorities in {ca} cannot be loaded: {_reason(error)}") from error
    return context


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How an upstream is reached. Contexts are set where TLS is spoken, and verify."""

    address: Address
    context: ssl.SSLContext | None = None
    """For the upstream."""
    proxy: Proxy | None = None
    proxy_context: ssl.SSLContext | None = None
    """For the proxy itself."""

    @property
    def where(self) -> str:
        """For messages."""
        through = f" through the proxy {self.proxy.authority}" if self.proxy else ""
        return f"{self.address.authority}{through}"


async def dial(route: Route, connect_s: float, factory: Callable[[], Connection]) -> Connection:
    """A new connection, ready to be written to.

    Raises:
        UpstreamUnreachable: There is none within `connect_s`; says why.
    """
    try:
        async with asyncio.timeout(connect_s):
            if route.proxy is None:
                return await _open(route, connect_s, factory)
            return await _open_through(route, route.proxy, connect_s, factory)
    except TimeoutError as error:
        raise UpstreamUnreachable(f"no connection to {route.where} within connect_s = {connect_s:g} s") from error


async def _open(route: Route, connect_s: float, factory: Callable[[], Connection]) -> Connection:
    address = route.address
    with _told(address.authority):
        opened = await _connected(address.host, address.port)
        return await _attach(factory, opened, route.context, address.host, connect_s)


async def _open_through(route: Route, proxy: Proxy, connect_s: float, factory: Callable[[], Connection]) -> Connection:
    address = route.address
    # The port is always told, also the usual one (RFC 9110, section 9.3.6).
    host = f"[{address.host}]" if ":" in address.host else address.host
    target = f"{host}:{address.port}"
    with _told(f"the proxy {proxy.authority}"):
        opened = await _connected(proxy.host, proxy.port)
        tunnel = await _attach(lambda: Tunnel(proxy, target), opened, route.proxy_context, proxy.host, connect_s)
    try:
        transport = await tunnel.establish()
        if route.context is not None:
            return await _start_tls(transport, route, route.context, connect_s, factory())
        connection = factory()
        transport.set_protocol(connection)
        connection.connection_made(transport)
    except BaseException:
        tunnel.abort()
        raise
    return connection


async def _start_tls(
    transport: asyncio.Transport, route: Route, context: ssl.SSLContext, connect_s: float, connection: Connection
) -> Connection:
    """TLS with the upstream, inside of the tunnel."""
    host, loop = route.address.host, asyncio.get_running_loop()
    with _told(route.where):
        inner = await loop.start_tls(
            transport, connection, context, server_hostname=host, ssl_handshake_timeout=connect_s
        )
    if inner is None or inner.is_closing():
        raise UpstreamUnreachable(f"{route.where} closed the connection before the request was sent")
    # The loop tells this to new protocols of new connections only.
    connection.connection_made(inner)
    return connection


async def _attach(
    factory: Callable[[], P], opened: socket.socket, context: ssl.SSLContext | None, host: str, connect_s: float
) -> P:
    loop = asyncio.get_running_loop()
    if context is None:
        return (await loop.create_connection(factory, sock=opened))[1]
    connecting = loop.create_connection(
        factory, sock=opened, ssl=context, server_hostname=host, ssl_handshake_timeout=connect_s
    )
    return (await connecting)[1]


@contextlib.contextmanager
def _told(where: str) -> Iterator[None]:
    """Errors of the network and of TLS, in words."""
    try:
        yield
    except TimeoutError:
        # Ours, or the handshake's, which has the same length.
        raise
    except socket.gaierror as error:
        raise UpstreamUnreachable(f"the host of {where} cannot be found: {_reason(error)}") from error
    except ssl.SSLCertVerificationError as error:
        raise UpstreamUnreachable(f"the certificate of {where} is not trusted: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise UpstreamUnreachable(f"TLS with {where} failed: {_reason(error)}") from error
    except OSError as error:
        raise UpstreamUnreachable(f"no connection to {where}: {_reason(error)}") from error


async def _connected(host: str, port: int) -> socket.socket:
    opened = await connect_first(await _resolve(host, port))
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PROBE_AFTER_S)
    return opened


async def _resolve(host: str, port: int) -> list[_Target]:
    loop = asyncio.get_running_loop()
    # Asked for each connection, so that an address that moved is found.
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    targets = list(dict.fromkeys((family, where) for family, _, _, _, where in found))
    # The resolver's order, but the families take turns (RFC 8305, section 4).
    first = [target for target in targets if target[0] == targets[0][0]]
    other = [target for target in targets if target[0] != targets[0][0]]
    return [target for target in chain.from_iterable(zip_longest(first, other)) if target is not None]


async def connect_first(targets: Sequence[_Target]) -> socket.socket:
    """A socket connected to one of `targets`, which come in order of preference.

    Raises:
        OSError: None could be reached; the error of the first.
    """
    return await (_connect(targets[0]) if len(targets) == 1 else _Race().run(targets))


class _Race:
    """Connects to several addresses; the first socket wins.

    No attempt ever fails as a task: a group that ends by an error of its own loses a
    cancellation that comes at that moment (before Python 3.13), so that a request
    would be sent for somebody who has left, and leaves its task counted as cancelled
    (3.11), which disarms every timeout around it.
    """

    def __init__(self) -> None:
        self._connected: list[socket.socket] = []
        self._errors: list[OSError] = []
        self._decided = asyncio.Event()

    async def run(self, targets: Sequence[_Target]) -> socket.socket:
        """The winner. Raises the error that came first where there is none."""
        winner: socket.socket | None = None
        try:
            async with asyncio.TaskGroup() as group:
                await self._start(targets, group)
            if not self._connected:
                # All mean the same to the caller; the first is the quickest to be told.
                raise self._errors[0]
            winner = self._connected[0]
            return winner
        finally:
            for opened in self._connected:
                if opened is not winner:
                    opened.close()

    async def _start(self, targets: Sequence[_Target], group: asyncio.TaskGroup) -> None:
        attempts: list[asyncio.Task[None]] = []
        try:
            for target in targets:
                self._decided.clear()
                attempts.append(group.create_task(self._attempt(target)))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_NEXT_ADDRESS_S):
                        await self._decided.wait()
                if self._connected:
                    return
            while not self._connected and len(self._errors) < len(targets):
                self._decided.clear()
                await self._decided.wait()
        finally:
            for attempt in attempts:
                attempt.cancel()

    async def _attempt(self, target: _Target) -> None:
        try:
            self._connected.append(await _connect(target))
        except OSError as error:
            self._errors.append(error)
        self._decided.set()


async def _connect(target: _Target) -> socket.socket:
    family, where = target
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)  # noqa: FBT003 - the standard library takes it by position only
        await asyncio.get_running_loop().sock_connect(opened, where)
    except BaseException:
        opened.close()
        raise
    return opened


def _reason(error: OSError) -> str:
    """What went wrong, without addresses and numbers."""
    if isinstance(error, ssl.SSLError):
        reason = error.reason.replace("_", " ") if error.reason else "not valid"
    elif isinstance(error, socket.gaierror):
        reason = error.strerror or "no such name"
    else:
        # `strerror` of asyncio's own errors repeats the address; where a handshake is
        # cut short, they have no number at all.
        number = error.errno or _NUMBERS.get(type(error))
        reason = os.strerror(number) if number else type(error).__name__
    return reason.lower()
