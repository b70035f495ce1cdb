"""The list of models, in front of upstreams that have one and that lack it.

The counting of tokens is in tests/checks, b10.
"""

from collections.abc import Callable

import msgspec
import pytest

from clearway.keys.model import KeySpec
from tests.fake_upstream import Answer, error_answer, json_answer
from tests.relay.stage import CREDENTIAL, Stage
from tests.relay.wire_client import OWN_CREDENTIAL, VERSION, Whole

ENTRIES = [
    {"type": "model", "id": f"claude-{name}", "display_name": name, "created_at": "2026-02-03T04:05:06Z", "x_new": [1]}
    for name in ("opus-5-5", "sonnet-5-5", "haiku-4-5")
]
IDS = [str(entry["id"]) for entry in ENTRIES]
PAGE = {"data": ENTRIES, "has_more": False, "first_id": IDS[0], "last_id": IDS[-1]}


@pytest.fixture
def listing(build_stage: Callable[[str], Stage]) -> Stage:
    """A gateway with two aliases, whose upstream lists three models."""
    stage = build_stage('[models.aliases]\nswift = "claude-haiku-4-5"\nsecret-one = "claude-opus-9"\n')
    stage.play(json_answer(PAGE))
    return stage


def _get(stage: Stage, target: str, *fields: tuple[str, str]) -> Whole:
    with stage.client() as client:
        client.request("GET", target, fields)
        return client.read_whole()


def _json(whole: Whole) -> dict[str, object]:
    assert 200 == whole.head.status, whole.body
    return msgspec.json.decode(whole.body, type=dict[str, object])


def _ids(whole: Whole) -> list[str]:
    data = _json(whole)["data"]
    assert isinstance(data, list)
    return [entry["id"] for entry in data]


def test_both_shapes(listing: Stage) -> None:
    """Anthropic's shape with `anthropic-version`, OpenAI's without; the upstream is asked once for both."""
    anthropic = _json(_get(listing, "/v1/models", listing.key_field, VERSION))
    openai = _json(_get(listing, "/v1/models", ("authorization", f"Bearer {listing.key}")))

    aliases = ["swift", "secret-one"]
    data = anthropic.pop("data")
    assert isinstance(data, list)
    assert ENTRIES == data[:3]
    assert {**ENTRIES[2], "id": "swift", "display_name": "swift → claude-haiku-4-5"} == data[3]
    assert {"has_more": False, "first_id": IDS[0], "last_id": "secret-one"} == anthropic
    assert "list" == openai["object"]
    assert isinstance(openai["data"], list)
    assert IDS + aliases == [entry["id"] for entry in openai["data"]]
    assert {**ENTRIES[0], "object": "model", "created": 1_770_091_506, "owned_by": "anthropic"} == openai["data"][0]
    (received,) = listing.received
    assert CREDENTIAL == received.header("x-api-key")
    assert str(received.header("user-agent")).startswith("clearway/")


def test_one_model(listing: Stage) -> None:
    """One entry by its id, an alias included; an unknown one is a 404 in the client's shape."""
    assert ENTRIES[0] == _json(_get(listing, f"/v1/models/{IDS[0]}", listing.key_field, VERSION))
    assert "swift" == _json(_get(listing, "/v1/models/swift", listing.key_field))["id"]

    missing = _get(listing, "/v1/models/gpt-9", listing.key_field, VERSION)

    assert (404, "not_found") == (missing.head.status, missing.head.header("x-clearway-error"))
    assert "not_found_error" == missing.error()[0]
    outcomes = [row.outcome for row in listing.exchanges(3)]
    assert ["ok", "ok", "denied"] == outcomes


def test_pages(listing: Stage) -> None:
    """`limit`, `after_id` and `before_id` page through the whole list, aliases included."""

    def page(query: str) -> tuple[list[str], object]:
        whole = _get(listing, f"/v1/models?{query}", listing.key_field, VERSION)
        return _ids(whole), _json(whole)["has_more"]

    assert (IDS[:2], True) == page("limit=2")
    assert (["claude-haiku-4-5", "swift"], True) == page(f"limit=2&after_id={IDS[1]}")
    assert (["secret-one"], False) == page("limit=2&after_id=swift")
    assert (IDS[1:], True) == page("limit=2&before_id=swift")
    assert (IDS[:1], False) == page(f"limit=2&before_id={IDS[1]}")
    for query in ("limit=0", "limit=1001", "limit=x", "after_id=nothing"):
        refused = _get(listing, f"/v1/models?{query}", listing.key_field, VERSION)

        assert (400, "invalid_request_error") == (refused.head.status, refused.error()[0]), query


def test_filtered_by_key(listing: Stage) -> None:
    """A key sees the models that it may use, by their own name or an alias's."""
    limited = listing.books.new_key(KeySpec(name="limited", models=("claude-haiku-*",)))

    assert ["claude-haiku-4-5", "swift"] == _ids(_get(listing, "/v1/models", ("x-api-key", limited), VERSION))
    assert 404 == _get(listing, f"/v1/models/{IDS[0]}", ("x-api-key", limited), VERSION).head.status


def test_own_login_gets_the_upstreams_answer(listing: Stage) -> None:
    """A client that pays for itself gets the upstream's list untouched; only OpenAI's shape is made of it."""
    body = b'{ "data":[{"id":"claude-a","type":"model"}],"has_more":true , "first_id":"claude-a"}'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    listing.play(Answer((head + body,)))

    assert body == _get(listing, "/v1/models?limit=1", OWN_CREDENTIAL, VERSION).body
    assert ["claude-a"] == _ids(_get(listing, "/v1/models", ("authorization", f"Bearer {OWN_CREDENTIAL[1]}")))
    assert ["/v1/models?limit=1", "/v1/models?limit=1000"] == [received.target for received in listing.received]


def test_upstream_without_a_list(listing: Stage) -> None:
    """A compatible vendor without a list leaves the aliases, which may work all the same."""
    listing.play(error_answer(404, "not_found_error", "no such path"))

    assert ["swift", "secret-one"] == _ids(_get(listing, "/v1/models", listing.key_field, VERSION))


@pytest.mark.parametrize(
    ("said", "code"),
    [
        pytest.param(error_answer(500, "api_error", "broken"), "upstream_protocol", id="500"),
        pytest.param(json_answer(["no", "list"]), "upstream_protocol", id="no-list"),
        pytest.param(error_answer(401, "authentication_error", "who?"), "upstream_credential", id="401"),
    ],
)
def test_list_that_fails(listing: Stage, said: Answer, code: str) -> None:
    """A list that cannot be had is a 502 of ours, and is asked for anew the next time."""
    listing.play(said)
    failed = _get(listing, "/v1/models", listing.key_field, VERSION)
    listing.play(json_answer(PAGE))

    assert (502, code) == (failed.head.status, failed.head.header("x-clearway-error"))
    assert IDS == _ids(_get(listing, "/v1/models", listing.key_field, VERSION))[:3]


def test_an_unknown_model_is_told_as_it_is_kept(listing: Stage) -> None:
    """The row of a refusal after an upstream was asked has the type and code that the client was told."""
    whole = _get(listing, "/v1/models/claude-nobody", listing.key_field, VERSION)
    row = listing.books.settled(whole.head.exchange_id)

    assert 404 == whole.head.status
    assert ("denied", 404, "not_found_error", "not_found") == (row.outcome, row.status, row.error_type, row.error_code)
