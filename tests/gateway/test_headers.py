"""What goes on to the upstream and what comes back, field by field."""

import pytest

from clearway.gateway.headers import EXCHANGE_HEADER, is_ours, known_of, outbound, returned

KEY = b"cw-" + b"A" * 49
KEPT = [
    (b"anthropic-version", b"2023-06-01"),
    (b"anthropic-beta", b"a,b"),
    (b"anthropic-beta", b"c"),
    (b"user-agent", b"claude-cli/2.1.329 (external, sdk-cli)"),
    (b"x-claude-code-session-id", b"0192"),
    (b"x-stainless-timeout", b"NOT_GIVEN"),
    (b"x-app", b"cli"),
    (b"content-type", b"application/json"),
    (b"content-encoding", b"gzip"),
    (b"anthropic-unknown", b"\xe4"),
    (b"session_id", b"0192"),
]
NEVER = [
    (b"host", b"127.0.0.1"),
    (b"content-length", b"3"),
    (b"connection", b"keep-alive, X-Hop"),
    (b"x-hop", b"1"),
    (b"keep-alive", b"5"),
    (b"te", b"trailers"),
    (b"trailer", b"x"),
    (b"transfer-encoding", b"chunked"),
    (b"upgrade", b"h2c"),
    (b"proxy-authorization", b"Basic x"),
    (b"proxy-anything", b"x"),
    (b"expect", b"100-continue"),
    (b"cookie", b"a=b"),
    (b"forwarded", b"for=1.2.3.4"),
    (b"via", b"1.1 x"),
    (b"x-real-ip", b"1.2.3.4"),
    (b"x-forwarded-for", b"1.2.3.4"),
    (b"x-forwarded-anything", b"x"),
    (b"x-clearway-key", KEY),
    (b"x-clearway-anything", b"x"),
    (b"content_length", b"3"),
    (b"transfer_encoding", b"chunked"),
    (b"x_api_key", b"sk-ant-api03-dummy"),
    (b"x_forwarded-for", b"1.2.3.4"),
    (b"proxy_authorization", b"Basic x"),
    (b"x-other", KEY),
    (b"x-other", b"Bearer " + KEY),
]
CREDENTIALS = [(b"authorization", b"Bearer sk-ant-oat01-dummy"), (b"x-api-key", b"sk-ant-api03-dummy")]


def test_what_is_sent_on() -> None:
    """Order and repeats stay; what is hop by hop, ours or about the path never leaves."""
    sent = list(outbound([*NEVER, *KEPT, *CREDENTIALS, *NEVER], keep_credential=True, identity=False))

    assert sent == [*KEPT, *CREDENTIALS]


def test_credentials_stay_here_unless_the_client_pays() -> None:
    """The gateway's own upstreams never see what a client brought."""
    assert list(outbound([*KEPT, *CREDENTIALS], keep_credential=False, identity=False)) == KEPT


def test_a_key_of_ours_never_leaves_in_a_credential_field() -> None:
    """Also on passthrough, where the credential fields go along."""
    fields = [(b"x-api-key", KEY), (b"authorization", b"Bearer " + KEY), (b"authorization", b"bearer  " + KEY)]

    assert list(outbound(fields, keep_credential=True, identity=False)) == []


def test_answers_that_are_watched_come_uncompressed() -> None:
    """One `accept-encoding`, ours."""
    fields = [(b"accept-encoding", b"gzip, br"), (b"accept", b"*/*")]

    assert list(outbound(fields, keep_credential=True, identity=True)) == [
        (b"accept", b"*/*"),
        (b"accept-encoding", b"identity"),
    ]
    assert list(outbound(fields, keep_credential=True, identity=False)) == fields


ACCOUNT = [
    (b"anthropic-organization-id", b"org"),
    (b"anthropic-ratelimit-requests-remaining", b"1"),
    (b"anthropic-ratelimit-unified-status", b"allowed"),
    (b"set-cookie", b"a=b"),
    (b"server", b"cloudflare"),
    (b"cf-ray", b"x"),
]
ANSWER = [(b"content-type", b"application/json"), (b"request-id", b"req_1"), (b"retry-after", b"3"), (b"date", b"x")]


def test_what_comes_back() -> None:
    """With its own credential a client gets everything; with ours, nothing of the account."""
    came = [*ANSWER, (b"connection", b"close, x-hop"), (b"x-hop", b"1"), (b"transfer-encoding", b"chunked"), *ACCOUNT]

    ours = (EXCHANGE_HEADER, b"id")
    assert list(returned(came, b"id", everything=True)) == [*ANSWER, *ACCOUNT, ours]
    assert list(returned(came, b"id", everything=False)) == [*ANSWER, ours]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (KEY, True),
        (b"Bearer " + KEY, True),
        (b"cw-", True),
        (b"cw-typo", True),
        (b" cw-x", True),
        (b"Basic cw-x", True),
        (b"sk-ant-cw-1", False),
        (b"a cw-like word", True),
        (b"scw-1", False),
    ],
)
def test_the_prefix_alone_makes_it_ours(value: bytes, expected: bool) -> None:  # noqa: FBT001  # a table
    """A wrong key of ours is still no business of an upstream's."""
    assert is_ours(value) is expected


@pytest.mark.parametrize("name", [b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-real-ip"])
def test_a_proxy_in_between_is_noticed(name: bytes) -> None:
    """What a proxy forwarded does not count as loopback."""
    assert known_of((b"host", name)).was_forwarded
    assert not known_of((b"host",)).was_forwarded
