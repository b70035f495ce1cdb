"""HTTP/1.1 read strictly, slowly and by the letter: what a second reader would see.

Written from RFC 9112 (sections 2 to 7) and RFC 9110 (section 5), without any
leniency that the standard only permits: what is doubtful is `bad`. Nothing of it is
shared with the code that is tested against it. Used by `targets`.
"""

import re
from dataclasses import dataclass, field

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Two liberties of llhttp, each of which has one reading only: blanks may repeat (RFC 9112,
# section 3, allows it), and two other protocols of the same form pass for HTTP.
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") +([!-~\x80-\xff]+) +(?:HTTP|RTSP|ICE)/1\.([01])")
# The reason is for nobody and goes nowhere: whatever stands there.
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: [^\r\n]*)?")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]+)(?:;[\t -~\x80-\xff]*)?")


class Bad(Exception):
    """It is not HTTP, or two readers could read it differently."""


class Unfinished(Exception):
    """The bytes end before the message does."""


Fields = list[tuple[bytes, bytes]]


@dataclass
class Message:
    """One message, as far as it could be read."""

    first: tuple[bytes, ...]
    """The groups of its first line."""
    fields: Fields
    body: bytes = b""
    is_whole: bool = False


@dataclass
class Reading:
    """What was read of a stream."""

    whole: list[Message] = field(default_factory=list)
    begun: Message | None = None
    """The one whose head is there and whose body is not, or is bad."""
    is_bad: bool = False
    end: int = 0
    """Where the last whole message ends."""


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def line(self) -> bytes:
        end = self.data.find(b"\r\n", self.at)
        text = self.data[self.at : end if end >= 0 else len(self.data)]
        if b"\n" in text or b"\r" in (text if end >= 0 else text[:-1]):
            raise Bad("a line ends with one half of its end")
        if end < 0:
            raise Unfinished
        self.at = end + 2
        return text

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise Unfinished
        self.at += size
        return self.data[self.at - size : self.at]

    @property
    def is_over(self) -> bool:
        return self.at == len(self.data)


def read_requests(data: bytes) -> Reading:
    """All requests of one connection."""
    stream, reading = _Bytes(data), Reading()
    try:
        while True:
            _skip_empty_lines(stream)
            if stream.is_over:
                return reading
            request = _head(stream, _REQUEST_LINE)
            reading.begun = request
            _read_body(stream, request, _length(request, "0" if request.first[2] == b"0" else "1"))
            reading.begun = None
            reading.whole.append(request)
            reading.end = stream.at
    except Bad:
        reading.is_bad = True
    except Unfinished:
        pass
    return reading


def read_response(data: bytes, *, is_head: bool) -> Reading:
    """One response, after its interim ones; what follows is left alone. The end of
    the bytes is the end of the connection, in good order.
    """
    stream, reading = _Bytes(data), Reading()
    try:
        while True:
            _skip_empty_lines(stream)
            response = _head(stream, _STATUS_LINE)
            status = _status(response)
            if status >= 200:
                break
        reading.begun = response
        framing = _length(response, response.first[0].decode())
        if is_head or status in (204, 304):
            response.is_whole = True
        elif framing is None:
            response.body, response.is_whole = stream.data[stream.at :], True
        else:
            _read_body(stream, response, framing)
        reading.begun, reading.end = None, stream.at
        reading.whole.append(response)
    except Bad:
        reading.is_bad = True
    except Unfinished:
        pass
    return reading


def _skip_empty_lines(stream: _Bytes) -> None:
    """Before a request line (RFC 9112, section 2.2), and as llhttp has it, before a status line."""
    while not stream.is_over and stream.data[stream.at] in b"\r\n":
        stream.at += 1


def _status(response: Message) -> int:
    status = int(response.first[1])
    if not 100 <= status <= 599 or status == 101:
        raise Bad("no such status")
    return status


def _head(stream: _Bytes, first: re.Pattern[bytes]) -> Message:
    line = first.fullmatch(stream.line())
    if line is None:
        raise Bad("no first line")
    return Message(line.groups(), _fields(stream))


def _fields(stream: _Bytes) -> Fields:
    fields: Fields = []
    while text := stream.line():
        found = _FIELD.fullmatch(text)
        if found is None:
            raise Bad("no field")
        fields.append((found[1].lower(), found[2]))
    return fields


def _length(message: Message, minor: str) -> int | str | None:
    """The number of bytes, `chunked`, or None where nothing is told."""
    lengths = [value for name, value in message.fields if name == b"content-length"]
    codings = [value for name, value in message.fields if name == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise Bad("its length is told twice")
    if codings:
        if codings[0].lower() != b"chunked" or minor != "1":
            raise Bad("another coding than chunked")
        return "chunked"
    if lengths:
        if not re.fullmatch(rb"[0-9]{1,19}", lengths[0]):
            raise Bad("no length")
        return int(lengths[0])
    return None


def _read_body(stream: _Bytes, message: Message, framing: int | str | None) -> None:
    if framing == "chunked":
        while size := _chunk_size(stream):
            message.body += stream.take(size)
            end = stream.data[stream.at : stream.at + 2]
            if not b"\r\n".startswith(end):
                raise Bad("a chunk does not end where it should")
            stream.take(2)
        _fields(stream)  # the trailers belong to nobody
    elif isinstance(framing, int):
        message.body = stream.take(framing)
    message.is_whole = True


def _chunk_size(stream: _Bytes) -> int:
    found = _CHUNK_LINE.fullmatch(stream.line())
    if found is None or len(found[1].lstrip(b"0")) > 15:
        raise Bad("no chunk size")
    return int(found[1], 16)
