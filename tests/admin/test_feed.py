"""The live feed: server-sent events to those who may watch, for as long as they may."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from clearway.server.admin.feed import MOST
from tests.admin.conftest import House
from tests.admin.door import HELLO, Door, ledger, new_key, signed_in, with_key
from tests.admin.test_matrix import cookie
from tests.gateway_process import SIM, GatewayProcess


@contextmanager
def watching(door: Door) -> Iterator[http.client.HTTPResponse]:
    """The feed, when it is known to be open."""
    parts = urlsplit(door.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=12)
    connection.request("GET", "/admin/api/feed", headers=dict(door.fields))
    answer = connection.getresponse()
    try:
        if answer.status == 200:
            assert answer.readline().startswith(b":")
            assert b"\n" == answer.readline()
        yield answer
    finally:
        connection.close()


def events(answer: http.client.HTTPResponse, count: int) -> list[tuple[str, dict[str, object]]]:
    """So many events, each with its data."""
    found: list[tuple[str, dict[str, object]]] = []
    name = ""
    while len(found) < count:
        line = answer.readline().decode()
        assert line, "the feed has ended"
        line = line.rstrip("\n")
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            found.append((name, msgspec.json.decode(line.removeprefix("data: "))))
    return found


def test_what_happens(house: House) -> None:
    """Admission, first token and settlement of an exchange, to a key and to a page alike."""
    with watching(house.door) as one, watching(signed_in(house.gateway)) as other:
        with_key(house.gateway, house.client).ask("POST", "/v1/messages", HELLO | {"stream": True})
        seen = events(one, 3)

        assert seen == events(other, 3)
    assert ["admitted", "first_token", "settled"] == [name for name, _ in seen]
    assert all(name == data["what"] for name, data in seen)
    assert "text/event-stream" == one.headers["content-type"]
    assert ("no", "no-store") == (one.headers["x-accel-buffering"], one.headers["cache-control"])
    settled = seen[2][1]["exchange"]
    assert isinstance(settled, dict)
    assert "ok" == house.door.get(f"exchanges/{settled['id']}")["exchange"]["outcome"] == settled["outcome"]


def test_until_the_session_ends(house: House) -> None:
    """Who signs out, or whose key is revoked, is let go within seconds."""
    page = signed_in(house.gateway)
    secret = new_key(house.gateway, "watcher", owner=True)
    with watching(page) as one, watching(with_key(house.gateway, secret)) as other:
        page.ask("DELETE", "/admin/api/session")
        ledger(house.gateway).revoke_key("watcher")

        assert b"" == one.read().replace(b": still here\n\n", b"")
        assert b"" == other.read().replace(b": still here\n\n", b"")


def test_so_many_may_watch(house: House) -> None:
    """One more is told to come later; a place is free as soon as somebody leaves."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in house.door.fields.items())
    asked = f"GET /admin/api/feed HTTP/1.1\r\nhost: 127.0.0.1\r\n{fields}\r\n".encode()
    parts = urlsplit(house.url)
    watchers = []
    for _ in range(MOST):
        sock = socket.create_connection((parts.hostname or "", parts.port or 0), 10)
        sock.sendall(asked)
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        watchers.append(sock)
    refused = house.door.ask("GET", "/admin/api/feed")
    for sock in watchers:
        sock.close()

    assert ("slow_down", "5") == (refused.code, refused.headers["retry-after"])
    while True:
        with watching(house.door) as again:
            if again.status == 200:
                break


def test_no_feed_for_strangers(house: House) -> None:
    """Nothing is streamed to who may not."""
    for door, status in (
        (Door(house.url), 401),
        (Door(house.url, {"cookie": f"{cookie(house)}=x"}), 401),
        (with_key(house.gateway, house.client), 403),
    ):
        with watching(door) as answer:
            assert status == answer.status


def test_a_watcher_does_not_keep_a_gateway(house: House, tmp_path: Path) -> None:
    """A gateway that is told to end does not wait for those who only watch."""
    with GatewayProcess(tmp_path, SIM) as gateway:
        with watching(with_key(gateway, new_key(gateway, "boss", owner=True))) as answer:
            code = gateway.stop()

            assert b"" == answer.read()
        assert (0, 200) == (code, house.door.ask("GET", "/admin/api/status").status)
