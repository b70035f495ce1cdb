"""Who owns which file and which batch: the seam between the walk and the ledger.

Implemented by `ledger/objects.py` on the database. Synchronous: called from threads
beside the event loop. Every answer is the database's own, so several gateways agree.
Used by gateway/objects.
"""

from typing import Protocol

import msgspec

from clearway.keys.model import Key
from clearway.wire.messages.objects import Kind


class Share(msgspec.Struct, frozen=True):
    """What the requests of a batch for one model may use, estimated high."""

    model: str
    input_tokens: int
    output_tokens: int


class Owned(msgspec.Struct, frozen=True, kw_only=True):
    """A file or batch and whose it is."""

    kind: Kind
    id: str
    upstream: str
    """The name of the one that holds it."""
    key_id: str
    exchange_id: str
    """That made it; ids of exchanges sort by time, so it is also its place in lists."""
    created_us: int
    held: tuple[Share, ...] = ()
    """Of a batch: what is reserved until its results tell what it used."""
    charged_us: int | None = None
    """When what a batch used was booked; None: not yet, or it is none."""


class PageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a key's objects to list, newest first."""

    kind: Kind
    key_id: str
    upstreams: tuple[str, ...]
    """Those that may be used."""
    limit: int
    after: tuple[str, str] | None = None
    """Exchange id and id of an object: what is older than it."""
    before: tuple[str, str] | None = None
    """Likewise: what is newer than it, those next to it; newest first all the same."""


class Ownership(Protocol):
    """The table of owners. Every method may raise LedgerError."""

    def own(self, owned: Owned) -> bool:
        """Note an owner, durably; False where somebody else owns that id already."""
        ...

    def find(self, kind: Kind, object_id: str, key_id: str) -> Owned | None:
        """An object of this key; None where there is none, whoever else has one."""
        ...

    def find_all(self, kind: Kind, object_ids: frozenset[str], key_id: str) -> list[Owned]:
        """Those of `object_ids` that this key owns."""
        ...

    def page(self, query: PageQuery) -> list[Owned]:
        """A page, newest first."""
        ...

    def forget(self, owned: Owned) -> None:
        """It is no more."""
        ...

    def charged(self, owned: Owned, now_us: int) -> bool:
        """Note that what a batch used is in the ledger; False where that was noted before."""
        ...

    def uncharged(self) -> list[tuple[Owned, Key]]:
        """Batches whose use is not known yet, with the keys that made them."""
        ...
