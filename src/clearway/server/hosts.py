"""`Host`: only names that are ours, on every route, before any work.

A page on another site can have its name point at 127.0.0.1 (DNS rebinding) and
then speak to us as its own origin; but it cannot choose what `Host` says.
"""

import re
from collections.abc import Iterable

from clearway.core.errors import WrongHost
from clearway.core.fields import Fields, Headers

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_SPELLINGS = 64
"""Accepted values that are remembered: with ports and capitals, there are many."""
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")


class Hosts:
    """The names that `Host` may have; the port does not matter.

    Args:
        listening: The address that is listened on.
        further: Configured names (`server.hosts`).
    """

    def __init__(self, listening: str, further: Iterable[str]) -> None:
        own = f"[{listening}]" if ":" in listening else listening
        names = {*_LOOPBACK, own, *further} - {"0.0.0.0", "[::]"}  # noqa: S104  # taken out, not bound
        self._names = frozenset(name.lower().encode() for name in names)
        self._spelled: set[bytes] = set()

    def check(self, headers: Headers) -> None:
        """Judge a request.

        Raises:
            WrongHost: It was meant for somebody else.
        """
        value = Fields.of(headers).first(b"host") or b""
        if value in self._spelled:
            return
        found = _HOST.fullmatch(value)
        if found is None or found[1].lower() not in self._names:
            hint = "add the name to server.hosts if it is one of this gateway's"
            raise WrongHost("the Host of this request is not one of this gateway's", hint=hint)
        if len(self._spelled) < _SPELLINGS:
            self._spelled.add(value)
