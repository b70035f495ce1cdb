"""Sessions as a browser has them: begun by a link, ended on the server's side."""

from tests.admin.conftest import House
from tests.admin.door import Door, new_link, signed_in


def test_signing_in_and_out(house: House) -> None:
    """The cookie is for HTTP alone; signing out ends it on the server's side, too."""
    begun = Door(house.url).ask("POST", "/admin/api/session", {"link": new_link(house.gateway)})
    page = signed_in(house.gateway)
    own = page.get("session")
    listed = page.get("sessions")["sessions"]
    out = page.ask("DELETE", "/admin/api/session")

    name = f"clearway-{house.url.rpartition(':')[2]}"
    assert begun.headers["set-cookie"].startswith(f"{name}=")
    assert begun.headers["set-cookie"].endswith("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict")
    assert page.fields["x-clearway-csrf"] == own["csrf"]
    assert [True] == [one["is_own"] for one in listed if one["id"] == own["session"]["id"]]
    assert (204, b"") == (out.status, out.body)
    assert f"{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict" == out.headers["set-cookie"]
    assert "invalid_key" == page.ask("GET", "/admin/api/session").code


def test_one_browser_ends_another(house: House) -> None:
    """A session that is revoked is over at once."""
    mine, theirs = signed_in(house.gateway), signed_in(house.gateway)
    session_id = theirs.get("session")["session"]["id"]

    assert 204 == mine.ask("DELETE", f"/admin/api/sessions/{session_id}").status
    assert 401 == theirs.ask("GET", "/admin/api/session").status
    assert 404 == mine.ask("DELETE", f"/admin/api/sessions/{session_id}").status


def test_the_cookie_alone_counts_once(page: Door) -> None:
    """Two cookies of that name are none: somebody has set one of them."""
    doubled = page.showing(cookie=f"{page.fields['cookie']}; {page.fields['cookie']}x")

    assert "invalid_key" == doubled.ask("GET", "/admin/api/session").code


def test_the_sign_in_page(house: House) -> None:
    """It loads its own script and style and nothing else, and no link's token is asked for by GET."""
    door = Door(house.url)
    page, script, style = (door.ask("GET", f"/admin/sign-in{end}") for end in ("", ".js", ".css"))

    assert ["text/html; charset=utf-8", "text/javascript; charset=utf-8", "text/css; charset=utf-8"] == [
        answer.headers["content-type"] for answer in (page, script, style)
    ]
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert b"http" not in page.body
    assert b"innerHTML" not in script.body
    assert 422 == door.ask("GET", "/admin/sign-in?link=x").status
