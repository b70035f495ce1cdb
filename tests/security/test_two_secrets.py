"""A client's login and a Clearway key, in every place: the credential decides who pays, and nothing crosses."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.fake_upstream import Answer, Cut, answer, error_answer, stream_answer
from tests.security.talk import ASK, Fields
from tests.security.world import CREDENTIAL, SPARE_CREDENTIAL, World

OAUTH = "sk-ant-oat01-clients-own-login-abcdef"
API = "sk-ant-api03-clients-own-key-fedcba"

KEY_PLACES = [
    pytest.param((("x-clearway-key", "KEY"),), id="own-header"),
    pytest.param((("x-api-key", "KEY"),), id="x-api-key"),
    pytest.param((("Authorization", "Bearer KEY"),), id="bearer"),
    pytest.param((("authorization", "bearer  KEY"),), id="bearer-lower-case-two-blanks"),
    pytest.param((("authorization", "KEY"),), id="authorization-bare"),
    pytest.param((("x-api-key", "KEY"), ("authorization", "Bearer KEY")), id="both-as-a-key-helper-does"),
    pytest.param((("x-clearway-key", "KEY"), ("x-api-key", "KEY"), ("authorization", "Bearer KEY")), id="in-all-three"),
]
# The login stands in the fields named first, the key in the others.
PAIRS = [
    pytest.param((("authorization", f"Bearer {OAUTH}"),), (("x-clearway-key", "KEY"),), id="oauth+own-header"),
    pytest.param((("authorization", f"Bearer {OAUTH}"),), (("x-api-key", "KEY"),), id="oauth+x-api-key"),
    pytest.param((("x-api-key", API),), (("x-clearway-key", "KEY"),), id="api-key+own-header"),
    pytest.param((("x-api-key", API),), (("authorization", "Bearer KEY"),), id="api-key+bearer"),
    pytest.param((("x-api-key", API),), (("authorization", "bearer KEY"),), id="api-key+bearer-lower-case"),
    pytest.param(
        (("x-api-key", API), ("authorization", f"Bearer {API}")), (("x-clearway-key", "KEY"),), id="both+own-header"
    ),
    pytest.param((("authorization", f"Bearer {OAUTH}"),), (), id="oauth-alone"),
    pytest.param((("x-api-key", API),), (), id="api-key-alone"),
    pytest.param((("authorization", "Basic dXNlcjpwYXNz"),), (("x-clearway-key", "KEY"),), id="another-scheme"),
]
VERSION = ("anthropic-version", "2023-06-01")
WAYS = [
    pytest.param("POST", "/v1/messages", (), id="messages"),
    pytest.param("POST", "/v1/messages?beta=true", (VERSION,), id="messages-beta"),
    pytest.param("POST", "/v1/messages/count_tokens", (VERSION,), id="count-tokens"),
    pytest.param("GET", "/v1/models", (VERSION,), id="models"),
    pytest.param("GET", "/v1/models", (), id="models-as-openai"),
]


def put(fields: Fields, key: str) -> Fields:
    """The fields with the key in its place."""
    return tuple((name, value.replace("KEY", key)) for name, value in fields)


@pytest.mark.parametrize(("method", "target", "more"), WAYS)
@pytest.mark.parametrize(("login", "place"), PAIRS)
def test_a_login_goes_on_alone(  # noqa: PLR0917  # a table
    world: World, key: str, login: Fields, place: Fields, method: str, target: str, more: Fields
) -> None:
    """It reaches the host of logins unchanged; the key beside it reaches nobody."""
    said = world.ask(*login, *put(place, key), *more, target=target, method=method)

    assert (200, 1) == (said.status, len(world.login_host.received))
    assert not world.api_host.received
    (received,) = world.login_host.received
    credentials = [field for field in received.headers if field[0] in ("authorization", "x-api-key")]

    assert list(login) == credentials
    assert b"cw-" not in world.login_host.bytes
    assert CREDENTIAL.encode() not in world.login_host.bytes


@pytest.mark.parametrize(("method", "target", "more"), WAYS)
@pytest.mark.parametrize("place", KEY_PLACES)
def test_a_key_alone_spends_the_gateways_credential(
    world: World, key: str, place: Fields, method: str, target: str, more: Fields
) -> None:
    """Wherever it stands; it goes to nobody, and the gateway's credential stands once in its stead."""
    said = world.ask(*put(place, key), *more, target=target, method=method)

    assert 200 == said.status
    assert not world.login_host.received
    for stage, credential in ((world.api_host, CREDENTIAL), (world.spare_host, SPARE_CREDENTIAL)):
        for received in stage.received:
            assert credential == received.header("x-api-key")
            assert received.header("authorization") is None
        assert b"cw-" not in stage.bytes
    assert SPARE_CREDENTIAL.encode() not in world.api_host.bytes
    assert CREDENTIAL.encode() not in world.spare_host.bytes


ODD = [
    "Bearer\tKEY",
    "Bearer Bearer KEY",
    'Bearer "KEY"',
    "Token KEY",
    "KEY,KEY",
    f"Bearer {OAUTH}, Bearer KEY",
    f"{OAUTH} KEY",
    f"{OAUTH};key=KEY",
    "xKEY",
    "user_KEY",
]


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("name", ["authorization", "x-api-key", "x-goog-api-key", "x-anything", "user-agent"])
@pytest.mark.parametrize("beside", [(), (("authorization", f"Bearer {OAUTH}"),)], ids=["alone", "beside-a-login"])
def test_a_key_written_oddly_never_leaves(world: World, key: str, name: str, value: str, beside: Fields) -> None:
    """In quotes, in a list, behind another scheme, in a field of somebody else's: it is refused or left out."""
    world.ask((name, value.replace("KEY", key)), *beside)

    for stage in world.stages:
        assert key.encode() not in stage.bytes


REFUSALS: dict[str, Callable[[str], str]] = {
    "mistyped": lambda key: key[:-1] + ("a" if key[-1] != "a" else "b"),
    "cut": lambda key: key[:-10],
    "prefix-alone": lambda _: "cw-",
    "unknown": lambda _: "cw-" + "0" * 43 + "000000",
    "words": lambda _: "cw-please",
}


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("place", [("x-clearway-key", "{}"), ("x-api-key", "{}"), ("authorization", "Bearer {}")])
@pytest.mark.parametrize("beside", [(), (("authorization", f"Bearer {OAUTH}"),), (("x-api-key", API),)])
def test_a_bad_key_is_refused_here(world: World, key: str, kind: str, place: tuple[str, str], beside: Fields) -> None:
    """Also beside a good login: a local 401, which nobody else hears of."""
    bad = REFUSALS[kind](key)
    said = world.ask((place[0], place[1].format(bad)), *beside)

    assert (401, "invalid_key", "false") == (said.status, said.error, said.header("x-should-retry"))
    assert "Clearway" in said.message
    assert bad not in said.message or bad == "cw-"
    assert world.untouched


def test_a_foreign_value_in_the_own_header_is_refused(world: World) -> None:
    """A login that was put into the wrong field is not sent on, and not repeated."""
    said = world.ask(("x-clearway-key", OAUTH), ("authorization", f"Bearer {OAUTH}"))

    assert (401, True) == (said.status, world.untouched)
    assert OAUTH not in said.message


def test_nothing_brought_is_nothing_spent(world: World) -> None:
    """Without key and login: a 401 for each path that could cost something."""
    for method, target in (("POST", "/v1/messages"), ("GET", "/v1/models"), ("GET", "/v1/files"), ("GET", "/api/x")):
        said = world.ask(target=target, method=method)

        assert (401, "invalid_key") == (said.status, said.error)
    assert world.untouched


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/files"),
        ("POST", "/v1/messages/batches"),
        ("GET", "/api/oauth/profile"),
        ("GET", "/v1/organizations/x"),
    ],
)
def test_unknown_paths_are_for_logins_only(world: World, key: str, method: str, target: str) -> None:
    """What reaches a whole workspace never goes out with the gateway's credential."""
    said = world.ask(("x-api-key", key), target=target, method=method)

    assert (404, "not_found", True) == (said.status, said.error, world.untouched)

    said = world.ask(("x-clearway-key", key), ("x-api-key", API), target=target, method=method)

    assert (200, 1) == (said.status, len(world.login_host.received))
    assert not world.api_host.received


def test_own_usage_is_for_keys_alone(world: World, key: str) -> None:
    """A key hears of its own budgets, from here; a login beside it makes it the login's question."""
    said = world.ask(("x-api-key", key), target="/api/oauth/usage", method="GET")

    assert (200, True) == (said.status, world.untouched)

    said = world.ask(("x-clearway-key", key), ("x-api-key", API), target="/api/oauth/usage", method="GET")

    assert (200, 1) == (said.status, len(world.login_host.received))
    assert not world.api_host.received


FAILURES = [
    pytest.param(error_answer(429, "rate_limit_error", "slow down", headers=[("retry-after", "1")]), id="429"),
    pytest.param(error_answer(503, "api_error", "later"), id="503"),
    pytest.param(error_answer(529, "overloaded_error", "overloaded"), id="529"),
    pytest.param(error_answer(500, "api_error", "oops"), id="500"),
    pytest.param(error_answer(404, "not_found_error", "no such model"), id="404"),
    pytest.param(error_answer(401, "authentication_error", "who are you"), id="401"),
    pytest.param(error_answer(403, "permission_error", "not you"), id="403"),
    pytest.param(Answer((Cut.RST,)), id="reset"),
    pytest.param(Answer((b"nonsense\r\n\r\n",), close=True), id="no-http"),
    pytest.param(answer(b"not json"), id="no-json"),
]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "two-1"])
def test_a_failure_never_changes_who_pays(world: World, key: str, failure: Answer, model: str) -> None:
    """Whatever an upstream answers, the other kind is not asked instead."""
    for stage in world.stages:
        stage.says(failure)
    body = {**ASK, "model": model}
    world.ask(("x-api-key", key), body=body)

    assert not world.login_host.received
    assert world.api_host.received

    world.renew()
    for stage in world.stages:
        stage.says(failure)
    world.ask(("x-clearway-key", key), ("authorization", f"Bearer {OAUTH}"), body=body)

    # A reset of an idle connection is answered by a second one, to the same host.
    assert world.login_host.received
    assert [] == world.api_host.received + world.spare_host.received


def test_an_unreachable_upstream_never_changes_who_pays(tmp_path: Path) -> None:
    """Nobody listens: the client hears of it, and nobody else is asked."""
    with World(tmp_path, dead=True) as world:
        key = world.gateway.new_key("k")
        alone, beside = (("x-api-key", key),), (("authorization", f"Bearer {OAUTH}"), ("x-clearway-key", key))
        for fields, model in ((alone, "dead-1"), (beside, "dead-1"), (alone, "no-api-1"), (beside, "no-login-1")):
            said = world.ask(*fields, body={**ASK, "model": model})

            assert (502, "upstream_unreachable", True) == (said.status, said.error, world.untouched)


def test_fail_over_takes_the_other_credential(world: World, key: str) -> None:
    """From one of the gateway's own upstreams to the next, each is shown its own credential only."""
    world.api_host.says(error_answer(529, "overloaded_error", "overloaded"))
    said = world.ask(("x-api-key", key), body={**ASK, "model": "two-1"})

    assert 200 == said.status
    assert [CREDENTIAL] == [received.header("x-api-key") for received in world.api_host.received]
    assert [SPARE_CREDENTIAL] == [received.header("x-api-key") for received in world.spare_host.received]
    assert CREDENTIAL.encode() not in world.spare_host.bytes


def check_refusal(  # a small table
    world: World, key: str, status: int, target: str, method: str, upstreams: tuple[str, ...] = ("api",)
) -> None:
    """The client is not at fault: a 502 of ours without the upstream's words, and a warning for the owner."""
    refusal = error_answer(status, "authentication_error", "account 4711 of Mallory is locked")
    for stage in (world.api_host, world.spare_host):
        stage.says(refusal)
    before = len(warnings(world))
    said = world.ask(("x-api-key", key), target=target, method=method)

    assert (502, "upstream_credential", "false") == (said.status, said.error, said.header("x-should-retry"))
    assert b"Mallory" not in said.body
    told = [(warning["level"], warning["upstream"], warning["status"]) for warning in warnings(world)[before:]]

    assert [("warning", upstream, status) for upstream in upstreams] == told


def warnings(world: World) -> list[dict[str, object]]:
    """What the owner has been told."""
    lines = [msgspec.json.decode(line, type=dict[str, object]) for line in world.gateway.log.splitlines()]
    return [line for line in lines if line["event"] == "upstream_refused_credential"]


@pytest.mark.parametrize("status", [401, 402, 403])
def test_the_gateways_own_credential_refused(world: World, key: str, status: int) -> None:
    """A 502 and a warning, where an answer was asked for."""
    check_refusal(world, key, status, "/v1/messages", "POST")


def test_the_gateways_own_credential_refused_for_the_list_of_models(tmp_path: Path) -> None:
    """The same for the list that the gateway asks for itself, which is not kept then."""
    with World(tmp_path) as world:
        key = world.gateway.new_key("k")
        for status in (401, 403):
            check_refusal(world, key, status, "/v1/models", "GET", upstreams=("api", "spare"))
        world.renew()

        assert 200 == world.ask(("x-api-key", key), target="/v1/models", method="GET").status


@pytest.mark.parametrize("status", [401, 402, 403, 429])
def test_a_login_refused(world: World, status: int) -> None:
    """It is between the client and its provider: the answer goes through as it came."""
    fields = [("anthropic-organization-id", "org-1"), ("request-id", "req_0123456"), ("x-odd", "kept")]
    refusal = error_answer(status, "authentication_error", "your token has expired", headers=fields)
    world.login_host.says(refusal)
    said = world.ask(("authorization", f"Bearer {OAUTH}"))

    assert (status, None) == (said.status, said.error)
    assert b'{"type":"error","error":{"type":"authentication_error","message":"your token has expired"}}' == said.body
    assert set(fields) <= set(said.headers)


def test_streams_follow_the_same_rule(world: World, key: str) -> None:
    """A stream is no other way."""
    for stage in (world.login_host, world.api_host):
        stage.says(stream_answer([b'event: message_stop\ndata: {"type":"message_stop"}\n\n']))
    body = {**ASK, "stream": True}
    world.ask(("x-api-key", key), body=body)

    assert not world.login_host.received

    world.ask(("authorization", f"Bearer {OAUTH}"), ("x-api-key", key), body=body)

    assert (1, 1) == (len(world.login_host.received), len(world.api_host.received))


def test_an_alias_is_for_the_gateways_own_upstreams(world: World, key: str) -> None:
    """On passthrough the name goes on as it came; with a key alone the model behind it is asked."""
    body = b'{"messages":[], "model" : "fast","max_tokens":1}'
    world.ask(("authorization", f"Bearer {OAUTH}"), body=body)

    assert [body] == [received.body for received in world.login_host.received]

    world.ask(("x-api-key", key), body=body)

    assert [body.replace(b'"fast"', b'"claude-haiku-4-5"')] == [received.body for received in world.api_host.received]
