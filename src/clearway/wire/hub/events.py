"""The events of a Messages stream, typed as far as a translator needs them.

What is not known is left out: other types of events, blocks and deltas pass as
events of which nothing is read. Text stays as the JSON that it came in. No I/O.
Source: the event types of the `anthropic` SDK 2.x (read 2026-11-21).
Used by wire/hub/answer and the gateway.
"""

import json
from collections.abc import Iterator

import msgspec

NOTHING = msgspec.Raw(b"")


class Problem(msgspec.Struct):
    """`error` of an error."""

    type: str | None = None
    message: str | None = None


class StopDetails(msgspec.Struct):
    """Why an answer was refused."""

    category: str | None = None
    explanation: str | None = None


class Message(msgspec.Struct):
    """The message of `message_start`, or a whole one."""

    id: str | None = None
    model: str | None = None
    content: list[msgspec.Raw] = []
    stop_reason: str | None = None
    stop_details: StopDetails | None = None
    usage: dict[str, object] | None = None


class Block(msgspec.Struct):
    """A content block as it begins."""

    type: str = ""
    id: str | None = None
    name: str | None = None
    text: msgspec.Raw = NOTHING
    thinking: msgspec.Raw = NOTHING
    signature: msgspec.Raw = NOTHING
    data: msgspec.Raw = NOTHING
    input: msgspec.Raw = NOTHING
    citations: list[dict[str, object]] | None = None
    tool_use_id: str | None = None
    """Of a result of the upstream's own tools: of which call."""
    content: msgspec.Raw = NOTHING
    """Of such a result."""


class Delta(msgspec.Struct):
    """A piece of a block, or the end of the message."""

    type: str = ""
    text: msgspec.Raw = NOTHING
    partial_json: msgspec.Raw = NOTHING
    thinking: msgspec.Raw = NOTHING
    signature: msgspec.Raw = NOTHING
    citation: dict[str, object] | None = None
    stop_reason: str | None = None
    stop_details: StopDetails | None = None
    is_halved: bool = False
    """A letter of two halves was cut apart: its text is none by itself (see `Halves`)."""


class Event(msgspec.Struct):
    """One event; which members count depends on `type`."""

    type: str = ""
    index: int = 0
    message: Message | None = None
    content_block: Block | None = None
    delta: Delta | None = None
    usage: dict[str, object] | None = None
    error: Problem | None = None


class _Whole(Message):
    type: str = ""
    error: Problem | None = None


_event = msgspec.json.Decoder(Event)
_whole = msgspec.json.Decoder(_Whole)
_block = msgspec.json.Decoder(Block)
_DONE = b"[DONE]"
"""Some proxies put OpenAI's end of a stream behind Anthropic's."""
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_event(data: bytes) -> Event:
    """One event.

    Raises:
        ValueError: It is not JSON, or not of the form of an event.
    """
    if data == _DONE:
        return Event()
    try:
        return _event.decode(data)
    except _BROKEN as error:
        halved = _halved(data)
        if halved is None:
            raise ValueError("an event of the answer cannot be read") from error
        return halved


def _halved(data: bytes) -> Event | None:
    """A delta whose text begins or ends within a letter that is written as two escapes."""
    try:
        seen = json.loads(data)
        given = seen["delta"]
        delta = Delta(given["type"], is_halved=True)
        for name in HALVED:
            if isinstance(text := given.get(name), str):
                setattr(delta, name, msgspec.Raw(json.dumps(text).encode()))
        return Event(seen["type"], seen["index"], delta=delta)
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


HALVED = ("text", "partial_json", "thinking")
"""Members of a delta in which letters may be cut apart."""


class Halves:
    """Puts letters together that were cut apart between two deltas of a block."""

    def __init__(self) -> None:
        self._held: dict[int, str] = {}

    def mend(self, index: int, delta: Delta) -> None:
        """Put the texts of a delta that `is_halved` right; a half at an end is kept for the next one."""
        for name in HALVED:
            if raw := getattr(delta, name):
                setattr(delta, name, self._mended(index, raw))

    def _mended(self, index: int, raw: msgspec.Raw) -> msgspec.Raw:
        text = self._held.pop(index, "") + str(json.loads(bytes(raw)))
        if "\ud800" <= text[-1:] <= "\udbff":
            self._held[index] = text[-1]
            text = text[:-1]
        whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return msgspec.Raw(msgspec.json.encode(whole))


def events_of(body: bytes) -> Iterator[Event]:
    """A whole message as the events that would have made it.

    Raises:
        ValueError: It is not a message.
    """
    try:
        whole = _whole.decode(body)
        blocks = [_block.decode(block) for block in whole.content]
    except _BROKEN as error:
        raise ValueError("the answer cannot be read") from error
    if whole.error is not None:
        yield Event("error", error=whole.error)
        return
    yield Event("message_start", message=whole)
    for index, block in enumerate(blocks):
        yield Event("content_block_start", index, content_block=block)
        for citation in block.citations or ():
            yield Event("content_block_delta", index, delta=Delta("citations_delta", citation=citation))
        yield Event("content_block_stop", index)
    delta = Delta(stop_reason=whole.stop_reason, stop_details=whole.stop_details)
    yield Event("message_delta", delta=delta, usage=whole.usage)
    yield Event("message_stop")


def has_text(raw: msgspec.Raw) -> bool:
    """Whether it is a JSON string that is not empty."""
    # A `Raw` is equal to no bytes: it is compared as such.
    return len(raw) > 2 and bytes(raw) != b"null"  # noqa: PLR2004  # two quotes
