"""The password over HTTP: set, used, removed; who was signed in is so no more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.admin.conftest import UNCOUNTED
from tests.admin.door import Answer, Door, new_key, new_link, signed_in, with_key
from tests.gateway_process import GatewayProcess

PASSWORD = "correct horse \u20ac battery"  # noqa: S105  # of nobody
PATH = "/admin/api/password"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """Without one."""
    with GatewayProcess(tmp_path, UNCOUNTED) as gateway:
        yield gateway


@pytest.fixture
def door(gateway: GatewayProcess) -> Door:
    """For its owner."""
    return with_key(gateway, new_key(gateway, "boss", owner=True))


def sign_in(gateway: GatewayProcess, password: str) -> Answer:
    """Try to."""
    return Door(gateway.url).ask("POST", "/admin/api/session", {"password": password})


def test_with_a_key(gateway: GatewayProcess, door: Door) -> None:
    """It signs in from then on, until it is another or none; sessions and links from before are void, and the audit
    log has who did it, without the password.
    """
    page, link = signed_in(gateway), new_link(gateway)
    assert {"is_set": False} == door.get("password")

    assert (204, b"") == (door.ask("PUT", PATH, {"password": PASSWORD}).status, b"")
    assert {"is_set": True} == door.get("password")
    assert 401 == page.ask("GET", "/admin/api/session").status
    assert "wrong_sign_in" == Door(gateway.url).ask("POST", "/admin/api/session", {"link": link}).code
    page = signed_in(gateway, {"password": PASSWORD})
    assert 204 == door.ask("PUT", PATH, {"password": PASSWORD + "!"}).status
    assert (401, 401) == (sign_in(gateway, PASSWORD).status, page.ask("GET", "/admin/api/session").status)
    assert 201 == sign_in(gateway, PASSWORD + "!").status
    assert [204, 204] == [door.ask("DELETE", PATH).status for _ in range(2)]
    assert {"is_set": False} == door.get("password")
    assert "wrong_sign_in" == sign_in(gateway, PASSWORD + "!").code

    changes = door.get("audit?limit=500")["changes"]
    changes = [change for change in changes if change["what"].startswith("password.")]
    key_id = door.get("session")["key_id"]
    assert [("password.remove", "api", key_id), *[("password.set", "api", key_id)] * 2] == [
        (change["what"], change["source"], change["key_id"]) for change in changes
    ]
    assert PASSWORD not in repr(changes) + gateway.log


def test_with_a_session(gateway: GatewayProcess, door: Door) -> None:
    """A page of ours may; it is signed out by it, and the browser is told so. Nothing to remove changes nothing."""
    page = signed_in(gateway)
    assert 204 == page.ask("DELETE", PATH).status
    assert 200 == page.ask("GET", "/admin/api/session").status
    session_id = page.get("session")["session"]["id"]
    changed = page.ask("PUT", PATH, {"password": PASSWORD})

    assert (204, True) == (changed.status, "Max-Age=0" in changed.headers["set-cookie"])
    assert 401 == page.ask("GET", "/admin/api/session").status
    assert session_id == door.get("audit?what=password.set")["changes"][0]["session_id"]
    page = signed_in(gateway, {"password": PASSWORD})
    assert "cross_site" == page.showing(cookie=page.fields["cookie"]).ask("DELETE", PATH).code
    assert (204, 401) == (page.ask("DELETE", PATH).status, page.ask("GET", "/admin/api/session").status)


def test_what_is_no_password(gateway: GatewayProcess, door: Door) -> None:
    """Characters count, not bytes; nothing is changed, and it is not repeated."""
    for text in ("", "elevenchars", "\u20ac" * 11, "x" * 513, "\u20ac" * 513):
        refused = door.ask("PUT", PATH, {"password": text})

        assert "invalid_value" == refused.code, text
        assert not text or text not in refused.body.decode() + gateway.log
    assert {"is_set": False} == door.get("password")


def test_the_longest(gateway: GatewayProcess, door: Door) -> None:
    """To its last character."""
    longest = "\u20ac" * 512
    assert 204 == door.ask("PUT", PATH, {"password": longest}).status

    assert [401, 201] == [sign_in(gateway, text).status for text in (longest[:-1] + "x", longest)]


def test_without_argon2(tmp_path: Path) -> None:
    """Where the extra is missing it says what to install; one that was set can still be removed."""
    missing = tmp_path / "packages" / "argon2"
    missing.mkdir(parents=True)
    (missing / "__init__.py").write_text("raise ImportError('no module named argon2')\n")
    with GatewayProcess(tmp_path, UNCOUNTED, environment={"PYTHONPATH": str(missing.parent)}) as gateway:
        door = with_key(gateway, new_key(gateway, "boss", owner=True))
        refused = door.ask("PUT", PATH, {"password": PASSWORD})
        removed = door.ask("DELETE", PATH)

    assert (501, "not_installed") == (refused.status, refused.code)
    assert "pip install 'clearway[password]'" in refused.json["error"]["hint"]
    assert 204 == removed.status
