"""Which upstreams may serve whom: the credential decides, and nothing crosses."""

from contextlib import AbstractAsyncContextManager

import msgspec
import pytest

from clearway.core.errors import GatewayError, NotAllowed, NotAuthenticated, NotFound, NoUpstream
from clearway.core.exchange import Endpoint
from clearway.gateway.authenticate import Caller, Credential
from clearway.gateway.route import Router
from clearway.keys.model import Key
from clearway.upstreams.protocol import Kind, Pays, Reply, Request


class Place(msgspec.Struct, frozen=True):
    """An upstream that is only looked at."""

    name: str
    kind: Kind
    pays: Pays
    models: tuple[str, ...] = ("*",)
    api_version: str = "2023-06-01"

    def open(self, request: Request) -> AbstractAsyncContextManager[Reply]:
        """Never called: routing opens nothing."""
        raise AssertionError(request)


OWN = Place("own", "anthropic", "gateway", ("claude-*",))
SPARE = Place("spare", "anthropic", "gateway")
LOGIN = Place("login", "passthrough", "client")
SIM = Place("sim", "sim", "nobody")
KEY = Key(id="k", name="k", prefix="cw-", created_us=0)


def routed(
    caller: Caller,
    *places: Place,
    endpoint: Endpoint = "messages",
    model: str | None = "claude-x",
    aliases: dict[str, str] | None = None,
) -> list[tuple[str, str | None]]:
    """Names and models of the candidates."""
    router = Router(places, aliases or {})
    return [
        (target.upstream.name, target.model)
        for target in router.candidates(caller, router.open_to(caller, endpoint), model)
    ]


def caller(credential: Credential = "none", **key: object) -> Caller:
    """With a key where one is described."""
    return Caller(msgspec.structs.replace(KEY, **key) if key else None, credential)


WITH_KEY = Caller(KEY, "none")
WITH_LOGIN = caller("subscription")
WITH_BOTH = Caller(KEY, "subscription")

CROSSINGS = [
    pytest.param(WITH_KEY, (OWN, LOGIN), ["own"], id="key-alone-spends-ours"),
    pytest.param(WITH_LOGIN, (OWN, LOGIN), ["login"], id="login-alone-spends-its-own"),
    pytest.param(WITH_BOTH, (OWN, LOGIN), ["login"], id="both-spends-the-login"),
    pytest.param(caller("api"), (LOGIN, OWN), ["login"], id="api-key-of-the-client"),
    pytest.param(WITH_KEY, (LOGIN, OWN, SPARE), ["own", "spare"], id="in-configured-order"),
    pytest.param(caller(), (SIM, LOGIN), ["sim"], id="nobody-pays-for-nothing"),
    pytest.param(WITH_LOGIN, (SIM, LOGIN), ["sim", "login"], id="a-login-may-use-what-is-free"),
]


@pytest.mark.parametrize(("who", "places", "expected"), CROSSINGS)
def test_nothing_crosses(who: Caller, places: tuple[Place, ...], expected: list[str]) -> None:
    """A foreign credential goes to passthrough only, a key alone to ours only."""
    assert [name for name, _ in routed(who, *places)] == expected


REFUSED = [
    pytest.param(caller(), (OWN, LOGIN), NotAuthenticated, id="nothing-brought"),
    pytest.param(WITH_LOGIN, (OWN,), NoUpstream, id="login-without-passthrough"),
    pytest.param(WITH_BOTH, (OWN,), NoUpstream, id="both-without-passthrough"),
    pytest.param(WITH_KEY, (LOGIN,), NoUpstream, id="key-without-a-credential-of-ours"),
]


@pytest.mark.parametrize(("who", "places", "error"), REFUSED)
def test_refused(who: Caller, places: tuple[Place, ...], error: type[GatewayError]) -> None:
    """Rather refused than sent elsewhere."""
    with pytest.raises(error) as raised:
        routed(who, *places)

    assert raised.value.hint


def test_other_paths_are_passthroughs_alone() -> None:
    """Behind a credential of ours stands a whole workspace."""
    assert routed(WITH_BOTH, OWN, LOGIN, SIM, endpoint="relay", model=None) == [("login", None)]

    for who in (WITH_KEY, caller()):
        with pytest.raises((NotFound, NotAuthenticated)):
            routed(who, OWN, SIM, endpoint="relay", model=None)


def test_a_key_limited_to_models_stays_on_paths_that_tell_the_model() -> None:
    """A batch could name any model."""
    limited = Caller(msgspec.structs.replace(KEY, models=("claude-haiku-*",)), "subscription")

    with pytest.raises(NotAllowed, match="limited to models"):
        routed(limited, LOGIN, endpoint="relay", model=None)


def test_models() -> None:
    """By pattern; what nobody serves is a 404 and never a substitute."""
    assert routed(WITH_KEY, OWN, SPARE, model="glm-5") == [("spare", "glm-5")]

    with pytest.raises(NotFound, match="'glm-5'"):
        routed(WITH_KEY, OWN, model="glm-5")


def test_aliases_on_our_own_upstreams_only() -> None:
    """On passthrough a name stays what the client wrote."""
    aliases = {"opus": "claude-opus-5-5", "gpt-x": "claude-sonnet-5-5"}

    assert routed(WITH_KEY, OWN, model="opus", aliases=aliases) == [("own", "claude-opus-5-5")]
    assert routed(WITH_LOGIN, LOGIN, model="opus", aliases=aliases) == [("login", "opus")]
    assert routed(caller(), SIM, model="gpt-x", aliases=aliases) == [("sim", "claude-sonnet-5-5")]


def test_a_keys_restrictions() -> None:
    """Endpoints, models and upstreams of a key."""
    little = caller(models=("claude-haiku-*",), upstreams=("spare",), endpoints=("messages",))

    assert routed(little, OWN, SPARE, model="claude-haiku-5-5") == [("spare", "claude-haiku-5-5")]
    for endpoint, model in (("messages", "claude-opus-5-5"), ("count_tokens", "claude-haiku-5-5")):
        with pytest.raises(NotAllowed):
            routed(little, OWN, SPARE, endpoint=endpoint, model=model)  # type: ignore[arg-type]  # a table


@pytest.mark.parametrize(
    ("who", "places", "expected"),
    [(WITH_LOGIN, (LOGIN,), False), (WITH_BOTH, (LOGIN,), True), (WITH_KEY, (OWN,), True), (caller(), (SIM,), True)],
)
def test_what_may_go_on_unread(who: Caller, places: tuple[Place, ...], expected: bool) -> None:  # noqa: FBT001  # a table
    """Only a client that pays for itself, without a key, may send what we cannot read."""
    assert Router(places, {}).needs_reading(who) is expected
