"""Which header fields go on, in each direction. The table of `design.md` section 4.

Everything else goes on as it came, in its order, the client's user agent included.
Sources: RFC 9110 section 7.6.1 (hop-by-hop), RFC 7239 (`forwarded`), and the
response headers of the real API as recorded (read 2026-11-21).
"""

import re
from collections.abc import Mapping

import msgspec

from clearway.core.fields import Choice, Fields, Headers, Names, by_names

_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_FORWARDING = (b"forwarded", b"via", b"x-real-ip", b"cf-connecting-ip", b"true-client-ip")
_NEVER_SENT = _HOP | {b"host", b"content-length", b"expect", b"cookie", *_FORWARDING}
_NEVER_SENT_PREFIXES = (b"x-forwarded-", b"x-clearway-", b"proxy-")
CREDENTIALS = frozenset({b"authorization", b"x-api-key"})
"""The fields in which a client's credential travels."""
EXCHANGE_HEADER = b"x-clearway-exchange"
"""Tells the client the exchange's id, for `clearway show`."""

_PLAIN_CONNECTION = (b"keep-alive", b"close", b"Keep-Alive", b"Close")
# The account behind the gateway's own credential, and the path to it.
_ACCOUNT = frozenset(
    {b"anthropic-organization-id", b"anthropic-workspace-id", b"set-cookie", b"server", b"via", b"cf-ray", b"alt-svc"}
)
_ACCOUNT_PREFIXES = (
    b"anthropic-ratelimit-",
    b"anthropic-priority-",
    b"anthropic-fast-",
    b"cf-",
    b"x-envoy-",
)
# Which pages may read an answer (`server.cors_origins`), and what this gateway says
# of it, is for this door to say.
_DOORS_OWN = (b"access-control-", b"x-clearway-")

# What a field is, as bits; 0 for most.
_NEVER, _CREDENTIAL, _CODING, _NOTABLE, _FORWARDED = 1, 2, 4, 8, 16
_NOTED = frozenset(
    {
        b"connection",
        b"content-encoding",
        b"x-clearway-key",
        b"user-agent",
        b"x-client-request-id",
        b"traceparent",
        b"session-id",
        b"thread-id",
        b"x-codex-parent-thread-id",
    }
)
_NOTED_PREFIX = b"x-claude-code-"


def _asked(name: bytes) -> int:
    kind = 0
    if name in _NEVER_SENT or name.startswith(_NEVER_SENT_PREFIXES) or (b"_" in name and _is_disguised(name)):
        kind |= _NEVER
    if name in CREDENTIALS:
        kind |= _CREDENTIAL | _NOTABLE
    if name == b"accept-encoding":
        kind |= _CODING
    if name in _FORWARDING or name.startswith(b"x-forwarded-"):
        kind |= _FORWARDED | _NOTABLE
    if name in _NOTED or name.startswith(_NOTED_PREFIX):
        kind |= _NOTABLE
    return kind


def _answered(name: bytes) -> int:
    if name in _HOP or name.startswith(_DOORS_OWN):
        return _NEVER
    return _CREDENTIAL if name in _ACCOUNT or name.startswith(_ACCOUNT_PREFIXES) else 0


class Known(msgspec.Struct, frozen=True):
    """What is known of a request by the names of its fields."""

    notable: Choice
    """What something here looks at; most are only sent on."""
    was_forwarded: bool
    """A proxy says that it stands in between: loopback proves nothing then."""
    sent: dict[tuple[bool, bool], Choice]
    """By `keep_credential` and `identity`."""
    has_connection: bool


class _Answered(msgspec.Struct, frozen=True):
    """Likewise of an answer."""

    returned: dict[bool, Choice]
    """By `everything`."""
    has_connection: bool


def _look_at_request(names: Names) -> Known:
    kinds = list(map(_asked, names))

    def sent(*, keep_credential: bool, identity: bool) -> Choice:
        dropped = _NEVER | (0 if keep_credential else _CREDENTIAL) | (_CODING if identity else 0)
        return Choice(names, [not kind & dropped for kind in kinds], *([b"accept-encoding"] if identity else []))

    both = (False, True)
    return Known(
        notable=Choice(names, [bool(kind & _NOTABLE) for kind in kinds]),
        was_forwarded=any(kind & _FORWARDED for kind in kinds),
        sent={(keep, bare): sent(keep_credential=keep, identity=bare) for keep in both for bare in both},
        has_connection=b"connection" in names,
    )


def _look_at_answer(names: Names) -> _Answered:
    kinds = list(map(_answered, names))
    return _Answered(
        returned={
            True: Choice(names, [kind != _NEVER for kind in kinds], EXCHANGE_HEADER),
            False: Choice(names, [not kind for kind in kinds], EXCHANGE_HEADER),
        },
        has_connection=b"connection" in names,
    )


known_of = by_names(_look_at_request)
"""By the names of a request's fields."""
_answered_by = by_names(_look_at_answer)


# At the beginning of a word, or a whole key wherever it stands.
_OURS = re.compile(rb"(?<![A-Za-z0-9_-])cw-|cw-[0-9A-Za-z]{49}")


def is_ours(value: bytes) -> bool:
    """True for a value that holds one of our keys, or what claims to be one: bare,
    behind a scheme (`Bearer`), in quotes, in a list.
    """
    # `in` with bytes looks for an integer first, and raises inside: four times the cost.
    return value.find(b"cw-") >= 0 and _OURS.search(value) is not None


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    """The fields that `connection` makes hop by hop, mostly none."""
    values = [value for name, value in headers if name == b"connection" and value not in _PLAIN_CONNECTION]
    return frozenset(token.strip().lower() for value in values for token in value.split(b","))


def _is_disguised(name: bytes) -> bool:
    """True for `x_api_key` and the like: servers that make variables of names (CGI,
    WSGI) read `_` as `-`, and would take it for a field that never leaves, or for ours.
    """
    plain = name.replace(b"_", b"-")
    return plain in _NEVER_SENT or plain in CREDENTIALS or plain.startswith(_NEVER_SENT_PREFIXES)


def outbound(headers: Headers, *, keep_credential: bool, identity: bool) -> Fields:
    """The fields of a request that go to the upstream.

    Args:
        headers: As the client sent them, names in lower case.
        keep_credential: The client's own credential goes along (passthrough).
        identity: Ask for an uncompressed answer, because it is watched.
    """
    fields = Fields.of(headers)
    known = known_of(fields.names)
    choice = known.sent[keep_credential, identity]
    sent = choice.of(fields, b"identity") if identity else choice.of(fields)
    if known.has_connection and (named := _named_by_connection(headers)):
        # The coding is asked for by us then, whatever the client says of its own.
        named -= {b"accept-encoding"} if identity else set()
        sent = Fields.of(field for field in sent if field[0] not in named)
    # All values at once: mostly none is ours. Between two of them nothing is found that is in neither.
    if is_ours(b"\n".join(sent.values)):
        sent = Fields.of(field for field in sent if not is_ours(field[1]))
    return sent


def returned(headers: Headers, exchange_id: bytes, *, everything: bool) -> Fields:
    """The fields of an answer that go to the client.

    Args:
        headers: As the upstream sent them, names in lower case.
        exchange_id: Told to the client.
        everything: Passthrough: the account is the client's own.
    """
    fields = Fields.of(headers)
    known = _answered_by(fields.names)
    kept = known.returned[everything].of(fields, exchange_id)
    if known.has_connection and (named := _named_by_connection(headers)):
        named -= {EXCHANGE_HEADER}
        return Fields.of(field for field in kept if field[0] not in named)
    return kept


def by_name(headers: Headers) -> dict[bytes, bytes]:
    """The values by name; of a name that stands there twice the first counts."""
    fields = Fields.of(headers)
    return dict(zip(fields.names[::-1], fields.values[::-1], strict=True))


def request_id(fields: Mapping[bytes, bytes]) -> str | None:
    """What the upstream calls the request, from the fields of its answer."""
    value = fields.get(b"request-id") or fields.get(b"x-request-id")
    return None if value is None else value.decode("latin-1")


def first(headers: Headers, name: bytes) -> str | None:
    """The first value of a field, or None."""
    value = Fields.of(headers).first(name)
    return None if value is None else value.decode("latin-1")
