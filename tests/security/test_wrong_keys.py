"""Wrong keys at a real gateway: who is slowed down, and who is not. Peers are addresses of the loopback network."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import anthropic
import msgspec
import pytest

from clearway.keys.secret import generate
from tests.gateway_process import GatewayProcess
from tests.security.talk import ASK, Answered
from tests.security.world import World

MOST = 5
PROXY = "127.0.0.99"


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Five wrong keys a minute, and one proxy that is believed."""
    server = f'wrong_keys_per_minute = {MOST}\ntrusted_proxies = ["{PROXY}"]'
    with World(tmp_path_factory.mktemp("wrong"), server=server) as world:
        yield world


@pytest.fixture(scope="module")
def new_source() -> Callable[[], str]:
    """Addresses that nobody has called from yet."""
    left = iter(range(2, 90))
    return lambda: f"127.0.0.{next(left)}"


def ask(world: World, source: str, key: str, *fields: tuple[str, str], **more: str) -> Answered:
    """One request from an address."""
    where = urlsplit(world.gateway.url)
    method, target = more.get("method", "POST"), more.get("target", "/v1/messages")
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10, source_address=(source, 0))
    with closing(connection):
        body = msgspec.json.encode(ASK) if method == "POST" else None
        connection.request(method, target, body, {"x-api-key": key, **dict(fields)})
        answer = connection.getresponse()
        headers = tuple((name.lower(), value) for name, value in answer.getheaders())
        return Answered(answer.status, headers, answer.read())


def statuses(world: World, source: str, count: int, *fields: tuple[str, str]) -> list[int]:
    """What that many different wrong keys get."""
    return [ask(world, source, generate(), *fields).status for _ in range(count)]


def test_wrong_keys_wait_and_right_ones_do_not(world: World, key: str, new_source: Callable[[], str]) -> None:
    """Five 401, then 429 with `retry-after` and a sentence in the client's format; the keys in use there go on,
    and so does everybody elsewhere.
    """
    here, there = new_source(), new_source()
    assert 200 == ask(world, here, key).status

    assert [401] * MOST + [429] * 3 == statuses(world, here, MOST + 3)
    refused = ask(world, here, generate())
    assert ("limit_exceeded", None) == (refused.error, refused.header("x-should-retry"))
    assert 1 <= int(refused.header("retry-after") or 0) <= 60
    assert "over 5 wrong Clearway keys came from this address within a minute" in refused.message
    assert "rate_limit_error" == msgspec.json.decode(refused.body)["error"]["type"]
    assert (200, 200) == (ask(world, here, key).status, ask(world, there, key).status)
    assert 401 == ask(world, there, generate()).status


def test_a_right_key_that_was_not_seen_there(world: World, key: str, new_source: Callable[[], str]) -> None:
    """From an address that has guessed, a right key looks like a wrong one; elsewhere it is let in."""
    here = new_source()
    statuses(world, here, MOST)

    right, wrong = ask(world, here, key), ask(world, here, generate())
    assert (429, right.error, right.message.partition(" in ")[0]) == (
        wrong.status,
        wrong.error,
        wrong.message.partition(" in ")[0],
    )
    assert 200 == ask(world, new_source(), key).status


@pytest.mark.parametrize(
    ("method", "target"), [("POST", "/v1/messages/count_tokens"), ("GET", "/v1/models"), ("GET", "/v1/files")]
)
def test_every_route(world: World, new_source: Callable[[], str], method: str, target: str) -> None:
    """There is no path on which guessing is free."""
    here = new_source()
    said = [ask(world, here, generate(), method=method, target=target).status for _ in range(MOST + 1)]

    assert [401] * MOST + [429] == said
    assert 429 == ask(world, here, generate()).status


def test_keys_that_were_good(world: World, new_source: Callable[[], str]) -> None:
    """A revoked key in a client that does not stop is slowed down too, and harms no other key."""
    here = new_source()
    revoked = world.gateway.new_key("revoked")
    assert 200 == ask(world, here, revoked).status
    world.gateway.cli("keys", "revoke", "revoked")

    assert [401] * MOST + [429] == [ask(world, here, revoked).status for _ in range(MOST + 1)]
    assert 200 == ask(world, here, world.gateway.new_key("newcomer")).status


def test_forwarded_by_a_stranger(world: World, new_source: Callable[[], str]) -> None:
    """Another address in a header for each guess is of no use."""
    here = new_source()
    said = [ask(world, here, generate(), ("x-forwarded-for", f"203.0.113.{n}")).status for n in range(MOST + 1)]

    assert [401] * MOST + [429] == said


def test_forwarded_by_a_proxy_that_is_trusted(world: World, key: str) -> None:
    """The clients behind it are told apart, whatever they wrote into the header themselves."""
    guesser = [("x-forwarded-for", f"198.51.100.{n}, 203.0.113.50") for n in range(MOST + 1)]
    said = [ask(world, PROXY, generate(), field).status for field in guesser]

    assert [401] * MOST + [429] == said
    neighbour = ("x-forwarded-for", "203.0.113.51")
    assert 200 == ask(world, PROXY, key, neighbour).status
    assert 401 == ask(world, PROXY, generate(), neighbour).status
    assert 429 == ask(world, PROXY, generate(), ("forwarded", "for=203.0.113.50:1234")).status


def test_the_log_names_the_source_once(world: World, new_source: Callable[[], str]) -> None:
    """One line for the owner, without a key in it, however often it is tried."""
    here = new_source()
    keys = [generate() for _ in range(4 * MOST)]
    for wrong in keys:
        ask(world, here, wrong)
    lines = [line for line in world.gateway.log.splitlines() if '"wrong_keys_slowed"' in line and f'"{here}"' in line]

    assert 1 == len(lines)
    assert not any(wrong in world.gateway.log for wrong in keys)


def test_a_real_client(world: World) -> None:
    """The official SDK raises what belongs to each answer, and waits as long as it is told when it may retry."""
    statuses(world, "127.0.0.1", MOST)
    client = anthropic.Anthropic(base_url=world.gateway.url, api_key=generate(), max_retries=0)
    with client, pytest.raises(anthropic.RateLimitError, match="wrong Clearway keys"):
        client.messages.create(model="claude-sonnet-5-5", max_tokens=5, messages=[{"role": "user", "content": "hi"}])


def test_settings_that_are_refused(tmp_path: Path) -> None:
    """A proxy that is no address, or everybody, is told at the start."""
    gateway = GatewayProcess(tmp_path, '[server]\ntrusted_proxies = ["proxy.example", "0.0.0.0/0", "10.0.0.1/8"]\n')
    done = gateway.cli("config", "check", check=False)

    assert 3 == done.returncode
    for place, said in enumerate(("is no address and no network", "is everybody", "is no address and no network")):
        assert f"server.trusted_proxies[{place}]: " in done.stderr
        assert said in done.stderr
