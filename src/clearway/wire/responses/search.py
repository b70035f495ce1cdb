"""What the upstream looks up by itself: an item of the type `web_search_call`. Pure.

Source: `ResponseFunctionWebSearch` of the `openai` SDK 3.x, and recorded answers of
OpenAI's (read 2026-11-27). Used by stream.py.
"""

from clearway.wire.hub.pieces import Found, Sought
from clearway.wire.responses.frames import Frames
from clearway.wire.responses.item import Item, Status


class Search(Item):
    """A search, or a page that is read.

    Args:
        frames: Writes the answer's events.
        message_id: Of the answer.
        index: Its place in the output.
        tells_sources: The addresses that were found are told.
    """

    prefix = "ws"

    def __init__(self, frames: Frames, message_id: str, index: int, *, tells_sources: bool) -> None:
        super().__init__(frames, message_id, index)
        self._tells_sources = tells_sources
        self._sought = Sought("", "")
        self._found: Found | None = None

    def begin(self) -> bytes:
        """See `Item.begin`."""
        return super().begin() + self._event(b"response.web_search_call.in_progress")

    def seek(self, sought: Sought) -> bytes:
        """What is looked for."""
        self._sought = sought
        return self._event(b"response.web_search_call.searching")

    def find(self, found: Found) -> None:
        """What was found."""
        self._found = found

    def _last(self, status: Status) -> bytes:
        del status
        return b"" if self._found is None else self._event(b"response.web_search_call.completed")

    def _item(self, status: str) -> dict[str, object]:
        if self._found is not None and self._found.has_failed:
            status = "failed"
        return {"id": self.id, "type": "web_search_call", "status": status, "action": self._action()}

    def _action(self) -> dict[str, object]:
        word = self._sought.query
        if self._sought.is_page:
            return {"type": "open_page", "url": word}
        action: dict[str, object] = {"type": "search", "query": word, "queries": [word] if word else []}
        if self._tells_sources and self._found is not None:
            action["sources"] = [{"type": "url", "url": url} for url in self._found.urls]
        return action
