"""What all items of an output have in common: a place, an id, a beginning and an end. Pure.

Used by the kinds of items beside it, and by stream.py.
"""

from typing import Literal

import msgspec

from clearway.wire.responses.frames import Frames
from clearway.wire.responses.ids import item_id

Status = Literal["completed", "incomplete"]


class Item:
    """One item.

    Args:
        frames: Writes the answer's events.
        message_id: Of the answer.
        index: Its place in the output.
    """

    prefix = ""
    """Of its id."""

    def __init__(self, frames: Frames, message_id: str, index: int) -> None:
        self.id = item_id(self.prefix, message_id, index)
        self.index = index
        self.done = b""
        """The item as it ended; empty until then."""
        self._frames = frames
        self._place = b'"item_id":"%b","output_index":%d' % (self.id.encode(), index)

    def begin(self) -> bytes:
        """The events that begin it."""
        return self._added(self._item("in_progress"))

    def end(self, status: Status) -> bytes:
        """The events that end it; nothing is told of it behind them."""
        return self._ended(self._item(status))

    def _item(self, status: str) -> dict[str, object]:
        """The item as it is now."""
        raise NotImplementedError

    def _event(self, kind: bytes, members: bytes = b"") -> bytes:
        """An event within it."""
        return self._frames.write(kind, b"%b,%b" % (self._place, members) if members else self._place)

    def _added(self, item: dict[str, object]) -> bytes:
        members = b'"output_index":%d,"item":%b' % (self.index, msgspec.json.encode(item))
        return self._frames.write(b"response.output_item.added", members)

    def _ended(self, item: dict[str, object]) -> bytes:
        self.done = msgspec.json.encode(item)
        return self._frames.write(
            b"response.output_item.done", b'"output_index":%d,"item":%b' % (self.index, self.done)
        )
