"""Which header fields go on, in each direction. The table of `design.md` section 4.

Everything else goes on as it came, in its order, the client's user agent included.
Sources: RFC 9110 section 7.6.1 (hop-by-hop), RFC 7239 (`forwarded`), and the
response headers of the real API as recorded (read 2026-11-21).
"""

import re

from clearway.upstreams.protocol import Headers

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

_PLAIN_CONNECTION = (b"keep-alive", b"close", b"Keep-Alive", b"Close")
_NONE: frozenset[bytes] = frozenset()
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


def was_forwarded(headers: Headers) -> bool:
    """True where a proxy says that it stands in between: loopback proves nothing then."""
    for name, _ in headers:  # noqa: SIM110  # for every request: `any` of a generator costs twice as much
        if name in _FORWARDING or name.startswith(b"x-forwarded-"):
            return True
    return False


# At the beginning of a word, or a whole key wherever it stands.
_OURS = re.compile(rb"(?<![A-Za-z0-9_-])cw-|cw-[0-9A-Za-z]{49}")


def is_ours(value: bytes) -> bool:
    """True for a value that holds one of our keys, or what claims to be one: bare,
    behind a scheme (`Bearer`), in quotes, in a list.
    """
    return b"cw-" in value and _OURS.search(value) is not None


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    """The fields that `connection` makes hop by hop, mostly none."""
    values = [value for name, value in headers if name == b"connection" and value not in _PLAIN_CONNECTION]
    return frozenset(token.strip().lower() for value in values for token in value.split(b",")) if values else _NONE


def _is_disguised(name: bytes) -> bool:
    """True for `x_api_key` and the like: servers that make variables of names (CGI,
    WSGI) read `_` as `-`, and would take it for a field that never leaves, or for ours.
    """
    plain = name.replace(b"_", b"-")
    return plain in _NEVER_SENT or plain in CREDENTIALS or plain.startswith(_NEVER_SENT_PREFIXES)


def outbound(headers: Headers, *, keep_credential: bool, identity: bool) -> list[tuple[bytes, bytes]]:
    """The fields of a request that go to the upstream.

    Args:
        headers: As the client sent them, names in lower case.
        keep_credential: The client's own credential goes along (passthrough).
        identity: Ask for an uncompressed answer, because it is watched.
    """
    named = _named_by_connection(headers)
    sent = [
        (name, value)
        for name, value in headers
        if name not in _NEVER_SENT
        and not name.startswith(_NEVER_SENT_PREFIXES)
        and name not in named
        and not (identity and name == b"accept-encoding")
        and (keep_credential or name not in CREDENTIALS)
        and not is_ours(value)
        and not (b"_" in name and _is_disguised(name))
    ]
    if identity:
        sent.append((b"accept-encoding", b"identity"))
    return sent


def returned(headers: Headers, *, everything: bool) -> list[tuple[bytes, bytes]]:
    """The fields of an answer that go to the client.

    Args:
        headers: As the upstream sent them, names in lower case.
        everything: Passthrough: the account is the client's own.
    """
    named = _named_by_connection(headers)
    return [
        (name, value)
        for name, value in headers
        if name not in _HOP
        and name not in named
        and not name.startswith(_DOORS_OWN)
        and (everything or (name not in _ACCOUNT and not name.startswith(_ACCOUNT_PREFIXES)))
    ]


def first(headers: Headers, name: bytes) -> str | None:
    """The first value of a field, or None."""
    for field, value in headers:
        if field == name:
            return value.decode("latin-1")
    return None
