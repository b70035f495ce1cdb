"""The door: `Host`, origins, forwarding headers and paths, before any work is done."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.fake_upstream import Answer, json_answer
from tests.security.talk import ASK, Answered, exchange, head, request
from tests.security.world import MESSAGE, World

LOGIN = ("authorization", "Bearer sk-ant-oat01-clients-own-login")
BODY = msgspec.json.encode(ASK)
ROUTES = [
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/health"),
    ("GET", "/v1/health"),
    ("GET", "/ready"),
    ("HEAD", "/api/hello"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
    ("GET", "/v1/models"),
    ("GET", "/v1/files"),
    ("GET", "/api/oauth/usage"),
    ("GET", "/nowhere"),
    ("GET", "/status"),
    ("GET", "/metrics"),
    ("POST", "/rpc/list_keys"),
    ("GET", "/feed"),
    ("OPTIONS", "/v1/messages"),
    ("OPTIONS", "/v1/files"),
    ("POST", "/run/0192f0c1-aaaa/v1/messages"),
]


def send(
    world: World, method: str, target: str, *fields: tuple[str, str], host: str | None = "127.0.0.1"
) -> Answered | None:
    """One request with a good login and a good body."""
    body = BODY if method == "POST" else b""
    return exchange(
        world.gateway.url, request(target, LOGIN, *fields, body=body, method=method, host=host), method=method
    )


FOREIGN = [
    "evil.example",
    "evil.example:80",
    "127.0.0.1.evil.example",
    "127.0.0.1.nip.io",
    "localhost.evil.example",
    "localhost.",
    "evil.example:127.0.0.1",
    "127.0.0.1@evil.example",
    "localhost,evil.example",
    "localhost evil.example",
    "0.0.0.0",  # noqa: S104  # refused, not bound
    "[::]",
    "2130706433",
    "0x7f000001",
    "127.1",
    "127.0.0.2",
    "[::ffff:127.0.0.1]",
    "192.168.0.1",
    "claude.lan.evil.example",
]


@pytest.mark.parametrize(("method", "target"), ROUTES)
def test_a_foreign_host_gets_nowhere(world: World, method: str, target: str) -> None:
    """DNS rebinding: a 421 on every route, the least of them included, before anything is done."""
    for host in FOREIGN:
        said = send(world, method, target, host=host)

        assert said is not None
        assert (421, "wrong_host") == (said.status, said.error), host
        if method != "HEAD":
            assert "server.hosts" in said.message
    assert world.untouched


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:1", "LocalHost:8317", "[::1]:8317"])
def test_its_own_names(world: World, host: str) -> None:
    """Loopback by its three names, with any port."""
    said = send(world, "POST", "/v1/messages", host=host)

    assert said is not None
    assert (200, 1) == (said.status, len(world.login_host.received))


@pytest.mark.parametrize(("method", "target"), ROUTES)
def test_no_page_may_read_an_answer(world: World, method: str, target: str) -> None:
    """Without configured origins there is no CORS header on any route, preflights included."""
    for origin in ("http://evil.example", "http://localhost:3000", "null", world.gateway.url):
        preflight = (("access-control-request-method", "POST"), ("access-control-request-headers", "x-api-key"))
        said = send(world, method, target, ("origin", origin), *preflight)

        assert said is not None
        assert [] == [name for name, _ in said.headers if name.startswith("access-control-")]


def test_nor_where_the_upstream_would_allow_it(world: World) -> None:
    """Claude Code asks Anthropic for browser access; that answer is not ours to give to pages."""
    allow = [("access-control-allow-origin", "*"), ("access-control-expose-headers", "request-id"), ("x-kept", "1")]
    world.login_host.says(_answer_with(allow))
    said = send(world, "POST", "/v1/messages", ("origin", "http://evil.example"))

    assert said is not None
    assert (None, "1") == (said.header("access-control-allow-origin"), said.header("x-kept"))
    assert said.header("access-control-expose-headers") is None


def test_the_control_socket_is_not_on_tcp(world: World) -> None:
    """What the commands may ask is answered on the unix socket alone."""
    for method, target in (("GET", "/status"), ("GET", "/feed"), ("GET", "/hold"), ("POST", "/rpc/list_keys")):
        said = send(world, method, target)

        assert said is not None
        assert (404, "not_found") == (said.status, said.error)
    assert world.untouched


@pytest.fixture(scope="module")
def open_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway that one page may call, with a name of its own."""
    server = 'cors_origins = ["https://chat.example"]\nhosts = ["claude.lan"]'
    with World(tmp_path_factory.mktemp("open"), server=server) as world:
        yield world


def test_a_configured_page_may(open_world: World) -> None:
    """Preflight and answer, for that origin."""
    asked = (("access-control-request-method", "POST"), ("access-control-request-headers", "x-api-key"))
    preflight = send(
        open_world, "OPTIONS", "/v1/messages", ("origin", "https://chat.example"), *asked, host="claude.lan"
    )
    said = send(open_world, "POST", "/v1/messages", ("origin", "https://chat.example"))

    assert preflight is not None
    assert said is not None
    assert (200, 200) == (preflight.status, said.status)
    for answer in (preflight, said):
        assert "https://chat.example" == answer.header("access-control-allow-origin")
        assert answer.header("access-control-allow-credentials") is None


@pytest.mark.parametrize(
    "origin", ["https://chat.example.evil.example", "http://chat.example", "https://chat.example:444", "null", "*"]
)
def test_no_other_page_may(open_world: World, origin: str) -> None:
    """An origin is scheme, host and port, and nothing like it."""
    preflight = send(
        open_world, "OPTIONS", "/v1/messages", ("origin", origin), ("access-control-request-method", "POST")
    )
    said = send(open_world, "POST", "/v1/messages", ("origin", origin))

    assert preflight is not None
    assert said is not None
    assert 400 == preflight.status
    assert [None, None] == [answer.header("access-control-allow-origin") for answer in (preflight, said)]


@pytest.mark.parametrize("method", ["OPTIONS", "POST", "GET"])
def test_a_configured_page_does_not_change_the_host(open_world: World, method: str) -> None:
    """Also for preflights, `Host` is looked at first."""
    fields = (("origin", "https://chat.example"), ("access-control-request-method", "POST"))
    said = send(open_world, method, "/health", *fields, host="evil.example")

    assert said is not None
    assert 421 == said.status


FORWARDING = [
    ("forwarded", "for=192.0.2.1"),
    ("x-forwarded-for", "127.0.0.1"),
    ("X-Forwarded-Proto", "https"),
    ("x-forwarded-anything", "1"),
    ("x-real-ip", "127.0.0.1"),
    ("cf-connecting-ip", "192.0.2.1"),
    ("true-client-ip", "192.0.2.1"),
]


@pytest.mark.parametrize("field", FORWARDING, ids=lambda field: field[0])
def test_behind_an_undeclared_proxy_a_login_is_not_enough(world: World, key: str, field: tuple[str, str]) -> None:
    """Loopback proves nothing where somebody forwards: a key is needed, and the field does not go on."""
    for target, method in (("/v1/messages", "POST"), ("/v1/models", "GET"), ("/v1/files", "GET")):
        said = send(world, method, target, field)

        assert said is not None
        assert (401, "invalid_key", True) == (said.status, said.error, world.untouched)
    said = send(world, "POST", "/v1/messages", field, ("x-clearway-key", key))

    assert said is not None
    assert 200 == said.status
    assert field[0].lower().encode() not in world.login_host.bytes.lower()


PATHS = [
    "/v1/../admin",
    "/v1/./messages",
    "/v1/messages/..",
    "/v1/messages/.",
    "/v1/files/../../v1/organizations",
    "/../v1/messages",
    "/v1//messages",
    "//v1/messages",
    "//evil.example/v1/messages",
    "/v1/%2e%2e/messages",
    "/v1/%2E%2e/messages",
    "/v1/.%2e/messages",
    "/v1/%2E/messages",
    "/v1/%6dessages",
    "/v1%2fmessages",
    "/v1/files%2F..%2Fx",
    "/v1/mess%61ges",
    "/v1/messages%00",
    "/v1/messages%0d%0ax-injected:%201",
    "/v1/messages;x=1",
    "/v1/files;jsessionid=1/x",
    "/v1\\messages",
    "/v1/files/..\\x",
    "/v1/messages%5c",
    "/v1/%252e%252e/x",
    "/v1/files/%c0%ae%c0%ae/x%2",
    "/v1/files/a%zz",
    "/v1/files/\xe4",
    "/run/0192f0c1-aaaa/../v1/messages",
    "/run/0192f0c1-aaaa//v1/messages",
    "http://127.0.0.1/v1/messages",
    "http://evil.example/v1/messages",
    "https://api.anthropic.com/v1/messages",
    "127.0.0.1:80",
    "*",
    "v1/messages",
    "/v1/messages#fragment",
    "/v1/messages\t",
    "/v1/files/a\x7fb",
    "/v1/files/a\x01b",
    "/v1/files/a\x00b",
]


@pytest.mark.parametrize("target", PATHS)
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_a_path_with_two_readings_leads_nowhere(world: World, method: str, target: str) -> None:
    """Dot segments, encodings, parameters, other forms of a target: refused, and no upstream hears of it."""
    said = send(world, method, target)

    assert said is not None
    assert said.status in (400, 404), said
    assert said.error in ("invalid_request", "not_found")
    assert said.message.startswith("Clearway: ")
    assert world.untouched


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "PROPFIND", "PRI", "post", "GE T", "\x00"])
def test_a_method_that_is_none_leads_nowhere(world: World, method: str) -> None:
    """Only those of an API."""
    data = head(method, "/v1/messages" if method != "CONNECT" else "evil.example:443", LOGIN)
    said = exchange(world.gateway.url, data)

    assert said is not None
    assert (400, "invalid_request", True) == (said.status, said.error, world.untouched)


def test_what_goes_on_is_what_was_judged(world: World) -> None:
    """Needed encodings and the query arrive byte for byte."""
    for target in ("/v1/files/a%20b?x=%2e%2e&y=../..&z=%00", "/v1/files/%C3%A9+@:,=", "/api/a~b?", "/v1/x?a=b?c"):
        said = send(world, "GET", target)

        assert said is not None
        assert 200 == said.status
    targets = [received.target for received in world.login_host.received]

    assert ["/v1/files/a%20b?x=%2e%2e&y=../..&z=%00", "/v1/files/%C3%A9+@:,=", "/api/a~b", "/v1/x?a=b?c"] == targets


def test_the_account_behind_the_gateway_is_not_shown(world: World, key: str) -> None:
    """What an upstream says of the gateway's own account stays here; on passthrough it is the client's."""
    account = [
        ("anthropic-organization-id", "org-1"),
        ("anthropic-ratelimit-requests-remaining", "5"),
        ("set-cookie", "a=b"),
        ("server", "x"),
        ("cf-ray", "1"),
        ("x-clearway-exchange", "forged"),
    ]
    for stage in (world.api_host, world.login_host):
        stage.says(_answer_with(account))
    ours = exchange(world.gateway.url, request("/v1/messages", ("x-api-key", key), body=BODY))
    own = send(world, "POST", "/v1/messages")

    assert ours is not None
    assert own is not None
    assert [] == [field for field in account if field in ours.headers]
    assert account[:5] == [field for field in account if field in own.headers]


def _answer_with(fields: list[tuple[str, str]]) -> Answer:
    return json_answer(MESSAGE, headers=fields)


def test_behind_a_proxy_every_request_needs_a_key(tmp_path: Path) -> None:
    """`behind_proxy` on loopback: a login alone is refused on each path that leads anywhere."""
    with World(tmp_path, server="behind_proxy = true") as world:
        key = world.gateway.new_key("k")
        for method, target in (
            ("POST", "/v1/messages"),
            ("GET", "/v1/models"),
            ("GET", "/v1/files"),
            ("GET", "/api/x"),
        ):
            said = send(world, method, target)

            assert said is not None
            assert (401, "invalid_key", True) == (said.status, said.error, world.untouched)
        said = send(world, "POST", "/v1/messages", ("x-clearway-key", key), ("x-forwarded-for", "192.0.2.1"))

        assert said is not None
        assert (200, 1) == (said.status, len(world.login_host.received))


def test_doctor_shows_no_credential_to_an_upstream(world: World) -> None:
    """It looks whether they answer, and no more."""
    world.gateway.cli("doctor", check=False)
    heads = [received.head for stage in world.stages for received in stage.received]

    assert heads
    assert all(head.startswith(b"HEAD ") and b"sk-ant" not in head for head in heads)
