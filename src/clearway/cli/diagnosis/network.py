"""The listening address and the upstreams. Sends no credential and spends no token."""

import asyncio
import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from clearway import __version__
from clearway.cli.diagnosis.finding import Finding, fail, ok, warn
from clearway.config.check import is_loopback
from clearway.config.model import Config, Timeouts, Upstream
from clearway.config.proxies import proxy_of
from clearway.core.clock import Clock
from clearway.core.errors import UpstreamError
from clearway.observe.protocol import Status
from clearway.upstreams.protocol import Request
from clearway.upstreams.registry import client_of

_PATIENCE_S = 5.0
_SKEW_S = 30
_SERVER_ERROR = 500


class _Visit(NamedTuple):
    finding: Finding
    skew_s: float | None


def check_listening(config: Config, status: Status | None) -> Iterator[Finding]:
    """Whether clients can reach the gateway, or it could listen; and who else could."""
    server = config.server
    if status is not None:
        yield _check_health(status.url)
    elif server.port != 0:
        yield _check_port(server.host, server.port)
    if is_loopback(server.host):
        yield ok("reach", f"{server.host}: only this machine can connect")
    else:
        yield ok("reach", f"{server.host}, behind a proxy: every request needs a key")


def check_upstreams(config: Config, origins: Mapping[str, str], clock: Clock) -> Iterator[Finding]:
    """Name, connection, proxy, certificate of each upstream, and our clock against theirs."""
    upstreams = config.upstreams
    set_by = [origins.get(f"upstreams[{place}].proxy", "") for place in range(len(upstreams))]
    with ThreadPoolExecutor(max_workers=max(1, min(8, len(upstreams)))) as pool:
        visits = list(pool.map(lambda upstream, origin: _visit(upstream, origin, clock), upstreams, set_by))
    yield from (visit.finding for visit in visits)
    skews = [visit.skew_s for visit in visits if visit.skew_s is not None]
    if not skews:
        return
    skew_s = min(skews, key=abs)
    if abs(skew_s) > _SKEW_S:
        yield warn(
            "clock",
            f"this machine's clock is {skew_s:+.0f} s off an upstream's",
            "synchronise it: expiries depend on it",
        )
    else:
        yield ok("clock", "agrees with an upstream's")


def check_proxies(config: Config) -> Iterator[Finding]:
    """Whether the clients behind a reverse proxy can be told apart."""
    if config.server.behind_proxy and not config.server.trusted_proxies:
        yield warn(
            "reverse proxy",
            "server.behind_proxy is set and no proxy is trusted: all clients count as one source of wrong keys",
            "name its address in server.trusted_proxies, and have it write x-forwarded-for",
        )


def check_cooling(status: Status | None) -> Iterator[Finding]:
    """Which upstreams the running gateway leaves alone at this moment."""
    for entry in status.cooling if status is not None else ():
        what = entry.upstream if entry.model is None else f"{entry.upstream} for {entry.model}"
        why = "it said so" if entry.told else "until it is asked again"
        yield warn(
            "cool-down",
            f"{what} is left alone for {entry.left_s:.0f} s more ({entry.why.replace('_', ' ')}; {why})",
            "the gateway's log says what it answered",
        )


def _check_health(url: str) -> Finding:
    parts = urlsplit(url)
    try:
        with contextlib.closing(
            http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE_S)
        ) as connection:
            connection.request("GET", "/health")
            code = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return fail("server", f"{url} does not answer: {_reason(error)}", "see the gateway's log")
    if code >= _SERVER_ERROR:
        return fail("server", f"{url}/health answers {code}", "see the gateway's log")
    return ok("server", f"{url} answers")


def _check_port(host: str, port: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        # As the gateway does: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return fail(
                "port",
                f"{host}:{port} cannot be used: {_reason(error)}",
                "set server.port, or: clearway serve --port 0",
            )
    return ok("port", f"{host}:{port} is free")


def _visit(upstream: Upstream, origin: str, clock: Clock) -> _Visit:
    name = f"upstream {upstream.name}"
    if upstream.kind == "sim":
        return _Visit(ok(name, "simulated"), None)
    if upstream.kind == "replay":
        return _Visit(_check_folder(name, upstream.recordings or ""), None)
    through = _through(upstream, origin)
    try:
        status, date = asyncio.run(_head(upstream))
    except UpstreamError as error:
        return _Visit(fail(name, str(error), _hint(error, through)), None)
    except ValueError as error:
        return _Visit(fail(name, str(error), "see: clearway config check"), None)
    text = f"{upstream.base_url} answers{through} (HEAD without a credential: {status})"
    parts = urlsplit(upstream.base_url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        finding = warn(name, f"{text}, but not encrypted", "use https: credentials travel there")
    else:
        finding = ok(name, text)
    return _Visit(finding, _skew(date, clock))


async def _head(upstream: Upstream) -> tuple[int, str | None]:
    """Status and date of an answer to a question that costs nothing, over the gateway's own client."""
    limits = Timeouts(connect_s=_PATIENCE_S, first_byte_s=_PATIENCE_S, idle_s=_PATIENCE_S, total_s=2 * _PATIENCE_S)
    own_name = (b"user-agent", f"clearway/{__version__}".encode())
    async with (
        contextlib.aclosing(client_of(upstream, limits)) as client,
        client.open(Request(method=b"HEAD", target=b"/", headers=(own_name,))) as reply,
    ):
        dates = [value.decode("latin-1") for field, value in reply.headers if field == b"date"]
        return reply.status, dates[0] if dates else None


def _through(upstream: Upstream, origin: str) -> str:
    """The proxy in force, and who set it."""
    proxy = proxy_of(upstream)
    return "" if proxy is None else f" through the proxy {proxy.authority}, set by {origin}"


def _hint(error: UpstreamError, through: str) -> str:
    if error.hint:
        return error.hint
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return 'name the authority that signed it in the upstream\'s "ca"'
    if through:
        return f'it is reached{through}; proxy = "none" of the upstream goes directly'
    if isinstance(cause, socket.gaierror):
        return "check the name and the network"
    return "check the address and the network"


def _check_folder(name: str, folder: str) -> Finding:
    if not Path(folder).is_dir():
        return fail(name, f"there is no folder {folder}", "set its recordings")
    return ok(name, f"answers from {folder}")


def _skew(date: str | None, clock: Clock) -> float | None:
    try:
        return None if date is None else clock.now_us() / 1_000_000 - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
