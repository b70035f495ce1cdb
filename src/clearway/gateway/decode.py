"""What a request asks for, read from the bytes that will be forwarded."""

import msgspec

from clearway.core.errors import BadRequest
from clearway.core.fields import Fields, Headers
from clearway.gateway.headers import first
from clearway.wire.body import Peek, Unreadable, peek, refuse_repeats, replace_model
from clearway.wire.encoding import decode_body
from clearway.wire.hub.notes import Refusal
from clearway.wire.hub.typed import Json, read


class Asked(msgspec.Struct, frozen=True):
    """A request's body and what it says."""

    body: bytes | bytearray
    """As it was sent."""
    plain: bytes | bytearray
    """Decoded where it was compressed; the same object as `body` otherwise."""
    peek: Peek
    readable: bool
    """False where the body could not be read and is relayed for what it is."""
    ours: Fields | None = None
    """Translated: the request is ours, and these are all the fields that it has, but for the API's version."""
    members: Json = {}
    """Of a request in another format: all that it says, until it is translated, which empties it."""

    def __repr__(self) -> str:
        return f"Asked({len(self.body)} bytes)"

    def with_model(self, model: str, headers: Fields) -> tuple[Fields, bytes | bytearray]:
        """The body with another model, that one value changed and nothing else, and the fields that go with it.

        A compressed body is sent on decoded then, without its `content-encoding`.
        """
        if model == self.peek.model:
            return headers, self.body
        if self.plain is not self.body:
            headers = Fields.of(field for field in headers if field[0] != b"content-encoding")
        return headers, replace_model(self.plain, model)


def decode(body: bytes | bytearray, headers: Headers, *, max_body: int, strict: bool) -> Asked:
    """Read what is needed of a request that goes on as it is.

    Args:
        body: As it was sent.
        headers: The request's.
        max_body: The most bytes that a compressed body may become.
        strict: False: a body that cannot be read is not ours to judge (a client
            without a key on a passthrough upstream; the provider decides).

    Raises:
        BadRequest: The body cannot be read, or says something twice.
        TooLarge: It becomes too large when decoded.
    """
    try:
        plain = _plain(body, headers, max_body)
        seen = peek(plain)
    except Unreadable:
        # Any other BadRequest stays: a decision that stands there twice is refused for everybody.
        if strict:
            raise
        return Asked(body, body, Peek(), readable=False)
    if strict and seen.model is None:
        raise _no_model()
    return Asked(body, plain, seen, readable=True)


def decode_whole(body: bytes | bytearray, headers: Headers, *, max_body: int) -> Asked:
    """Read a request of another format, once for all that need it.

    Args:
        body: As it was sent.
        headers: The request's.
        max_body: The most bytes that a compressed body may become.

    Raises:
        BadRequest: The body cannot be read, says something twice, or names no model.
        TooLarge: It becomes too large when decoded.
    """
    plain = _plain(body, headers, max_body)
    members = read(plain)
    refuse_repeats(plain)
    model = members.get("model")
    if model is None:
        raise _no_model()
    if not isinstance(model, str):
        raise Refusal("model", "model: expected a string")
    return Asked(body, plain, Peek(model, stream=members.get("stream") is True), readable=True, members=members)


def _no_model() -> Refusal:
    hint = "name a model, e.g. claude-sonnet-5-5"
    return Refusal("model", "model is missing", "missing_required_parameter", hint=hint)


def _plain(body: bytes | bytearray, headers: Headers, max_body: int) -> bytes | bytearray:
    codings = first(headers, b"content-encoding")
    if not codings:
        return body
    try:
        return decode_body(body, codings, max_body)
    except BadRequest as error:
        raise Unreadable(str(error), hint=error.hint) from error
