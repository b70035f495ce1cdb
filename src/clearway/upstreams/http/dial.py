"""A connection to one of a host's addresses, with TLS where it is due.

Several addresses are raced: the next one starts when the one before it failed or
took 0.25 s. It is done here because uvloop's own connecting tries one after the
other, so that a dead IPv6 route would use up the whole time.
Rules: RFC 8305, sections 4 and 5 ("happy eyeballs").
Used by `client`.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain, zip_longest

from clearway.core.errors import UpstreamUnreachable
from clearway.upstreams.http.address import Address
from clearway.upstreams.http.connection import Connection

_NEXT_ADDRESS_S = 0.25
# A model may think for minutes without a byte; routers forget silent connections.
_PROBE_AFTER_S = 60

_Target = tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]


class _Connected(Exception):
    """Ends the race."""


@cache
def make_context(ca: str | None) -> ssl.SSLContext:
    """Verification always on, TLS 1.2 at least; `ca` adds authorities from a PEM file.

    Loading the defaults takes 20 ms, so that upstreams share one context.

    Raises:
        ValueError: The file cannot be read or holds no certificate.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca is not None:
        try:
            context.load_verify_locations(cafile=ca)
        except OSError as error:
            raise ValueError(f"the certificate authorities in {ca} cannot be loaded: {_reason(error)}") from error
    return context


async def dial(
    address: Address, context: ssl.SSLContext | None, connect_s: float, factory: Callable[[], Connection]
) -> Connection:
    """A new connection, ready to be written to.

    Raises:
        UpstreamUnreachable: There is none within `connect_s`; says why.
    """
    where = address.authority
    try:
        async with asyncio.timeout(connect_s):
            return await _open(address, context, connect_s, factory)
    except TimeoutError as error:
        raise UpstreamUnreachable(f"no connection to {where} within connect_s = {connect_s:g} s") from error
    except socket.gaierror as error:
        raise UpstreamUnreachable(f"the host of {where} cannot be found: {_reason(error)}") from error
    except ssl.SSLCertVerificationError as error:
        raise UpstreamUnreachable(f"the certificate of {where} is not trusted: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise UpstreamUnreachable(f"TLS with {where} failed: {_reason(error)}") from error
    except OSError as error:
        raise UpstreamUnreachable(f"no connection to {where}: {_reason(error)}") from error


async def _open(
    address: Address, context: ssl.SSLContext | None, connect_s: float, factory: Callable[[], Connection]
) -> Connection:
    loop = asyncio.get_running_loop()
    opened = await connect_first(await _resolve(address))
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PROBE_AFTER_S)
    if context is None:
        _, connection = await loop.create_connection(factory, sock=opened)
    else:
        _, connection = await loop.create_connection(
            factory, sock=opened, ssl=context, server_hostname=address.host, ssl_handshake_timeout=connect_s
        )
    return connection


async def _resolve(address: Address) -> list[_Target]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
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
    """Connects to several addresses; the first socket wins."""

    def __init__(self) -> None:
        self._connected: list[socket.socket] = []
        self._errors: list[OSError] = []

    async def run(self, targets: Sequence[_Target]) -> socket.socket:
        """The winner. Raises the error that came first where there is none."""
        winner: socket.socket | None = None
        try:
            await self._start(targets)
            if not self._connected:
                # All mean the same to the caller; the first is the quickest to be told.
                raise self._errors[0]
            winner = self._connected[0]
            return winner
        finally:
            for opened in self._connected:
                if opened is not winner:
                    opened.close()

    async def _start(self, targets: Sequence[_Target]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._attempt(group, targets))
        except* _Connected:
            pass

    async def _attempt(self, group: asyncio.TaskGroup, targets: Sequence[_Target]) -> None:
        failed = asyncio.Event()
        if targets[1:]:
            group.create_task(self._follow(group, targets[1:], failed))
        try:
            self._connected.append(await _connect(targets[0]))
        except OSError as error:
            self._errors.append(error)
            failed.set()
        else:
            raise _Connected

    async def _follow(self, group: asyncio.TaskGroup, targets: Sequence[_Target], failed: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_NEXT_ADDRESS_S):
                await failed.wait()
        await self._attempt(group, targets)


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
    elif isinstance(error, socket.gaierror) or not error.errno:
        reason = error.strerror or type(error).__name__
    else:
        # `strerror` of asyncio's own errors repeats the address.
        reason = os.strerror(error.errno)
    return reason.lower()
