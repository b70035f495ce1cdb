"""The names of the keys on a Valkey, and their places in one call of the script.

Every name begins with the installation's identity, in braces: two installations can
share a server, and all keys of one stand on the same node. No name of a key of ours and
no secret is in one, only ids. Used by the other files of this room.
"""

from collections.abc import Sequence

from clearway.limits.period import Span

_WITHOUT_KEY = "gateway"


class Names:
    """Of one installation and one gateway.

    Args:
        identity: Of the ledger (ledger/identity).
        instance_id: This gateway.
    """

    def __init__(self, identity: str, instance_id: str) -> None:
        self._prefix = f"clearway:{{{identity}}}:"
        self.instance_id = instance_id
        self.fixed = (
            f"{self._prefix}gateways",
            self.letters(instance_id),
            self.touched(instance_id),
            f"{self._prefix}loading",
        )
        """What every call of the script names first."""

    def letters(self, instance_id: str) -> str:
        """The number of a gateway's last batch, and the answer to it."""
        return f"{self._prefix}letters:{instance_id}"

    def touched(self, instance_id: str) -> str:
        """The keys in which a gateway has a part."""
        return f"{self._prefix}touched:{instance_id}"

    def tally(self, key_id: str | None, span: Span) -> str:
        """What was spent and is held by a key, or all of them, in a period."""
        return f"{self._prefix}tally:{key_id or _WITHOUT_KEY}:{span.start_us}-{span.end_us}"

    def rates(self, key_id: str) -> str:
        """Limits per minute of a key, and what it has running."""
        return f"{self._prefix}rates:{key_id}"

    def read_tally(self, name: str) -> tuple[str | None, Span] | None:
        """The key (None: all of them) and the period of a tally; None: it is no tally's name."""
        kind, _, rest = name.removeprefix(self._prefix).partition(":")
        if kind != "tally":
            return None
        whose, _, period = rest.rpartition(":")
        start, _, end = period.partition("-")
        return None if whose == _WITHOUT_KEY else whose, Span(int(start), int(end))


class Places:
    """The keys of one call, each once, by their places (from 1 on, as Lua counts)."""

    def __init__(self, fixed: Sequence[str]) -> None:
        self._places = {name: place for place, name in enumerate(fixed, 1)}

    def of(self, name: str) -> int:
        """The place of a key."""
        return self._places.setdefault(name, len(self._places) + 1)

    @property
    def names(self) -> list[str]:
        """In order."""
        return list(self._places)
