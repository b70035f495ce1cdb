"""Who may read the metrics: anybody on this machine, and elsewhere only who was given the right to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clearway.keys.model import KeySpec
from tests.observe.scraped import get, scrape
from tests.relay.stage import Books
from tests.security.talk import exchange, request
from tests.security.world import World

LOGIN = ("authorization", "Bearer sk-ant-oat01-clients-own-login")
FORWARDED = [("x-forwarded-for", "127.0.0.1"), ("forwarded", "for=127.0.0.1"), ("via", "1.1 proxy")]


@pytest.fixture(scope="module", params=["loopback", "behind_proxy"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway on loopback, and one behind a proxy."""
    server = "behind_proxy = true" if request.param == "behind_proxy" else ""
    with World(tmp_path_factory.mktemp("world"), server=server) as world:
        yield world


@pytest.fixture(scope="module")
def keys(place: World) -> dict[str, str]:
    """One of each kind."""
    books = Books(place.gateway.data_dir)

    def make(name: str, *endpoints: str, owner: bool = False) -> str:
        return books.new_key(KeySpec(name=name, owner=owner, endpoints=endpoints))

    revoked = make("revoked", "metrics")
    books.ledger.revoke_key("revoked")
    # By the command, so that its word is the one that is judged.
    made = place.gateway.new_key("only-metrics", "--endpoint", "metrics")
    return {
        "owner": make("the-owner", owner=True),
        "narrow owner": make("narrow-owner", "messages", owner=True),
        "anything": make("anything"),
        "messages": make("only-messages", "messages"),
        "metrics": made,
        "both": make("both", "metrics", "messages"),
        "revoked": revoked,
        "mistyped": make("other")[:-1] + "_",
        "unknown": "cw-of-nobody",
    }


WITH_KEY = [
    pytest.param("owner", 200, id="owner"),
    pytest.param("metrics", 200, id="made-for-it"),
    pytest.param("both", 200, id="made-for-it-and-more"),
    pytest.param("narrow owner", 403, id="owner-of-less"),
    pytest.param("anything", 403, id="not-named"),
    pytest.param("messages", 403, id="others-named"),
    pytest.param("revoked", 401, id="revoked"),
    pytest.param("mistyped", 401, id="mistyped"),
    pytest.param("unknown", 401, id="unknown"),
]


@pytest.mark.parametrize(("kind", "expected"), WITH_KEY)
@pytest.mark.parametrize("header", ["x-clearway-key", "x-api-key", "authorization"])
def test_a_key_that_is_shown_is_judged(
    place: World, keys: dict[str, str], kind: str, header: str, expected: int
) -> None:
    """Wherever the gateway listens: the owner's opens the metrics, and one that was made for them."""
    secret = keys[kind]
    said = get(place.gateway.url, (header, f"Bearer {secret}" if header == "authorization" else secret))

    assert expected == said.status
    assert {200: None, 401: "invalid_key", 403: "not_allowed"}[expected] == said.error
    assert expected == 200 or said.message.startswith("Clearway: ")
    assert secret.encode() not in said.body


def test_without_a_key_on_loopback_alone(place: World) -> None:
    """Who is on this machine needs none; a login of the client's own is none, and is not looked at."""
    needs = get(place.gateway.url).status
    expected = 401 if _is_behind_proxy(place) else 200

    assert expected == needs == get(place.gateway.url, LOGIN).status


def _is_behind_proxy(world: World) -> bool:
    return "behind_proxy = true" in (world.gateway.home / "clearway.toml").read_text()


@pytest.mark.parametrize("field", FORWARDED)
def test_what_was_forwarded_is_not_from_this_machine(
    place: World, keys: dict[str, str], field: tuple[str, str]
) -> None:
    """A forwarding field means that loopback proves nothing."""
    assert 401 == get(place.gateway.url, field).status
    assert 401 == get(place.gateway.url, field, LOGIN).status
    assert 200 == get(place.gateway.url, field, ("authorization", f"Bearer {keys['metrics']}")).status


def test_a_page_of_a_configured_origin_needs_a_key(tmp_path: Path) -> None:
    """It may call the API on this machine, as configured; the metrics are not the API's."""
    server = 'cors_origins = ["https://chat.example"]'
    with World(tmp_path, server=server) as world:
        origin = ("origin", "https://chat.example")
        key = world.gateway.new_key("grafana", "--endpoint", "metrics")

        assert 401 == get(world.gateway.url, origin).status
        assert 200 == get(world.gateway.url, origin, ("x-clearway-key", key)).status
        assert "not_authenticated" in world.gateway.log


TARGETS = [
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
    ("GET", "/v1/models"),
    ("GET", "/v1/files"),
    ("GET", "/api/oauth/usage"),
]


@pytest.mark.parametrize(("method", "target"), TARGETS)
@pytest.mark.parametrize("fields", [(), (LOGIN,)], ids=["alone", "beside-a-login"])
def test_a_key_for_metrics_opens_nothing_else(
    place: World, keys: dict[str, str], method: str, target: str, fields: tuple[tuple[str, str], ...]
) -> None:
    """Nothing leaves for an upstream."""
    place.renew()
    body = b'{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[]}' if method == "POST" else b""
    said = place.ask(("x-clearway-key", keys["metrics"]), *fields, target=target, method=method, body=body)

    assert (403, "not_allowed") == (said.status, said.error)
    assert place.untouched


def test_the_host_is_checked(place: World, keys: dict[str, str]) -> None:
    """A page whose name was made to point here reads nothing."""
    data = request("/metrics", ("x-api-key", keys["owner"]), method="GET", host="evil.example", body=b"")
    said = exchange(place.gateway.url, data, method="GET")

    assert said is not None
    assert 421 == said.status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_it_is_only_read(place: World, keys: dict[str, str], method: str) -> None:
    """No other method is served, and none is relayed."""
    place.renew()
    said = get(place.gateway.url, ("x-api-key", keys["owner"]), method=method)

    assert 404 == said.status
    assert place.untouched


ACCEPTS = [
    pytest.param("", "text/plain; version=0.0.4", id="nothing"),
    pytest.param("*/*", "text/plain; version=0.0.4", id="anything"),
    pytest.param(
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
        "application/openmetrics-text; version=1.0.0",
        id="prometheus",
    ),
    pytest.param("application/openmetrics-text; version=zero", "application/openmetrics-text; version=1.0.0", id="odd"),
    pytest.param(
        "application/openmetrics-text;version=9;escaping=x", "application/openmetrics-text; version=1.0.0", id="newer"
    ),
    pytest.param("\xff\xfe", "text/plain; version=0.0.4", id="bytes"),
]


@pytest.mark.parametrize(("accept", "expected"), ACCEPTS)
def test_the_format_follows_accept(place: World, keys: dict[str, str], accept: str, expected: str) -> None:
    """Prometheus' own text, or OpenMetrics where it is asked for; what a client says is not repeated."""
    said = get(place.gateway.url, ("x-api-key", keys["owner"]), ("accept", accept))

    assert (said.header("content-type") or "").startswith(f"{expected}; charset=utf-8")
    assert said.body.endswith(b"# EOF\n") == expected.startswith("application/openmetrics")


def test_no_secret_is_told(place: World, keys: dict[str, str]) -> None:
    """Names of keys stand there, and nothing of their secrets."""
    for kind in ("anything", "owner"):
        place.ask(("x-api-key", keys[kind]))
        place.ask(LOGIN, ("x-clearway-key", keys[kind]))
    told = scrape(place.gateway.url, ("x-api-key", keys["metrics"]))

    assert {"anything", "the-owner"} <= {labels["key"] for labels, _ in told.rows("clearway_key_exchanges_total")}
    for secret in (*keys.values(), LOGIN[1], "sk-ant"):
        assert secret[3:12] not in told.text
