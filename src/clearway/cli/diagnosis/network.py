"""The listening address and the upstreams. Sends no credential and spends no token."""

import http.client
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from clearway import __version__
from clearway.cli.diagnosis.finding import Finding, fail, ok, warn
from clearway.config.check import is_loopback
from clearway.config.model import Config, Upstream
from clearway.core.clock import Clock
from clearway.observe.protocol import Status

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


def check_upstreams(config: Config, clock: Clock) -> Iterator[Finding]:
    """Name, connection, certificate of each upstream, and our clock against theirs."""
    upstreams = config.upstreams
    with ThreadPoolExecutor(max_workers=max(1, min(8, len(upstreams)))) as pool:
        visits = list(pool.map(lambda upstream: _visit(upstream, clock), upstreams))
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
        with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE_S)) as connection:
            connection.request("GET", "/health")
            code = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return fail("server", f"{url} does not answer: {_reason(error)}", "see the gateway's log")
    if code >= _SERVER_ERROR:
        return fail("server", f"{url}/health answers {code}", "see the gateway's log")
    return ok("server", f"{url} answers")


def _check_port(host: str, port: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
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


def _visit(upstream: Upstream, clock: Clock) -> _Visit:
    name = f"upstream {upstream.name}"
    if upstream.kind == "sim":
        return _Visit(ok(name, "simulated"), None)
    if upstream.kind == "replay":
        return _Visit(_check_folder(name, upstream.recordings or ""), None)
    try:
        status, date = _head(upstream)
    except socket.gaierror as error:
        finding = fail(name, f"{upstream.base_url}: {_reason(error)}", "check the name and the network")
    except ssl.SSLCertVerificationError as error:
        hint = 'name the authority that signed it in the upstream\'s "ca"'
        finding = fail(name, f"its certificate is not trusted: {error.verify_message}", hint)
    except (OSError, http.client.HTTPException) as error:
        finding = fail(name, f"{upstream.base_url}: {_reason(error)}", "check the address and the network")
    else:
        text = f"{upstream.base_url} answers (HEAD without a credential: {status})"
        parts = urlsplit(upstream.base_url)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            finding = warn(name, f"{text}, but not encrypted", "use https: credentials travel there")
        else:
            finding = ok(name, text)
        return _Visit(finding, _skew(date, clock))
    return _Visit(finding, None)


def _head(upstream: Upstream) -> tuple[int, str | None]:
    """Status and date of an answer to a question that costs nothing."""
    parts = urlsplit(upstream.base_url)
    with closing(_connection(upstream, parts.hostname or "", parts.port)) as connection:
        connection.request("HEAD", parts.path or "/", headers={"user-agent": f"clearway/{__version__}"})
        response = connection.getresponse()
        return response.status, response.getheader("date")


def _connection(upstream: Upstream, host: str, port: int | None) -> http.client.HTTPConnection:
    if upstream.base_url.startswith("http:"):
        return http.client.HTTPConnection(host, port, timeout=_PATIENCE_S)
    context = ssl.create_default_context()
    if upstream.ca:
        context.load_verify_locations(upstream.ca)
    return http.client.HTTPSConnection(host, port, timeout=_PATIENCE_S, context=context)


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
