"""Where a request comes from: the peer's address, or what a proxy that is trusted says of it.

Owns the judgement of `x-forwarded-for` and `forwarded`. Whoever is not named in
`server.trusted_proxies` may write there what it likes: it counts as itself. A proxy
adds the address it was called from at the end, so the list is read from there, past
the proxies that are ours. Of IPv6 the first 64 bits count: who has one address has
all of its network.
Sources: RFC 7239, sections 4 and 6; RFC 4291, section 2.5.5.2 (IPv4 in IPv6).
Used by server/app; the walk slows down who guesses keys by it (gateway/wrong_keys).

Growth: a thousand spellings of addresses, short ones only.
"""

import ipaddress
import re
from collections.abc import Sequence

import msgspec

from clearway.core.fields import Fields
from clearway.core.remembered import Remembered

_FIELD, _STANDARD = b"x-forwarded-for", b"forwarded"
_FOR = re.compile(r"(?:^|;)\s*for\s*=\s*(\"[^\"]*\"|[^;]*)", re.IGNORECASE)
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")
_MOST_HOPS = 32
_LONGEST = 64
_V6_BITS = 64

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SOURCE = "clearway.source"
"""The extension of an ASGI scope in which stands where a request comes from."""


class _Known(msgspec.Struct, frozen=True):
    """One address."""

    source: str
    """Itself, or the IPv6 network that it is in."""
    is_trusted: bool


class Sources:
    """Finds out where requests come from.

    Args:
        trusted: Addresses and networks of proxies whose word counts.
    """

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._trusted: list[_Network] = [ipaddress.ip_network(network) for network in trusted]
        self._known = Remembered(self._look_at, len, longest=_LONGEST, most=1024)

    def of(self, peer: str, headers: Fields) -> str:
        """The source of a request.

        Args:
            peer: The address at the other end of the connection; empty: a unix socket.
            headers: The request's.
        """
        known = self._known(peer)
        if known is None:
            return peer
        return self._told(headers) or known.source if known.is_trusted else known.source

    def _told(self, headers: Fields) -> str | None:
        """What the proxies say; None: nothing that can be believed."""
        listed = _list(headers, _FIELD)
        standard = [_node(element) for element in _list(headers, _STANDARD)]
        if not (listed and standard):
            return self._first_stranger(listed or standard)
        # A proxy writes one of them, and lets pass whatever a client has put into the other.
        told = self._first_stranger(listed)
        return told if told == self._first_stranger(standard) else None

    def _first_stranger(self, hops: list[str]) -> str | None:
        """From the end: the first that is no proxy of ours; where all are, the farthest."""
        source = None
        for hop in reversed(hops[-_MOST_HOPS:]):
            known = self._known(_bare(hop))
            if known is None:
                return None  # hidden or garbled: nobody can be told behind it
            source = known.source
            if not known.is_trusted:
                break
        return source

    def _look_at(self, text: str) -> _Known | None:
        if len(text) > _LONGEST:
            return None
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return None
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        is_trusted = any(address in network for network in self._trusted)
        if isinstance(address, ipaddress.IPv4Address):
            return _Known(str(address), is_trusted)
        return _Known(str(ipaddress.ip_network((int(address), _V6_BITS), strict=False)), is_trusted)


def _list(headers: Fields, name: bytes) -> list[str]:
    """The elements of a field that may be repeated."""
    if name not in headers.names:
        return []
    values = b",".join(value for field, value in headers if field == name)
    return [element.strip() for element in values.decode("latin-1").split(",") if element.strip()]


def _node(element: str) -> str:
    """The `for` of one element of `forwarded`; empty where there is none."""
    found = _FOR.search(element)
    return found[1].strip().strip('"') if found else ""


def _bare(node: str) -> str:
    """An address without brackets and port."""
    found = _WITH_PORT.fullmatch(node)
    return node if found is None else found[1] or found[2] or ""
