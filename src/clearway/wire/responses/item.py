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
        self._frames = frames
        self._place = b'"item_id":"%b","output_index":%d' % (self.id.encode(), index)

    def begin(self) -> bytes:
        """The events that begin it."""
        members = b'"output_index":%d,"item":%b' % (self.index, msgspec.json.encode(self._item("in_progress")))
        return self._frames.write(b"response.output_item.added", members)

    def end(self, status: Status) -> tuple[bytes, bytes]:
        """The events that end it, behind which nothing is told of it, and the item as it ended."""
        said = self._last(status)
        item = msgspec.json.encode(self._item(status))
        members = b'"output_index":%d,"item":%b' % (self.index, item)
        return said + self._frames.write(b"response.output_item.done", members), item

    def _last(self, status: Status) -> bytes:
        """The events within it that its end brings."""
        del status
        return b""

    def _item(self, status: str) -> dict[str, object]:
        """The item as it is now."""
        raise NotImplementedError

    def _event(self, kind: bytes, members: bytes = b"") -> bytes:
        """An event within it."""
        return self._frames.write(kind, b"%b,%b" % (self._place, members) if members else self._place)
