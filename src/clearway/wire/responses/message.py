"""Text for the reader, and a refusal: an item of the type `message`. Pure.

Adjacent blocks of text are one part: Messages cuts a text where a citation begins or
ends, and programs that read parts one by one would show the cuts.
Source: `ResponseOutputMessage` of the `openai` SDK 3.x (read 2026-11-27). Used by stream.py.
"""

from collections.abc import Iterable

import msgspec

from clearway.wire.hub.pieces import Citation
from clearway.wire.responses.frames import Frames, Text, beginning
from clearway.wire.responses.item import Item, Status

_encode = msgspec.json.encode


class _Part:
    """One part of a message's content."""

    def __init__(self, place: bytes, *, is_refusal: bool) -> None:
        self.is_refusal = is_refusal
        self.text = Text()
        self.annotations: list[dict[str, object]] = []
        self.place = place
        kind = b"response.refusal.delta" if is_refusal else b"response.output_text.delta"
        self.before_delta = beginning(kind) + place + b',"delta":'

    def told(self) -> dict[str, object]:
        """As it stands in the content."""
        if self.is_refusal:
            return {"type": "refusal", "refusal": self.text.raw()}
        return {"type": "output_text", "annotations": self.annotations, "logprobs": [], "text": self.text.raw()}


class Message(Item):
    """A message.

    Args:
        frames: Writes the answer's events.
        message_id: Of the answer.
        index: Its place in the output.
        offset: How many letters of text the answer has before it.
    """

    prefix = "msg"

    def __init__(self, frames: Frames, message_id: str, index: int, offset: int) -> None:
        super().__init__(frames, message_id, index)
        self._parts: list[_Part] = []
        self._is_open = False
        self._offset = offset
        self.letters = 0
        """Of its text, once it has ended."""

    def say(self, text: msgspec.Raw) -> bytes:
        """A piece of text."""
        said = b"" if self._is_open else self._begin_part(is_refusal=False)
        part = self._parts[-1]
        part.text.add(text)
        return said + self._frames.numbered(part.before_delta + text + b',"logprobs":[]')

    def cite(self, citations: Iterable[Citation]) -> bytes:
        """What the last block of text is taken from."""
        if not self._is_open:
            return b""
        return b"".join(map(self._annotate, citations))

    def _annotate(self, citation: Citation) -> bytes:
        part = self._parts[-1]
        annotation: dict[str, object] = {
            "type": "url_citation",
            "start_index": max(0, citation.start - self._offset),
            "end_index": max(0, citation.end - self._offset),
            "title": citation.title,
            "url": citation.url,
        }
        part.annotations.append(annotation)
        members = b'%b,"annotation_index":%d,"annotation":%b' % (
            part.place, len(part.annotations) - 1, _encode(annotation),
        )  # fmt: skip
        return self._frames.write(b"response.output_text.annotation.added", members)

    def decline(self, text: str, *, as_text: bool) -> bytes:
        """Why the model will not go on, in a part of its own.

        Args:
            text: The reason.
            as_text: As plain text: Codex shows nothing of a refusal.
        """
        said = self._end_part() + self._begin_part(is_refusal=not as_text)
        raw = msgspec.Raw(_encode(text))
        if as_text:
            return said + self.say(raw)
        part = self._parts[-1]
        part.text.add(raw)
        return said + self._frames.numbered(part.before_delta + raw)

    def _last(self, status: Status) -> bytes:
        del status
        return self._end_part()

    def _begin_part(self, *, is_refusal: bool) -> bytes:
        self._is_open = True
        part = _Part(b'%b,"content_index":%d' % (self._place, len(self._parts)), is_refusal=is_refusal)
        self._parts.append(part)
        return self._frames.write(b"response.content_part.added", b'%b,"part":%b' % (part.place, _encode(part.told())))

    def _end_part(self) -> bytes:
        if not self._is_open:
            return b""
        self._is_open = False
        part = self._parts[-1]
        whole = part.text.raw()
        if part.is_refusal:
            said = self._frames.write(b"response.refusal.done", b'%b,"refusal":%b' % (part.place, whole))
        else:
            self.letters += len(part.text.plain())
            said = self._frames.write(b"response.output_text.done", b'%b,"text":%b,"logprobs":[]' % (part.place, whole))
        return said + self._frames.write(
            b"response.content_part.done", b'%b,"part":%b' % (part.place, _encode(part.told()))
        )

    def _item(self, status: str) -> dict[str, object]:
        content = [part.told() for part in self._parts]
        return {"id": self.id, "type": "message", "status": status, "content": content, "role": "assistant"}
