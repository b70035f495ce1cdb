"""What a key may do, and how soon a change of it holds: while the server runs, from the next request on."""

import time
from collections.abc import Callable

import pytest

from clearway.keys import secret
from tests.fake_upstream import json_answer
from tests.security.talk import ASK, Answered
from tests.security.world import MODELS, World

LOGIN = ("authorization", "Bearer sk-ant-oat01-clients-own-login")
PATIENCE_S = 5.0
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def new_key(world: World, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Makes keys; their names are told apart by the test's."""
    return lambda *options: world.gateway.new_key(request.node.name, *options)


def asks(world: World, key: str, model: str = "claude-sonnet-4-5", *more: tuple[str, str]) -> Answered:
    """A message with a key."""
    return world.ask(("x-clearway-key", key), *more, body={**ASK, "model": model})


@pytest.mark.parametrize("beside", [(), (LOGIN,)], ids=["alone", "beside-a-login"])
def test_only_its_models(world: World, new_key: Callable[..., str], beside: tuple[tuple[str, str], ...]) -> None:
    """Patterns hold for whoever pays; a refusal names what is allowed, and nobody is asked."""
    key = new_key("--model", "claude-haiku-*")
    said = asks(world, key, "claude-sonnet-4-5", *beside)

    assert (403, "not_allowed", True) == (said.status, said.error, world.untouched)
    assert "claude-haiku-*" in said.message
    assert 200 == asks(world, key, "claude-haiku-4-5", *beside).status


def test_only_its_endpoints(world: World, new_key: Callable[..., str]) -> None:
    """Counting tokens is not asking; neither is an unknown path."""
    key = new_key("--endpoint", "messages")
    for method, target in (("POST", "/v1/messages/count_tokens"), ("GET", "/v1/models"), ("GET", "/v1/files")):
        said = world.ask(("x-clearway-key", key), LOGIN, target=target, method=method)

        assert (403, "not_allowed", True) == (said.status, said.error, world.untouched)
    assert 200 == asks(world, key).status


def test_only_its_upstreams(world: World, new_key: Callable[..., str]) -> None:
    """A key for one upstream is of no use at another, whatever credential comes beside it."""
    key = new_key("--upstream", "spare")
    refused = asks(world, key)
    beside = asks(world, key, "two-1", LOGIN)

    assert (403, 403) == (refused.status, beside.status)
    assert world.untouched
    assert 200 == asks(world, key, "two-1").status
    assert (0, 1) == (len(world.api_host.received), len(world.spare_host.received))


def test_an_alias_needs_a_name_that_is_allowed(world: World, new_key: Callable[..., str]) -> None:
    """A key for another model cannot come to this one by its second name."""
    said = asks(world, new_key("--model", "claude-sonnet-*"), "fast")

    assert (403, "not_allowed", True) == (said.status, said.error, world.untouched)


def test_the_list_of_models_is_the_keys_own(world: World, new_key: Callable[..., str]) -> None:
    """One key's list, though kept, is not another's."""
    for stage in (world.api_host, world.spare_host):
        stage.says(json_answer(MODELS))
    everything, little = new_key(), world.gateway.new_key("little", "--model", "claude-haiku-*")
    listed = [
        world.ask(("x-api-key", key), target="/v1/models", method="GET").body
        for key in (everything, little, everything)
    ]

    assert [True, False, True] == [b"claude-sonnet-4-5" in body for body in listed]
    assert all(b"claude-haiku-4-5" in body for body in listed)
    said = world.ask(("x-api-key", little), target="/v1/models/claude-sonnet-4-5", method="GET")

    assert 404 == said.status
    world.gateway.cli("keys", "revoke", "little")


def test_a_revoked_key_ends_at_once(world: World, new_key: Callable[..., str]) -> None:
    """When `keys revoke` is done it is over, on an open connection too, also beside a good login."""
    key = new_key()

    assert 200 == asks(world, key).status
    world.gateway.cli("keys", "revoke", "test_a_revoked_key_ends_at_once")
    world.renew()
    for beside in ((), (LOGIN,)):
        said = asks(world, key, "claude-sonnet-4-5", *beside)

        assert (401, "invalid_key", "false") == (said.status, said.error, said.header("x-should-retry"))
        assert "revoked" in said.message
        assert world.untouched


def test_a_change_holds_from_the_next_request(world: World, new_key: Callable[..., str]) -> None:
    """When `keys update` is done."""
    key = new_key()
    name = "test_a_change_holds_from_the_next_request"

    assert 200 == asks(world, key).status
    world.gateway.cli("keys", "update", name, "--model", "claude-haiku-*")

    assert 403 == asks(world, key).status
    world.gateway.cli("keys", "update", name, "--model", "")

    assert 200 == asks(world, key).status


def test_a_key_ends_at_its_expiry(world: World, new_key: Callable[..., str]) -> None:
    """Nobody has to do anything for it."""
    key = new_key("--expires", "2s")
    first = asks(world, key).status
    deadline = time.monotonic() + PATIENCE_S
    while (said := asks(world, key)).status == 200 and time.monotonic() < deadline:
        world.renew()

    assert (200, 401, "invalid_key") == (first, said.status, said.error)
    assert "expired" in said.message


def test_rotation_overlaps(world: World, new_key: Callable[..., str]) -> None:
    """Both secrets are good for as long as was said; then the old one is told why it is not."""
    old = new_key()
    name = "test_rotation_overlaps"
    new = world.gateway.cli("keys", "rotate", name, "--overlap", "1h").stdout.strip()

    assert [200, 200] == [asks(world, key).status for key in (old, new)]
    newest = world.gateway.cli("keys", "rotate", name, "--overlap", "0s").stdout.strip()
    said = asks(world, new)

    assert (200, 401) == (asks(world, newest).status, said.status)
    assert "rotated" in said.message
    assert newest.startswith("cw-")
    world.gateway.cli("keys", "revoke", name)

    assert [401, 401, 401] == [asks(world, key).status for key in (old, new, newest)]


def test_a_near_miss_is_a_miss(world: World, new_key: Callable[..., str]) -> None:
    """The whole secret next to a real one is told the same as one from nowhere."""
    number = 0
    for digit in new_key()[3:46]:
        number = number * 62 + DIGITS.index(digit)
    near = secret.generate((number + 1).to_bytes)
    said = [asks(world, key) for key in (near, secret.generate())]

    assert [401, 401] == [answer.status for answer in said]
    assert said[0].message == said[1].message
    assert world.untouched
