"""Watching an answer in the Messages format, beside the relay.

Reads a copy of the bytes that pass and notes usage, stop reason, ids and errors.
No I/O and no clock: the caller looks at what has been noted and adds the time.
Source: spec of the event stream in the `anthropic` SDK 2.x (read 2026-11-21).

Growth: a stream holds one unfinished event; a plain body is kept until its end,
up to a limit, past which it is relayed unread.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from clearway.core.usage import Usage
from clearway.wire.messages import made_files
from clearway.wire.messages.usage import merge, read_usage, usage_of
from clearway.wire.sse import Event, Scanner

BODY_LIMIT = 32 * 1024 * 1024
"""The longest plain answer that is read, in bytes."""

PING = b'event: ping\ndata: {"type": "ping"}\n\n'
"""A heartbeat that every Messages client passes over."""

_DELTA = b"content_block_delta"
_DELTA_EVENT = b'event: content_block_delta\ndata: {"type":"content_block_delta",'
"""How the API begins one: by name and by type."""
_SEAM = len(_DELTA) - 1
_NEEDLES = (b"message_", b"error", made_files.NEEDLE)
_MOST_FILES = 1000
# What a text delta's event weighs around its text.
_DELTA_FRAME = 120
_CHARACTERS_PER_TOKEN = 3.5


class _Error(msgspec.Struct):
    type: str | None = None


class _Message(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: dict[str, object] | None = None
    error: _Error | None = None


class _Body(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


class _Delta(msgspec.Struct):
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    message: _Message | None = None
    delta: _Delta | None = None
    usage: dict[str, object] | None = None
    error: _Error | None = None


_event = msgspec.json.Decoder(_Event)
_body = msgspec.json.Decoder(_Body)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Watch(Protocol):
    """Sees the bytes of one answer."""

    response_model: str | None
    response_id: str | None
    stop_reason: str | None
    error_type: str | None
    whole: bool
    """The answer is known to be complete (`message_stop`, or a body that was read)."""

    @property
    def files(self) -> Sequence[str]:
        """Ids of files that were made while it ran."""
        ...

    def feed(self, chunk: bytes) -> None:
        """The next bytes."""
        ...

    def close(self) -> None:
        """No more bytes will come."""
        ...

    def usage(self) -> Usage | None:
        """What has been used so far; None where nothing was told."""
        ...

    @property
    def has_output(self) -> bool:
        """True once the first piece of output was seen (streams only)."""
        ...

    @property
    def has_usage(self) -> bool:
        """True once there is something to charge."""
        ...

    @property
    def at_boundary(self) -> bool:
        """True where a heartbeat may be written."""
        ...


class StreamWatch:
    """Watches a `text/event-stream`."""

    def __init__(self) -> None:
        self.response_model: str | None = None
        self.response_id: str | None = None
        self.stop_reason: str | None = None
        self.error_type: str | None = None
        self.whole = False
        self.files: list[str] = []
        self.has_output = False
        self._scanner = Scanner(_NEEDLES)
        self._usage: dict[str, object] | None = None
        self._final = False
        self._deltas = 0
        self._bytes = 0
        self._tail = b""

    @property
    def has_usage(self) -> bool:
        """True once `message_start` was seen."""
        return self._usage is not None

    @property
    def at_boundary(self) -> bool:
        """True between events."""
        return self._scanner.at_boundary

    @property
    def lost(self) -> bool:
        """True where an event was too long to be read: nothing later is known."""
        return self._scanner.lost

    def feed(self, chunk: bytes) -> None:
        """The next bytes, cut anywhere."""
        deltas = chunk.count(_DELTA)
        if (
            self.has_output
            and not self._tail
            and chunk.startswith(_DELTA_EVENT)
            and chunk.find(b"\n\n") == len(chunk) - 2
            and chunk.find(b"\r") < 0
        ):
            # Nearly always: one whole delta behind a whole event, of which nobody reads more.
            self._deltas += deltas
            self._bytes += len(chunk)
            return
        if self._tail:
            # Within an event the pieces may part in the middle of the name.
            deltas += (self._tail + chunk[:_SEAM]).count(_DELTA)
        self._tail = b"" if chunk[-2:] == b"\n\n" else (self._tail + chunk[-_SEAM:])[-_SEAM:]
        if deltas:
            self._deltas += deltas
            self._bytes += len(chunk)
            if not self.has_output:
                # What stands before the first delta is no output.
                self.has_output = True
                self._bytes -= max(chunk.find(_DELTA), 0)
        elif self.has_output and not self._scanner.at_boundary:
            # A long event goes on.
            self._bytes += len(chunk)
        for event in self._scanner.feed(chunk):
            self._note(event)

    def close(self) -> None:
        """The stream is over."""
        for event in self._scanner.close():
            self._note(event)

    def _note(self, event: Event) -> None:
        if self.whole:
            return  # the books are closed: what comes later would count or not, as it was cut
        try:
            seen = _event.decode(event.data)
        except _UNREADABLE:
            return
        match seen.type:
            case "message_start" if seen.message:
                self.response_model, self.response_id = seen.message.model, seen.message.id
                self._usage = dict(seen.message.usage or {})
            case "message_delta":
                if self._usage is None:
                    self._usage = {}
                merge(self._usage, seen.usage or {})
                self._final = self._final or bool(seen.usage and seen.usage.get("output_tokens") is not None)
                if seen.delta and seen.delta.stop_reason:
                    self.stop_reason = seen.delta.stop_reason
            case "message_stop":
                self.whole = True
            case "content_block_start" if len(self.files) < _MOST_FILES:
                self.files += made_files.files_of_event(event.data)
            case "error":
                self.error_type = (seen.error.type if seen.error else None) or "unknown"
            case _:
                pass

    def usage(self) -> Usage | None:
        """What has been used so far.

        Before the final count has come the output is estimated from what passed:
        a token for each delta at least.
        """
        if self._usage is None:
            return None
        usage = read_usage(self._usage)
        if self._final:
            return usage
        # Every event name appears twice in its event: as name and as type.
        deltas = (self._deltas + 1) // 2
        characters = self._bytes - deltas * _DELTA_FRAME
        seen = max(usage.output_tokens, deltas, int(characters / _CHARACTERS_PER_TOKEN))
        return msgspec.structs.replace(usage, output_tokens=seen, estimated=True)


class BodyWatch:
    """Watches a plain JSON answer."""

    has_output = False
    at_boundary = False

    def __init__(self) -> None:
        self.response_model: str | None = None
        self.response_id: str | None = None
        self.stop_reason: str | None = None
        self.error_type: str | None = None
        self.whole = False
        self.files: list[str] = []
        self._parts: list[bytes] = []
        self._size = 0
        self._usage: Usage | None = None

    @property
    def has_usage(self) -> bool:
        """True once the whole body was read."""
        return self._usage is not None

    def feed(self, chunk: bytes) -> None:
        """The next bytes."""
        self._size += len(chunk)
        if self._size <= BODY_LIMIT:
            self._parts.append(chunk)
        else:
            self._parts.clear()

    def close(self) -> None:
        """The body is over: read it."""
        if not self._parts:
            return
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = []
        try:
            seen = _body.decode(body)
            self._usage = usage_of(seen.usage)
        except _UNREADABLE:
            return
        self.response_model, self.response_id, self.stop_reason = seen.model, seen.id, seen.stop_reason
        self.whole = True
        if body.find(made_files.NEEDLE) >= 0:
            self.files = made_files.files_of_body(body)
        if seen.error:
            self.error_type = seen.error.type or "unknown"

    def usage(self) -> Usage | None:
        """What was used; None for errors and unread bodies."""
        return self._usage


class NoWatch:
    """Sees nothing: for answers that are not metered or cannot be read."""

    response_model: str | None = None
    response_id: str | None = None
    stop_reason: str | None = None
    error_type: str | None = None
    whole = False
    files = ()
    has_output = False
    has_usage = False
    at_boundary = False

    def feed(self, chunk: bytes) -> None:
        """Nothing is done with the bytes."""

    def close(self) -> None:
        """Nothing to close."""

    def usage(self) -> Usage | None:
        """Nothing is known."""
        return None
