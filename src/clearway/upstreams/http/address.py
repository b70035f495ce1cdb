"""A base URL, taken apart: where to connect, and what goes before each path.

Pure. A URL is never repeated in an error, because it might hold a password.
Rules: RFC 3986, sections 3.1 to 3.3; RFC 9110, section 4.2.4 (no user-info).
Used by compose (from the settings) and by `client`.
"""

import ipaddress
import re
from urllib.parse import SplitResult

import msgspec

from clearway.config.urls import split_url

_PORTS = {"http": 80, "https": 443}
_PREFIX = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_LARGEST_PORT = 65_535


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where an upstream listens."""

    host: str
    """A name in ASCII and lower case, or an IP literal without brackets."""
    port: int
    tls: bool
    prefix: bytes = b""
    """What goes before every target: empty, or `/…` without a slash at its end."""

    @property
    def authority(self) -> str:
        """Host and port as in `Host`: the port only where it is not the scheme's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    @classmethod
    def parse(cls, base_url: str) -> "Address":
        """Take `base_url` apart.

        Raises:
            ValueError: It is not usable; the text says why, without the URL.
        """
        try:
            parts = split_url(base_url)
        except ValueError as error:
            raise ValueError(f"base_url {error}") from None
        if parts.scheme not in _PORTS:
            raise ValueError("base_url must begin with https:// or http://")
        if "@" in parts.netloc:
            raise ValueError("base_url must not hold a user name or password")
        if "?" in base_url or "#" in base_url:
            raise ValueError("base_url must not hold a query or a fragment")
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
        if not 0 < port <= _LARGEST_PORT:
            raise ValueError("the port in base_url must be from 1 to 65535")
        return cls(host=_host(parts), port=port, tls=parts.scheme == "https", prefix=_prefix(parts.path))


def normal_host(host: str) -> str:
    """The one spelling of `host` that is compared: lower case, ASCII, no brackets.

    Raises:
        ValueError: It is neither a name nor an IP literal.
    """
    bare = host.removeprefix("[").removesuffix("]").lower()
    if ":" in bare:
        return ipaddress.IPv6Address(bare).compressed
    try:
        ascii_name = bare if bare.isascii() else bare.encode("idna").decode()
    except UnicodeError:
        raise ValueError("the host is not a valid name") from None
    # A dot at the end means the same host, but certificates and lists lack it.
    ascii_name = ascii_name.removesuffix(".")
    if not _NAME.fullmatch(ascii_name):
        raise ValueError("the host is not a valid name")
    return ascii_name


def _host(parts: SplitResult) -> str:
    if not parts.hostname:
        raise ValueError("base_url names no host")
    try:
        return normal_host(parts.hostname)
    except ValueError:
        raise ValueError("the host in base_url is neither a name nor an IP address") from None


def _prefix(path: str) -> bytes:
    prefix = path.rstrip("/")
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("the path in base_url holds characters that must be percent-encoded")
    if any(segment.lower().replace("%2e", ".") in {".", ".."} for segment in prefix.split("/")):
        raise ValueError("the path in base_url must not hold dot segments")
    return prefix.encode("ascii")
