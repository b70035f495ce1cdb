"""An answer, read from bytes: status, headers, and the pieces of its body.

No I/O and no clock. One `Answer` is made for each request, with a parser of its
own, so that no byte can pass from one request to the next. It decodes the chunked
coding and nothing else. What two readers could understand differently is refused.
Rules: RFC 9112, sections 4 to 6 (read by llhttp, in its strict form).
Used by `connection`.
"""

from typing import Literal

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from clearway.core.fields import Fields

MAX_HEAD = 64 * 1024
"""Names and values of one head (and its trailers) together, in bytes."""
MAX_FIELDS = 200
"""Header fields of one head, trailers included."""
MAX_INTERIM = 16
"""1xx answers before the real one."""

# Bytes that add nothing to the body: heads, chunk extensions, trailers. Twice the
# head, so that the limit of a head is always told first.
_MAX_SILENT = 2 * MAX_HEAD

_SWITCHING_PROTOCOLS = 101
_FIRST_FINAL = 200
_LAST = 599
_BODILESS = frozenset({204, 304})
_NONE = Fields((), ())


class _Refusal(Exception):
    """Stops the parser from within one of its callbacks."""


class Answer:
    """What came so far.

    Args:
        is_head: The request was a HEAD: no body follows whatever the head says.
    """

    __slots__ = (
        "_came",
        "_fed",
        "_interim",
        "_is_head",
        "_parser",
        "_pieces",
        "_silent",
        "_take",
        "_until_close",
        "begun",
        "complete",
        "failure",
        "has_head",
        "headers",
        "keep_alive",
        "leftover",
        "size",
        "status",
    )

    def __init__(self, *, is_head: bool = False) -> None:
        self._is_head = is_head
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._fed = 0
        self._interim = 0
        self._silent = 0
        self._until_close = False
        self._came: list[bytes] = []
        """Names and values of a head that is not complete, or of trailers, in turn."""
        self._take = self._came.extend
        self._pieces: list[bytes] = []
        self.begun = False
        """A byte has come."""
        self.has_head = False
        """`status` and `headers` are final."""
        self.status = 0
        self.headers = _NONE
        self.size = 0
        """Bytes of the body that `take` would hand out."""
        self.complete = False
        """The last byte has come."""
        self.keep_alive = False
        """The connection may be used again, says the answer."""
        self.leftover = False
        """More came than the answer: the connection must not be used again."""
        self.failure: str | None = None
        """Why it cannot be read on; a text without anything from the wire."""

    def feed(self, data: bytes) -> None:
        """Accept what came; afterwards look at the attributes."""
        self.begun = True
        parser = self._parser
        if parser is None:
            self.leftover = True
            return
        size = self.size
        self._fed += len(data)
        try:
            parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if self.complete:
                self.leftover = True
            elif self.failure is None:
                self._fail(f"it is not valid HTTP ({error})")
            return
        if self.complete:
            return
        if self.size != size:
            self._silent = 0
            return
        self._silent += len(data)
        self._check_size()
        if self._silent > _MAX_SILENT:
            self._fail(f"more than {_MAX_SILENT} bytes came without any of its body")

    def end(self, *, clean: bool) -> None:
        """Accept the end of the connection.

        Args:
            clean: The upstream told it; false after a reset, or TLS cut short.
        """
        if self.complete or self.failure is not None:
            return
        if self._until_close and clean:
            self._finish(keep_alive=False)
        elif self.has_head:
            self._fail("it broke off before its end")
        else:
            self._fail("it broke off in its head" if self.begun else "the connection ended before it")

    def take(self) -> bytes:
        """Hand out what came of the body; `b""` for nothing."""
        pieces = self._pieces
        taken = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.size = 0
        return taken

    def _finish(self, *, keep_alive: bool) -> None:
        self.complete = True
        self.keep_alive = keep_alive
        # The parser holds our methods: without this, only the collector frees both.
        self._parser = None

    def _fail(self, reason: str) -> None:
        self.failure = reason
        self._parser = None

    def _refuse(self, reason: str) -> None:
        self._fail(reason)
        raise _Refusal

    # What the parser calls. An exception in here becomes an HttpParserError.

    def on_message_begin(self) -> None:
        """A status line begins."""
        if self.complete:
            self.leftover = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field of a head or of the trailers, whole."""
        self._take((name, value))

    def on_headers_complete(self) -> None:
        """The empty line after a head."""
        parser = self._parser
        if parser is None:
            return
        self.headers = Fields.parsed(self._came)
        self._came.clear()
        self._check_size()
        if self.failure is not None:
            raise _Refusal
        status: int = parser.get_status_code()
        if parser.get_http_version() not in {"1.1", "1.0"}:
            self._refuse("it is not HTTP/1.1")
        if status == _SWITCHING_PROTOCOLS:
            self._refuse("it switches to another protocol, which was not asked for")
        if 100 <= status < _FIRST_FINAL:  # noqa: PLR2004 - RFC 9110, section 15.2
            self._skip_interim()
            return
        if not _FIRST_FINAL <= status <= _LAST:
            self._refuse("its status is not from 200 to 599")
        framing = self._framing(parser.get_http_version())
        self.status = status
        self.has_head = True
        if self._is_head or status in _BODILESS:
            # The parser does not know that no chunks follow: it would swallow some of what
            # comes without a word, so what comes cannot be told from the next answer.
            self._finish(keep_alive=framing != "chunked" and parser.should_keep_alive())
        else:
            self._until_close = framing == "until close"

    def on_body(self, piece: bytes) -> None:
        """Some of the body, without its framing."""
        if self.complete:
            self.leftover = True
            return
        self._pieces.append(piece)
        self.size += len(piece)

    def on_message_complete(self) -> None:
        """The end of an answer, interim ones included."""
        if self._came and not self.complete:
            # Trailers that came with the end were not looked at yet.
            self._check_size()
        if self.has_head and self._parser is not None:
            self._finish(keep_alive=self._parser.should_keep_alive())

    def _check_size(self) -> None:
        """What came since the head began is an upper bound, mostly within the limits: no need to add up."""
        head = self.headers
        count = len(head.names) + len(self._came) // 2
        if count > MAX_FIELDS:
            self._fail(f"its head has more than {MAX_FIELDS} fields")
        elif self._fed > MAX_HEAD:
            size = sum(map(len, (*head.names, *head.values, *self._came))) + 4 * count
            if size > MAX_HEAD:
                self._fail(f"its head is larger than {MAX_HEAD} bytes")

    def _skip_interim(self) -> None:
        self._interim += 1
        if self._interim > MAX_INTERIM:
            self._refuse(f"more than {MAX_INTERIM} interim answers came before it")
        self.headers = _NONE

    def _framing(self, version: str) -> Literal["length", "chunked", "until close"]:
        names = self.headers.names
        lengths, codings = names.count(b"content-length"), names.count(b"transfer-encoding")
        # A coding that we do not undo cannot be passed on: the next hop frames anew.
        if codings and (self.headers.first(b"transfer-encoding") or b"").strip().lower() != b"chunked":
            self._refuse("its transfer coding is not 'chunked'")
        if codings and (codings > 1 or lengths or version == "1.0"):
            self._refuse("its length is told in two ways")
        if codings:
            return "chunked"
        return "length" if lengths else "until close"
