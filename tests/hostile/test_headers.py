"""Fields with hostile names and values, in both directions, byte by byte.

What may go on is written down here a second time, as lists, so that the table of
the gateway is held against another one.
"""

import contextlib
import re
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearway.keys.model import KeySpec
from clearway.ledger.protocol import LedgerError
from tests.gateway_process import GatewayProcess
from tests.hostile.tap import OK, Tap
from tests.relay.stage import Books
from tests.security.talk import connect, conversation, exchange, request
from tests.security.test_framing import ours

BODY = b'{"model":"claude-sonnet-4-5","max_tokens":16,"messages":[]}'
LOGIN = b"Bearer sk-ant-oat01-x"
Field = tuple[bytes, bytes]
# RFC 9110, section 7.6.1, and what names the way that a request has taken.
STAYS = [
    b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"proxy-authenticate", b"te", b"trailer",
    b"upgrade", b"expect", b"cookie", b"x-clearway-upstream", b"x-clearway-exchange",
]  # fmt: skip
WAY = [b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"cf-connecting-ip"]
WAY += [b"via", b"true-client-ip"]
DISGUISED = [b"x_api_key", b"content_length", b"transfer_encoding", b"x_forwarded_for", b"x-forwarded_for"]
GOES = [
    b"anthropic-version", b"anthropic-beta", b"user-agent", b"accept", b"x-app", b"session_id", b"x-request-id",
    b"from", b"x-original-url", b"x-rewrite-url", b"x-http-method-override", b"range", b"if-match", b"date",
    b"!#$%&'*+.^_`|~9", b"x-stainless-lang",
    b"anthropic-dangerous-direct-browser-access", b"referer", b"max-forwards", b"pragma",
]  # fmt: skip
HOP_BACK = [b"keep-alive", b"proxy-authenticate", b"proxy-connection", b"te", b"trailer", b"upgrade"]
DOORS_OWN = [b"access-control-allow-origin", b"access-control-allow-credentials", b"x-clearway-exchange"]
DOORS_OWN += [b"x-clearway-error", b"x-clearway-anything"]
ACCOUNT = [
    b"set-cookie", b"server", b"via", b"cf-ray", b"alt-svc", b"anthropic-organization-id", b"cf-cache-status",
    b"anthropic-ratelimit-requests-limit", b"x-envoy-upstream-service-time", b"anthropic-priority-input-tokens-limit",
]  # fmt: skip
BACK = [b"request-id", b"x-request-id", b"date", b"retry-after", b"x-should-retry", b"location", b"etag", b"link"]
BACK += [b"x-robots-tag", b"strict-transport-security", b"www-authenticate", b"refresh", b"!#$%&'*+.^_`|~9"]
# Visible characters, blanks within, and bytes that are not ASCII.
VALUES = st.lists(st.sampled_from([b"a", b"Z", b"0", b" ", b"\t", b'"', b",", b";", b"=", b"%0d%0a", b"\\r\\n", b"\xff",
                                   b"\x80", b"\xe2\x80\xa8", b"\xc4\x8d\xc4\x8a"]), max_size=12).map(
    lambda parts: b"".join(parts).strip(b" \t"))  # fmt: skip
MANY = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def spelled(name: bytes, upper: int) -> bytes:
    """In small letters, in capitals, or in both."""
    return (name, name.upper(), name.title())[upper]


def fields_of(data: bytes) -> list[Field]:
    """The fields of the first message in `data`, as they stand there."""
    head, _, _ = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")[1:]
    return [(name, value.removeprefix(b" ")) for name, _, value in (line.partition(b":") for line in lines)]


def sent(fields: list[Field], target: bytes = b"/v1/messages") -> bytes:
    """A request with those fields."""
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    length = b"content-length: %d\r\n" % len(BODY)
    return b"POST " + target + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + lines + length + b"\r\n" + BODY


NAMES = st.tuples(st.sampled_from([*STAYS, *DISGUISED, *GOES]), st.integers(0, 2))


@MANY
@given(st.lists(st.tuples(NAMES, VALUES), max_size=15), st.sampled_from(GOES))
def test_towards_the_upstream(
    gateway: GatewayProcess, tap: Tap, drawn: list[tuple[tuple[bytes, int], bytes]], named: bytes
) -> None:
    """What stays here stays here however it is spelled; all else arrives in order, values to the byte."""
    tap.renew()
    fields = [(spelled(*name), value) for name, value in drawn if name[0] not in (b"connection", b"expect")]
    # Names alone, no word of which could be an upgrade.
    fields.append((b"Connection", b"close, " + named.title()))
    said = conversation(gateway.url, sent([(b"authorization", LOGIN), *fields]))
    expected = [
        (name.lower(), value)
        for name, value in fields
        if name.lower() in GOES and name.lower() != named and not re.search(rb"(?<![\w-])cw-", value)
    ]
    host = (b"host", tap.authority.encode())
    length = (b"content-length", b"%d" % len(BODY))

    assert [200] == [answer.status for answer in said]
    assert [host, (b"authorization", LOGIN), *expected, (b"accept-encoding", b"identity"), length] == fields_of(
        tap.bytes
    )
    assert tap.bytes.endswith(b"\r\n\r\n" + BODY)


@MANY
@given(st.lists(st.tuples(st.sampled_from(WAY), VALUES), min_size=1, max_size=5))
def test_the_way_it_came(gateway: GatewayProcess, tap: Tap, key: str, drawn: list[Field]) -> None:
    """A request that a proxy forwarded needs a key, and the proxy's words do not go on."""
    tap.renew()
    refused = conversation(gateway.url, sent([(b"authorization", LOGIN), (b"connection", b"close"), *drawn]))
    named = (b"x-clearway-key", key.encode())
    said = conversation(gateway.url, sent([(b"authorization", LOGIN), named, (b"connection", b"close"), *drawn]))

    assert [(401, "invalid_key")] == [ours(answer) for answer in refused]
    assert [200] == [answer.status for answer in said]
    assert {b"host", b"authorization", b"accept-encoding", b"content-length"} == {
        name for name, _ in fields_of(tap.bytes)
    }


@pytest.mark.parametrize("place", ["x-api-key", "authorization", "x-clearway-key", "x-other", "cookie", "user-agent"])
@pytest.mark.parametrize("form", ["%s", "Bearer %s", '"%s"', "a, %s", "x=%s;", "\xe4%s"])
def test_a_key_never_leaves(gateway: GatewayProcess, tap: Tap, key: str, place: str, form: str) -> None:
    """In whatever field and form: the upstream gets to see none of it."""
    value = form.replace("%s", key)
    exchange(
        gateway.url, request("/v1/messages", (place, value), ("authorization", "Bearer sk-ant-oat01-x"), body=BODY)
    )
    exchange(gateway.url, request("/v1/messages", (place, value), ("x-api-key", key), body=BODY))

    assert key.encode() not in tap.bytes
    assert key.encode()[3:20] not in tap.bytes


def test_a_client_cannot_name_an_upstream(gateway: GatewayProcess, tap: Tap, key: str) -> None:
    """Neither where it goes nor with what credential."""
    named = [
        ("x-clearway-upstream", "own-login"), ("x-upstream", "http://evil.example"), ("x-api-base", "http://evil"),
        ("x-original-url", "/v1/other"), ("x-forwarded-host", "evil.example"), ("x-host", "evil.example"),
        ("authorization", "Bearer sk-ant-oat01-x"), ("x_api_key", "sk-ant-api03-mine"),
    ]  # fmt: skip
    said = exchange(gateway.url, request("/v1/messages", ("x-api-key", key), *named[:6], body=BODY))
    fields = fields_of(tap.bytes)

    assert said is not None
    assert 200 == said.status
    assert tap.bytes.startswith(b"POST /v1/messages HTTP/1.1\r\n")
    assert [tap.authority.encode()] == [value for name, value in fields if name == b"host"]
    assert [b"dummy-upstream-credential"] == [value for name, value in fields if name == b"x-api-key"]
    assert b"sk-ant-oat01" not in tap.bytes


ANSWERED = st.tuples(st.sampled_from([*HOP_BACK, *DOORS_OWN, *ACCOUNT, *BACK]), st.integers(0, 2))


def answered(gateway: GatewayProcess, credential: Field) -> list[Field]:
    """The fields that a client gets, as they stand on the wire."""
    with connect(gateway.url) as sock:
        sock.sendall(sent([credential, (b"connection", b"close")]))
        return fields_of(_all(sock))


def _all(sock: socket.socket) -> bytes:
    data = b""
    while piece := sock.recv(65_536):
        data += piece
    return data


@MANY
@given(st.lists(st.tuples(ANSWERED, VALUES), max_size=15), st.sampled_from(BACK), st.booleans())
def test_towards_the_client(
    gateway: GatewayProcess,
    tap: Tap,
    key: str,
    drawn: list[tuple[tuple[bytes, int], bytes]],
    named: bytes,
    own: bool,  # noqa: FBT001  # drawn
) -> None:
    """Hop by hop and ours never come from an upstream; the account comes only where it is the client's."""
    fields = [(spelled(*name), value) for name, value in drawn]
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    first, _, rest = OK.partition(b"\r\n")
    tap.says = first + b"\r\n" + lines + b"Connection: " + named.title() + b", keep-alive\r\n" + rest
    came = answered(gateway, (b"authorization", LOGIN) if own else (b"x-api-key", key.encode()))
    allowed = [*BACK, *ACCOUNT] if own else BACK
    expected = [(name.lower(), value) for name, value in fields if name.lower() in allowed and name.lower() != named]

    assert expected == came[: len(expected)]
    rest_of_it = [b"content-type", b"content-length", b"x-clearway-exchange", b"connection"]
    assert rest_of_it == [name for name, _ in came[len(expected) :]]


BAD_VALUES = [b"a\x00b", b"a\rb", b"a\x01b", b"a\x1bb", b"a\x7fb", b"a\x0bb", b"a\r\n b", b"a\r\n\tb", b"a\nb: c"]


@pytest.mark.parametrize("value", BAD_VALUES)
@pytest.mark.parametrize("name", [b"request-id", b"x-a", b"retry-after", b"content-type"])
def test_an_answer_with_a_value_that_is_none(gateway: GatewayProcess, tap: Tap, name: bytes, value: bytes) -> None:
    """Controls and folded lines: an error of ours, and not one of the bytes."""
    first, _, rest = OK.partition(b"\r\n")
    tap.says = first + b"\r\n" + name + b": " + value + b"\r\n" + rest
    said = exchange(gateway.url, request("/v1/messages", ("authorization", LOGIN.decode()), body=BODY))

    assert (502, "upstream_protocol") == ours(said)
    assert said is not None
    assert not set("\x00\x01\x1b\x7f\x0b") & set(said.message)
    assert "exchange_failed" not in gateway.log


ODD_IDS = [b"req_\xff\xfe", b"a b", b"x" * 5000, b"<script>", b"'; DROP TABLE x", b"../../etc", b"", b"\xe2\x80\xae"]


@pytest.mark.parametrize("value", ODD_IDS, ids=range(len(ODD_IDS)))
def test_an_id_of_the_upstream_is_a_label_or_nothing(gateway: GatewayProcess, tap: Tap, value: bytes) -> None:
    """It goes to the client as it came, and is kept only in the form of an id."""
    first, _, rest = OK.partition(b"\r\n")
    tap.says = first + b"\r\nrequest-id: " + value + b"\r\n" + rest
    came = answered(gateway, (b"authorization", LOGIN))
    exchange_id = next(value for name, value in came if name == b"x-clearway-exchange").decode()
    row = Books(gateway.data_dir).settled(exchange_id)

    assert (b"request-id", value) in came
    assert row.upstream_request_id is None


NAMED = ["a\r\nb", "a\nb", "a\0b", "a\x1b[31mb", "a\u2028b", "a\x7fb", "a\u202eb", "x" * 5000, "", " "]


def test_keys_with_hostile_names(gateway: GatewayProcess) -> None:
    """Refused, or shown on one line without controls."""
    books = Books(gateway.data_dir)
    made = []
    for name in NAMED:
        with contextlib.suppress(LedgerError, ValueError):
            books.new_key(KeySpec(name=name))
            made.append(name)
    listed = gateway.cli("keys", "list").stdout

    assert not set(listed) & {"\r", "\0", "\x1b", "\x7f", "\u2028", "\u202e"}
    assert not [name for name in made if not name.strip() or len(name) > 1000]


@pytest.mark.usefixtures("tap")
@pytest.mark.parametrize(
    "model",
    ["x\r\ny: z", "x\0", "\x1b[31m", "\u202e", "x" * 100_000, "", "/../..", "%0d%0a", "\xe4"],
    ids=["lines", "nul", "escape", "right-to-left", "long", "empty", "dots", "encoded-lines", "not-ascii"],
)
def test_a_hostile_model(gateway: GatewayProcess, key: str, model: str) -> None:
    """In a body and in a path it is a name like any other; an error that repeats it is still one error."""
    quoted = model.encode("unicode_escape").decode()
    body = b'{"model":%b,"max_tokens":1,"messages":[]}' % _json(model)
    said = exchange(gateway.url, request("/v1/messages", ("x-api-key", key), body=body))
    shown = exchange(gateway.url, request(f"/v1/models/{quoted[:1000]}", ("x-api-key", key), method="GET"))

    assert said is not None
    assert said.status in (200, 400, 404)
    assert said.header("y") is None
    assert shown is not None
    assert shown.status in (400, 404, 502)
    for answer in (said, shown):
        assert not set(answer.body.decode()) & {"\r", "\0", "\x1b", "\u202e"}


def test_an_alias_of_a_hostile_model(gateway: GatewayProcess, tap: Tap, key: str) -> None:
    """What the owner named goes into the body as text, and nowhere else."""
    body = b'{"model":"odd","max_tokens":1,"messages":[]}'
    said = exchange(gateway.url, request("/v1/messages", ("x-api-key", key), body=body))

    assert said is not None
    assert 200 == said.status
    assert b"x-injected" not in tap.bytes.partition(b"\r\n\r\n")[0]
    assert tap.bytes.endswith('{"model":"claude\\r\\nx-injected: 1\\u0000ä","max_tokens":1,"messages":[]}'.encode())


def _json(text: str) -> bytes:
    escaped = "".join(f"\\u{ord(char):04x}" if ord(char) < 32 else char for char in text)
    return f'"{escaped}"'.encode()
