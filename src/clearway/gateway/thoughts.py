"""What models thought, kept for a while for clients that drop it; and items, for those that only name them.

In memory only, and each owner's by itself: what was made for one key is never put into a
request of another's. Whoever keeps more than an eighth of the room loses their
own oldest first, so that one cannot push out all others.
Growth: `room` bytes, overhead included.
Used by gateway/translate.
"""

from collections import OrderedDict
from functools import partial

import msgspec

from clearway.core.clock import Clock
from clearway.wire.hub.kept import Kept, Recall, name_of

_SHARE = 8
_OVERHEAD = 400
"""Bytes of an entry beside what is kept; measured."""
_ITEM = "item "
"""Before the id of an item, so that it is never taken for a call."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode


class _Entry:
    __slots__ = ("ends", "kept", "size")

    def __init__(self, kept: bytes, ends: float) -> None:
        self.kept = kept
        self.ends = ends
        self.size = len(kept) + _OVERHEAD


class _Owned:
    __slots__ = ("entries", "size")

    def __init__(self) -> None:
        self.entries: OrderedDict[str, _Entry] = OrderedDict()
        self.size = 0


class Thoughts:
    """Keeps them.

    Args:
        clock: The time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._owned: OrderedDict[str, _Owned] = OrderedDict()
        self._size = 0
        self._room = 0
        self._lasts_s = 0.0

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return self._size

    def adjust(self, *, room: int, lasts_s: float) -> None:
        """Other bounds from now on.

        Args:
            room: Bytes of all together; 0: nothing is kept.
            lasts_s: How long, in seconds.
        """
        self._room, self._lasts_s = room, lasts_s
        self._make_room()

    def keep(self, owner: str, kept: Kept) -> None:
        """Keep what was thought in one turn; what is larger than its owner's share is not."""
        self._keep(owner, name_of(kept), _encode(kept))

    def keep_item(self, owner: str, item_id: str, item: bytes) -> None:
        """Keep an item of a response, as JSON, within the same bounds."""
        self._keep(owner, _ITEM + item_id, item)

    def of(self, owner: str) -> Recall | None:
        """Finds what is kept of an owner's; None: nothing is."""
        owned = self._owned.get(owner)
        return partial(self.find, owner) if owned is not None and owned.entries else None

    def find(self, owner: str, name: str) -> Kept | None:
        """What is kept under a name."""
        found = self._find(owner, name)
        return None if found is None else _decode(found)

    def find_item(self, owner: str, item_id: str) -> bytes | None:
        """The item of that id."""
        return self._find(owner, _ITEM + item_id)

    def _find(self, owner: str, name: str) -> bytes | None:
        owned = self._owned.get(owner)
        entry = owned.entries.get(name) if owned is not None else None
        if entry is None or entry.ends <= self._clock.monotonic():
            return None
        return entry.kept

    def _keep(self, owner: str, name: str, kept: bytes) -> None:
        now = self._clock.monotonic()
        entry = _Entry(kept, now + self._lasts_s)
        share = self._room // _SHARE
        if entry.size > share:
            return
        owned = self._owned.setdefault(owner, _Owned())
        self._owned.move_to_end(owner)
        self._take_out(owned, name)
        owned.entries[name] = entry
        owned.size += entry.size
        self._size += entry.size
        while owned.size > share or _oldest(owned).ends <= now:
            self._take_out(owned, next(iter(owned.entries)))
        self._make_room()

    def _make_room(self) -> None:
        """Let go of the oldest of whoever has kept nothing for the longest time."""
        while self._size > self._room:
            owner, owned = next(iter(self._owned.items()))
            self._take_out(owned, next(iter(owned.entries)))
            if not owned.entries:
                del self._owned[owner]

    def _take_out(self, owned: _Owned, name: str) -> None:
        entry = owned.entries.pop(name, None)
        if entry is not None:
            owned.size -= entry.size
            self._size -= entry.size


def _oldest(owned: _Owned) -> _Entry:
    return next(iter(owned.entries.values()))
