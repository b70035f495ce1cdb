"""Pages of other sites: whatever they make a browser send, nothing happens."""

import pytest

from clearway.server.admin.routes import ROUTES, Route
from tests.admin.conftest import House
from tests.admin.door import Door, new_link, signed_in
from tests.admin.test_matrix import BODIES, NOBODYS, changes, victim
from tests.gateway_process import GatewayProcess

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
CROSS = {"sec-fetch-site": "cross-site"}
EVIL = {"origin": "https://evil.example"}
# What a browser would add by itself, by kind of attack; the cookie comes along in the worst of cases.
SHAPES = {
    "form-post": EVIL | FORM | CROSS | {"sec-fetch-mode": "navigate"},
    "form-post-of-an-old-browser": FORM,
    "text-plain-json": EVIL | {"content-type": "text/plain"},
    "multipart": EVIL | {"content-type": "multipart/form-data; boundary=x"},
    "fetch": EVIL | JSON | CROSS,
    "fetch-without-metadata": EVIL | JSON,
    "no-origin": JSON,
    "no-origin-cross-site": JSON | CROSS,
    "null-origin": JSON | {"origin": "null"},
    "null-origin-sandbox": JSON | CROSS | {"origin": "null"},
    "same-site-other-port": JSON | {"origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-site"},
    "other-name-of-this-machine": JSON | {"origin": "http://localhost:3000", "sec-fetch-site": "cross-site"},
    "other-scheme": JSON | {"origin": "https://127.0.0.1"},
    "empty-origin": JSON | {"origin": ""},
    "two-origins": JSON | {"origin": "http://127.0.0.1, https://evil.example"},
    "typed-into-the-address": JSON | {"sec-fetch-site": "none"},
}
WRITES = [route for route in ROUTES if route.csrf == "write"]
TOKENS = ["", "0" * 64, "undefined", "\xe9" * 64]


def write(door: Door, route: Route, subject: str, fields: dict[str, str]) -> str | None:
    """One request that would change something; how it was refused."""
    body = BODIES.get(f"{route.method} {route.path}")
    raw = None if body is None else str(body).replace("'", '"').encode()
    return door.ask(route.method, route.path.replace("{id}", subject), raw=raw, fields=fields).code


@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_changes_anything(house: House, shape: str) -> None:
    """With the cookie, and even with the session's token, on every route that changes something."""
    page = signed_in(house.gateway)
    own, subject = page.get("session")["session"]["id"], victim(house)
    before = changes(house)
    with_cookie = page.showing(cookie=page.fields["cookie"])
    with_token = page.showing(**{"cookie": page.fields["cookie"], "x-clearway-csrf": page.fields["x-clearway-csrf"]})
    for route in WRITES:
        for door in (with_cookie, with_token):
            code = write(door, route, own if "sessions" in route.path else subject, SHAPES[shape])

            assert "cross_site" == code, (route.method, route.path)
    assert before == changes(house)


@pytest.mark.parametrize("token", TOKENS)
def test_no_other_token(house: House, page: Door, token: str) -> None:
    """The right page with a token that is missing, wrong, or of another session."""
    before = changes(house)
    fields = {**page.fields, "x-clearway-csrf": token}
    others = {**page.fields, "x-clearway-csrf": signed_in(house.gateway).fields["x-clearway-csrf"]}
    without = {name: value for name, value in page.fields.items() if name != "x-clearway-csrf"}
    after = changes(house)
    for shown in (fields, others, without):
        for route in WRITES:
            assert "cross_site" == write(Door(house.url, shown), route, NOBODYS, JSON)
    assert before != after  # the other session began
    assert after == changes(house)


@pytest.mark.parametrize("shape", ["fetch", "null-origin", "same-site-other-port", "no-origin-cross-site"])
def test_nothing_is_read_with_a_session(page: Door, shape: str) -> None:
    """Nor does such a page read anything, a feed (EventSource) included."""
    door = page.showing(cookie=page.fields["cookie"])
    for route in ROUTES:
        if route.csrf == "read":
            path = route.path.replace("{id}", NOBODYS)
            fields = {name: value for name, value in SHAPES[shape].items() if name != "content-type"}

            assert "cross_site" == door.ask("GET", path, fields=fields).code, path
    assert 200 == page.ask("GET", "/admin/api/session", fields={"sec-fetch-site": "same-origin"}).status
    assert 200 == door.ask("GET", "/admin/api/session", fields={"sec-fetch-site": "none"}).status


@pytest.mark.parametrize("shape", ["form-post", "text-plain-json", "multipart", "fetch", "null-origin"])
def test_nobody_is_signed_in_by_another_page(house: House, shape: str) -> None:
    """A page cannot sign its visitor in to a session that its author knows."""
    link = new_link(house.gateway)
    sessions = house.door.get("sessions")
    said = Door(house.url).ask("POST", "/admin/api/session", raw=b'{"link":"%s"}' % link.encode(), fields=SHAPES[shape])

    assert "cross_site" == said.code
    assert "set-cookie" not in said.headers
    assert sessions == house.door.get("sessions")
    # The link was not used up by it.
    assert 201 == Door(house.url).ask("POST", "/admin/api/session", {"link": link}).status


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", ""]
)
def test_plain_json_only(house: House, kind: str) -> None:
    """Also with a key: what is not declared as JSON is not taken, nor what is compressed."""
    fields = {"content-type": kind} if kind else {}
    said = house.door.ask("POST", "/admin/api/keys", raw=b'{"name":"a"}', fields=fields)
    packed = house.door.ask("POST", "/admin/api/keys", {"name": "a"}, fields={"content-encoding": "gzip"})

    assert "unsupported_media_type" == said.code == packed.code


def test_websocket(page: Door) -> None:
    """There is nothing to upgrade to."""
    fields = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"} | EVIL
    said = page.ask("GET", "/admin/api/feed", fields=fields | {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="})

    assert said.status in (400, 403)


def test_no_cors_for_configured_origins_either(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`server.cors_origins` opens `/v1` to a page, and nothing of the admin API."""
    config = '[server]\ncors_origins = ["https://chat.example"]\n[[upstreams]]\nname = "sim"\nkind = "sim"\n'
    with GatewayProcess(tmp_path_factory.mktemp("cors"), config) as gateway:
        page = signed_in(gateway)
        asked = {"origin": "https://chat.example", "access-control-request-method": "POST"}
        for route in ROUTES:
            path = route.path.replace("{id}", NOBODYS)
            for method in ("OPTIONS", route.method):
                said = page.ask(method, path, fields=asked)

                assert [] == [name for name in said.headers if name.startswith("access-control-")], path
        opened = page.ask("OPTIONS", "/v1/messages", fields=asked)

    assert "https://chat.example" == opened.headers["access-control-allow-origin"]


def test_behind_a_proxy_with_tls(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where browsers come by TLS the cookie is the host's alone and travels encrypted only."""
    config = '[server]\nbehind_proxy = true\nhosts = ["claude.lan"]\n[[upstreams]]\nname = "sim"\nkind = "sim"\n'
    with GatewayProcess(tmp_path_factory.mktemp("proxy"), config) as gateway:
        link = gateway.cli("open", "--url", "https://claude.lan/").stdout.strip()
        host = {"host": "claude.lan"}
        door = Door(gateway.url, host)
        begun = door.ask("POST", "/admin/api/session", {"link": link.partition("#")[2]})
        cookie = begun.headers["set-cookie"]
        token = begun.json["csrf"]
        shown = host | {"cookie": cookie.partition(";")[0], "x-clearway-csrf": token}
        plain, safe = (
            Door(gateway.url, shown | {"origin": origin}).ask("POST", "/admin/api/keys", {"name": "a"})
            for origin in ("http://claude.lan", "https://claude.lan")
        )

    assert link.startswith("https://claude.lan/admin/sign-in#")
    assert cookie.startswith("__Host-clearway=")
    assert cookie.endswith("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure")
    assert ("cross_site", 201) == (plain.code, safe.status)
