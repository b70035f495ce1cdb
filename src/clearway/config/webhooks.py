"""A webhook's URL, taken apart and judged.

The owner writes it, so that there is little to defend against but slips: a message
that travels in the clear, an address that means another one in disguise, the address
at which clouds hand out credentials. Never repeated in a message: it may be a secret.
Pure. Used by config/check and upstreams/webhooks.
"""

import ipaddress
import re
from collections.abc import Sequence

import msgspec

from clearway.config.check import is_host, is_loopback
from clearway.config.urls import split_url

_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """Where messages go."""

    origin: str
    """Scheme, host and port; may be shown."""
    target: bytes
    """Path and query; may not."""

    def __repr__(self) -> str:
        return f"Hook({self.origin}/***)"


def parse_hook(url: str, allowed: Sequence[str] = ()) -> Hook:
    """Take a webhook's URL apart.

    Args:
        url: As configured.
        allowed: Hosts that the owner allowed whatever they are.

    Raises:
        ValueError: It is not usable; the text says why, without the URL.
    """
    parts = split_url(url)
    host = (parts.hostname or "").removesuffix(".")
    if parts.scheme not in {"http", "https"} or not host or not is_host(host):
        raise ValueError("is not a URL that begins with https://")
    if "@" in parts.netloc or "#" in url:
        raise ValueError("must hold no user, password or fragment")
    if host not in {name.lower() for name in allowed}:
        _judge(host, parts.scheme)
    shown = f"[{host}]" if ":" in host else host
    port = "" if parts.port is None else f":{parts.port}"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii():
        raise ValueError("holds characters that must be percent-encoded")
    return Hook(origin=f"{parts.scheme}://{shown}{port}", target=target.encode())


def _judge(host: str, scheme: str) -> None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # WHATWG URL, "ends in a number checker": resolvers take such names for addresses.
        if _NUMBER.fullmatch(host.rpartition(".")[2]):
            raise ValueError("names an address in an unusual form") from None
    else:
        mapped = getattr(address, "ipv4_mapped", None) or address
        if not (mapped.is_global or address.is_loopback):
            raise ValueError("leads to an address that is not public; usage.webhook_hosts allows a host") from None
    if scheme == "http" and not is_loopback(host):
        raise ValueError("would send messages in the clear; use https, or name the host in usage.webhook_hosts")
