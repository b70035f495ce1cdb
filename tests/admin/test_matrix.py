"""Every route for everybody who might ask: only what the table says, and no effect otherwise."""

from collections.abc import Callable

import pytest

from clearway.server.admin.openapi import codes_of
from clearway.server.admin.routes import ROUTES, Route, find
from tests.admin.conftest import House
from tests.admin.door import HELLO, Answer, Door, settled, signed_in, with_key

NOBODYS = "00000000-0000-7000-8000-000000000000"
BODIES = {
    "POST /admin/api/session": {"link": "no-such-link"},
    "PUT /admin/api/password": {"password": "set-by-the-matrix"},
    "POST /admin/api/keys": {"name": "made-by-the-matrix"},
    "PATCH /admin/api/keys/{id}": {"name": "renamed-by-the-matrix"},
    "POST /admin/api/keys/{id}/revoke": {},
    "POST /admin/api/keys/{id}/rotate": {"overlap_s": 0},
}
KEYED = [
    pytest.param(lambda house: {"x-clearway-key": house.owner}, id="x-clearway-key"),
    pytest.param(lambda house: {"x-api-key": house.owner}, id="x-api-key"),
    pytest.param(lambda house: {"authorization": f"Bearer {house.owner}"}, id="bearer"),
]
REFUSED: dict[str, tuple[Callable[[House], dict[str, str]], str]] = {
    "nothing": (lambda _: {}, "invalid_key"),
    "random": (lambda house: {"x-clearway-key": house.owner[:-12] + "A" * 12}, "invalid_key"),
    "near-miss": (lambda house: {"x-clearway-key": house.owner[:-1]}, "invalid_key"),
    "not-ours": (lambda _: {"x-clearway-key": "sk-something"}, "invalid_key"),
    "foreign": (lambda _: {"x-api-key": "sk-ant-api03-somebodys-own"}, "invalid_key"),
    "login": (lambda _: {"authorization": "Bearer sk-ant-oat01-somebodys-own"}, "invalid_key"),
    "revoked": (lambda house: {"x-clearway-key": house.revoked}, "invalid_key"),
    "expired": (lambda house: {"x-api-key": house.expired}, "invalid_key"),
    "client": (lambda house: {"authorization": f"Bearer {house.client}"}, "not_allowed"),
    "cookie": (lambda house: {"cookie": f"{cookie(house)}=something"}, "invalid_key"),
    "empty-cookie": (lambda house: {"cookie": f"{cookie(house)}="}, "invalid_key"),
    "prefix-alone": (lambda _: {"x-clearway-key": "cw-"}, "invalid_key"),
}
NAMES = [f"{route.method} {route.path}" for route in ROUTES]


def cookie(house: House) -> str:
    """What its session's cookie is called."""
    return f"clearway-{house.url.rpartition(':')[2]}"


def send(door: Door, route: Route, subject: str = NOBODYS) -> Answer:
    """A request as the table wants it."""
    return door.ask(route.method, route.path.replace("{id}", subject), BODIES.get(f"{route.method} {route.path}"))


def changes(house: House) -> object:
    """What the ledger knows of keys and sessions, and how it came to that."""
    door = house.door
    keys = door.get("keys?revoked=true&limit=500")["keys"]
    for key in keys:
        del key["used_us"]
    return keys, door.get("sessions"), door.get("audit?limit=500")


@pytest.mark.parametrize("who", REFUSED)
def test_who_may_not(house: House, who: str) -> None:
    """Strangers, clients and former owners are told so on every route, and change nothing."""
    shown, code = REFUSED[who]
    before = changes(house)
    for route in ROUTES:
        if route.auth == "anyone":
            continue
        answer = send(Door(house.url, shown(house)), route, victim(house))

        assert code == answer.code, (route.method, route.path, answer.body)
        assert answer.status == (403 if code == "not_allowed" else 401)
        assert ("www-authenticate" in answer.headers) == (answer.status == 401)
    assert before == changes(house)


def victim(house: House) -> str:
    """The id of a key that there is."""
    return str(next(key["id"] for key in house.door.get("keys")["keys"] if key["name"] == "client"))


@pytest.mark.parametrize("shown", KEYED)
@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
def test_an_owner_key_may(house: House, route: Route, shown: Callable[[House], dict[str, str]]) -> None:
    """In each of the three places, on all routes but those of sessions; no CSRF token is asked for."""
    if route.stream is not None:
        return
    answer = send(Door(house.url, shown(house)), route)

    if route.auth == "session":
        assert "not_allowed" == answer.code
    elif route.has_id:
        assert "not_found" == answer.code
    elif route.is_slowed:
        assert answer.code in ("wrong_sign_in", "slow_down")
    elif route.path == "/admin/api/keys" and route.method == "POST":
        assert answer.code in (None, "conflict")
    else:
        assert route.status == answer.status, answer.body


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
def test_a_session_may(house: House, route: Route) -> None:
    """A page of ours with the session's cookie and token may what an owner key may, and sign out."""
    if route.stream is not None or route.is_slowed:
        return
    answer = send(signed_in(house.gateway), route)

    if route.has_id:
        assert "not_found" == answer.code
    elif route.path == "/admin/api/keys" and route.method == "POST":
        assert answer.code in (None, "conflict")
    else:
        assert route.status == answer.status, answer.body


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_no_other_method(house: House, method: str) -> None:
    """What is not in the table is refused; strangers are not even told that."""
    for route in ROUTES:
        path = route.path.replace("{id}", NOBODYS)
        methods, _ = find(path)
        if method in methods:
            continue
        known = house.door.ask(method, path, fields={"origin": "https://evil.example"})
        stranger = Door(house.url).ask(method, path)

        assert (405, 401) == (known.status, stranger.status), (method, path)
        assert ", ".join(sorted(methods)) == known.headers["allow"]
        assert [] == [name for name in known.headers if name.startswith("access-control-")]


PATHS = [
    "/admin/",
    "/admin/api",
    "/admin/api/",
    "/admin/api/keys/",
    "/admin/api//keys",
    "/admin/./api/keys",
    "/admin/api/../api/keys",
    "/admin/api/%6beys",
    "/admin/api/keys%2f",
    "/admin/api/keys;x",
    "/admin/api/Keys",
    "/admin/api/keys/boss",
    "/admin/api/keys/..%2f",
    f"/admin/api/keys/{NOBODYS}/",
    f"/admin/api/keys/{NOBODYS.upper().replace('0', 'A')}",
    f"/admin/api/keys/{NOBODYS}/destroy",
    "/admin/stats",
    "/admin/config",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_other_path(house: House, path: str) -> None:
    """The path is compared as it was sent: nothing near a route is that route."""
    assert 404 == house.door.ask("GET", path).status
    assert 401 == Door(house.url).ask("GET", path).status


@pytest.mark.parametrize(
    "path", ["/openapi.json/", "/admin", "/run/0192f0c1-aaaa/admin/api/keys", "/v1/admin/api/keys"]
)
def test_it_is_nowhere_else(house: House, path: str) -> None:
    """Neither below the address of a run nor beside its own."""
    assert house.door.ask("GET", path).status in (404, 400)


def test_a_session_is_nothing_to_the_model(house: House, page: Door) -> None:
    """With a cookie alone, `/v1` answers as it does without one, and counts nobody."""
    fields = {**page.fields, "x-api-key": "cw-nothing"}
    answer = Door(house.url, fields).ask("POST", "/v1/messages", HELLO)
    bare, cookied = (door.ask("POST", "/v1/messages", HELLO) for door in (Door(house.url), page))

    assert 401 == answer.status
    assert bare.status == cookied.status
    assert settled(house.door, 1)[0]["key_id"] is None


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.body is not None], ids=lambda route: f"{route.method} {route.path}"
)
def test_body_limits(house: House, route: Route) -> None:
    """One byte over the table's limit is refused, declared or not; what is no JSON object is, too."""
    path = route.path.replace("{id}", NOBODYS)
    long = b'{"x":"' + b"a" * route.max_body + b'"}'
    typed = {"content-type": "application/json"}
    door = house.door

    assert "too_large" == door.ask(route.method, path, raw=long, fields=typed).code
    assert "too_large" == door.ask(route.method, path, raw=iter([long[:-10], long[-10:]]), fields=typed).code
    for raw in (b"", b"{", b"\xff", b"nul", b"{}{}", b'{"a":"\\ud800"}', b"[" * 400 + b"]" * 400):
        assert door.ask(route.method, path, raw=raw, fields=typed).code in ("invalid_request", "invalid_value"), raw
    for raw in (b"null", b"[]", b'"x"', b"1", b'{"no_such_field":1}'):
        assert "invalid_value" == door.ask(route.method, path, raw=raw, fields=typed).code, raw


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.body is None], ids=lambda route: f"{route.method} {route.path}"
)
def test_no_body_where_none_is_wanted(house: House, route: Route) -> None:
    """A body that nobody reads is refused."""
    if route.auth != "session":
        path = route.path.replace("{id}", NOBODYS)

        assert "too_large" == house.door.ask(route.method, path, raw=b"x").code


def test_every_refusal_is_documented() -> None:
    """No route may refuse in a way that its description does not name."""
    for route in ROUTES:
        assert {"method_not_allowed", "internal"} <= set(codes_of(route))
        assert ("invalid_key" in codes_of(route)) == (route.auth != "anyone")


def test_nothing_is_open_by_default() -> None:
    """Who adds a route and says nothing gets one for the owner, closed to pages of others."""
    route = Route(method="GET", path="/admin/api/new", summary="")

    assert ("owner", "read", 0) == (route.auth, route.csrf, route.max_body)
    assert {"/admin/sign-in", "/admin/sign-in.js", "/admin/sign-in.css", "/admin/api/session"} == {
        route.path for route in ROUTES if route.auth == "anyone"
    }
    assert all(route.csrf in ("write", "sign_in") for route in ROUTES if route.method != "GET")


def test_headers_of_every_answer(house: House, page: Door) -> None:
    """Nothing is cached, framed, sniffed or readable by other sites; no page runs what is not ours."""
    for door in (Door(house.url), house.door, page):
        for path in ("/admin/api/keys", "/admin/sign-in", "/admin/nowhere", "/openapi.json"):
            headers = door.ask("GET", path).headers

            assert "no-store" == headers["cache-control"]
            assert "nosniff" == headers["x-content-type-options"]
            assert "same-origin" == headers["cross-origin-resource-policy"]
            assert "default-src 'none'" in headers["content-security-policy"]
            assert [] == [name for name in headers if name.startswith("access-control-")]


def test_keys_in_use_are_not_told(house: House) -> None:
    """No answer but that of making a key holds a secret, or its hash."""
    for route in ROUTES:
        if route.method == "GET" and route.stream is None and not route.has_id:
            answer = send(with_key(house.gateway, house.owner), route)

            for secret in (house.owner, house.client, house.revoked):
                assert secret[9:].encode() not in answer.body
