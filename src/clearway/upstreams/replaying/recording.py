"""The file form of a recording, and what of it is answered.

One JSON file for each exchange; docs/recordings.md is the reference. Of the headers
only those are answered that a client may act upon, and none that was redacted.
"""

import re
from pathlib import Path

import msgspec

from clearway.core.fields import Headers

_SAFE = frozenset({"content-type", "request-id", "retry-after", "retry-after-ms", "x-should-retry"})
_SAFE_FAMILY = "anthropic-"
_REDACTED = "REDACTED"
_FIELD_NAME = re.compile(r"[a-z0-9_.!#$%&'*+^`|~-]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# Everything up to the end of a blank line (WHATWG HTML, section 9.2.6); a line
# ends with CR LF, LF or CR.
_EVENT = re.compile(rb".*?(?:\r\n|\n|\r(?!\n)){2,}|.+", re.DOTALL)
_BODILESS = frozenset({204, 205, 304})


class RecordedRequest(msgspec.Struct, frozen=True):
    """What was asked."""

    method: str
    path: str
    """With the query."""
    body: msgspec.Raw = msgspec.Raw(b"null")
    """JSON; `null` for none."""


class RecordedResponse(msgspec.Struct, frozen=True):
    """What was answered: one of `sse`, `body_text` and `body`."""

    status: int
    headers: dict[str, str] = {}
    sse: str | None = None
    body_text: str | None = None
    body: msgspec.Raw = msgspec.Raw(b"null")
    """JSON; `null` for none."""
    sse_times_ms: tuple[float, ...] = ()
    """When each event of `sse` came, after the head; Clearway's own addition."""


class Recording(msgspec.Struct, frozen=True):
    """One file, whole."""

    id: str
    request: RecordedRequest
    response: RecordedResponse


class _Head(msgspec.Struct, frozen=True):
    """A file without its answer, which is checked but not kept."""

    id: str
    request: RecordedRequest
    response: msgspec.Raw


class Played(msgspec.Struct, frozen=True):
    """A recorded answer, ready to be handed out."""

    status: int
    headers: Headers
    pieces: tuple[bytes, ...]
    """The body: one piece for each event of a stream, otherwise one."""
    times_s: tuple[float, ...]
    """When each piece came, after the head; may be shorter than `pieces`."""


class NotARecording(Exception):
    """The file is not in the form."""


_head_decoder = msgspec.json.Decoder(_Head)
_decoder = msgspec.json.Decoder(Recording)


def read_head(path: Path) -> tuple[str, RecordedRequest]:
    """The id and the request of a file.

    Raises:
        NotARecording: It is not in the form, or cannot be read.
    """
    try:
        head = _head_decoder.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotARecording(f"{path.name} is not a recording") from error
    return head.id, head.request


def play(path: Path) -> Played:
    """Read a file for its answer.

    Raises:
        NotARecording: It has changed since it was indexed.
    """
    try:
        response = _decoder.decode(path.read_bytes()).response
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotARecording(f"{path.name} is no longer a recording") from error
    body, kind = _body(response)
    headers = [(name.encode(), value.encode("latin-1")) for name, value in _kept(response.headers)]
    if response.status in _BODILESS:
        return Played(response.status, headers, (), ())
    if "content-type" not in response.headers:
        headers.insert(0, (b"content-type", kind))
    if response.sse is None:
        headers.append((b"content-length", b"%d" % len(body)))
        return Played(response.status, headers, (body,) if body else (), ())
    times = tuple(moment / 1000 for moment in response.sse_times_ms)
    return Played(response.status, headers, cut(body), times)


def cut(stream: bytes) -> tuple[bytes, ...]:
    """A stream's events, each with the blank line that ends it; joined, the stream."""
    return tuple(_EVENT.findall(stream))


def _body(response: RecordedResponse) -> tuple[bytes, bytes]:
    """The bytes, and the content type where none was recorded."""
    if response.sse is not None:
        return response.sse.encode(), b"text/event-stream; charset=utf-8"
    is_empty = bytes(response.body) == b"null"
    if response.body_text is not None:
        return response.body_text.encode(), b"text/plain" if is_empty else b"application/json"
    if is_empty:
        return b"", b"application/json"
    # The file may be laid out for people: written anew without white space.
    return msgspec.json.encode(msgspec.json.decode(response.body)), b"application/json"


def _kept(headers: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (name.lower(), value)
        for name, value in headers.items()
        if (name.lower() in _SAFE or name.lower().startswith(_SAFE_FAMILY))
        and _REDACTED not in value
        and _FIELD_NAME.fullmatch(name.lower())
        and _FIELD_VALUE.fullmatch(value)
    ]
