"""Which outgoing proxy each upstream is reached through.

Takes a proxy's URL apart, and chooses one by the variables that other programs
read too. No I/O: the environment is handed in. A URL is never repeated in a
message, because it may hold a password.
Rules: no standard; `curl` (its manual, "Environment" and `--noproxy`, read
2026-11-21) but for these: a spelling in upper case counts for `HTTP_PROXY` too (no
CGI program is started with our environment), loopback is spared, SOCKS is refused.
Used by `load` (choosing), `cli` (masking) and the registry of upstreams.
"""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from clearway.config.check import is_host, is_loopback
from clearway.config.model import Config, Upstream
from clearway.config.problems import Problem
from clearway.config.urls import split_url
from clearway.core.secret import Secret

DIRECT = "none"
"""The value of `proxy` that asks for none, whatever the environment says."""

_PORTS = {"http": 80, "https": 443}
_KINDS = frozenset({"anthropic", "passthrough"})
_SEPARATORS = re.compile(r"[,\s]+")
_USER_INFO = re.compile(r"(?<=//)[^/?#]*@")
_LARGEST_PORT = 65_535
_HINT = 'name an HTTP proxy such as "http://proxy.example:3128", or set proxy = "none" for this upstream'


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """Where an outgoing proxy listens, and who we are there."""

    host: str
    """A name in lower case, or an IP literal without brackets."""
    port: int
    tls: bool
    """Whether the proxy itself is spoken to through TLS."""
    credentials: Secret | None = None
    """`user:password`, for the proxy only."""

    @property
    def authority(self) -> str:
        """Host and port, for messages and for nothing else."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> "Proxy":
        """Take a proxy's URL apart.

        Raises:
            ValueError: It is not usable; the text says why, without the URL.
        """
        parts = split_url(url)
        if parts.scheme.startswith("socks"):
            raise ValueError("is a SOCKS proxy, which is not supported: only HTTP proxies are")
        if parts.scheme not in _PORTS:
            raise ValueError("must begin with http:// or https://")
        host = (parts.hostname or "").removesuffix(".")
        if not host or not is_host(host):
            raise ValueError("names no host")
        if parts.path not in {"", "/"} or "?" in url or "#" in url:
            raise ValueError("must hold nothing after host and port")
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
        if not 0 < port <= _LARGEST_PORT:
            raise ValueError("has a port that is not from 1 to 65535")
        return cls(host=host, port=port, tls=parts.scheme == "https", credentials=_credentials(parts))


def settle_proxies(
    config: Config, origins: dict[str, str], environ: Mapping[str, str], problems: list[Problem]
) -> Config:
    """`config` with each upstream's proxy decided: a usable URL, `none`, or nothing at all.

    Args:
        config: The settings of all layers.
        origins: Where they came from; those that are decided here are added.
        environ: The environment.
        problems: Where to put what is wrong.
    """
    settled = []
    for place, upstream in enumerate(config.upstreams):
        setting = f"upstreams[{place}].proxy"
        chosen = _choose(upstream, environ) if upstream.proxy is None else None
        if chosen is not None:
            value, variable = chosen
            origins[setting] = f"environment {variable}"
            upstream = msgspec.structs.replace(upstream, proxy=value)  # noqa: PLW2901 - the same one, completed
        settled.append(upstream)
        _check(upstream, setting, origins, problems)
    return msgspec.structs.replace(config, upstreams=tuple(settled))


def proxy_for(url: str, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy by which the environment has a URL reached that is no upstream's; None: directly.

    Raises:
        ValueError: It is not usable; the text says why, without the URL.
    """
    chosen = _choose_for(url, environ)
    return None if chosen is None or chosen[0] == DIRECT else Proxy.parse(chosen[0])


def proxy_of(upstream: Upstream) -> Proxy | None:
    """The proxy in force for an upstream of settled settings; None: it is reached directly."""
    return None if upstream.proxy in {None, DIRECT} else Proxy.parse(str(upstream.proxy))


def masked(url: str) -> str:
    """A proxy's URL without user and password: either can be a token."""
    return _USER_INFO.sub("***@", url)


def is_spared(host: str, port: int, no_proxy: str) -> bool:
    """Whether `NO_PROXY` lists a host (in lower case, without brackets).

    Entries are cut at commas and blanks: `*`; a domain, with or without a dot or `*.`
    before it, which stands for itself and all below it; an IP address; a network such
    as `10.0.0.0/8`, for hosts that are addresses. Each may end with a port. What is
    none of these spares nothing.
    """
    return any(_matches(entry, host, port) for entry in _SEPARATORS.split(no_proxy.strip()) if entry)


def _choose(upstream: Upstream, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Value and variable where the environment has something to say."""
    return _choose_for(upstream.base_url, environ) if upstream.kind in _KINDS else None


def _choose_for(url: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").removesuffix("."), parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        # Not usable: `check` says so.
        return None
    if is_loopback(host):
        return None
    found = _variable(f"{parts.scheme}_proxy", environ) or _variable("all_proxy", environ)
    if found is None:
        return None
    sparing = _variable("no_proxy", environ)
    if sparing is not None and is_spared(host, port, sparing[0]):
        return DIRECT, sparing[1]
    value, variable = found
    return (value if "://" in value else f"http://{value}"), variable


def _variable(name: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Value and spelling. The lower case wins, also where it is set to nothing."""
    spelling = name if name in environ else name.upper()
    value = environ.get(spelling, "").strip()
    return (value, spelling) if value else None


def _check(upstream: Upstream, setting: str, origins: Mapping[str, str], problems: list[Problem]) -> None:
    if upstream.kind not in _KINDS:
        # Told by `check`, as for every setting of another kind.
        return
    try:
        proxy_of(upstream)
    except ValueError as error:
        problems.append(Problem(origins.get(setting, ""), setting, str(error), _HINT))


def _credentials(parts: SplitResult) -> Secret | None:
    user_info, at, _ = parts.netloc.rpartition("@")
    if not at:
        return None
    user, _, password = user_info.partition(":")
    if ":" in unquote(user):
        # RFC 7617, section 2: the first colon ends the user.
        raise ValueError("has a user with a colon in it, which no proxy can tell from the password's")
    return Secret(f"{unquote(user)}:{unquote(password)}")


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, wanted = _split_port(entry.lower())
    if wanted is not None and wanted != str(port):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        domain = name.removeprefix("*").strip(".")
        return bool(domain) and (host == domain or host.endswith(f".{domain}"))
    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False


def _split_port(entry: str) -> tuple[str, str | None]:
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest.removeprefix(":") or None
    if entry.count(":") == 1:
        name, _, port = entry.partition(":")
        return name, port or None
    return entry, None
