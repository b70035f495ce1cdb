"""Keys by the admin API: every field, every refusal, and the effect at once."""

import sqlite3
import time
from contextlib import closing

import msgspec
import pytest

from clearway.keys.model import KeySpec
from tests.admin.conftest import House
from tests.admin.door import HELLO, Door, ledger, settled, with_key

WHOLE = {
    "name": "whole",
    "owner": False,
    "expires_us": 4_000_000_000_000_000,
    "models": ["claude-*", "fast"],
    "endpoints": ["messages", "models"],
    "upstreams": ["sim"],
    "tags": ["team", "\u00e9quipe"],
    "strict": True,
    "budgets": [{"amount": 5_000_000_000, "unit": "usd", "period": "day"}],
    "requests_per_minute": 60,
    "input_tokens_per_minute": 10_000,
    "output_tokens_per_minute": 2_000,
    "parallel": 4,
    "counts_estimates": True,
    "caches": False,
}


def make(door: Door, **fields: object) -> dict[str, object]:
    """A key that was made."""
    made = door.ask("POST", "/admin/api/keys", {"name": f"k{time.monotonic_ns()}"} | fields)
    assert 201 == made.status, made.body
    answer: dict[str, object] = made.json
    return answer


def test_every_field(house: House) -> None:
    """What is asked for is what is kept, shown and listed; the secret is shown this once."""
    assert set(WHOLE) == set(KeySpec.__struct_fields__)

    made = house.door.ask("POST", "/admin/api/keys", WHOLE)
    key = made.json["key"]
    shown = house.door.get(f"keys/{key['id']}")
    listed = next(one for one in house.door.get("keys")["keys"] if one["id"] == key["id"])

    assert f"/admin/api/keys/{key['id']}" == made.headers["location"]
    assert WHOLE == {name: key[name] for name in WHOLE}
    assert key == shown == listed
    assert key["prefix"] == made.json["secret"][:9]
    assert ("live", None) == (key["state"], key["used_us"])


def test_use_is_told(house: House) -> None:
    """When a key was last used."""
    key = next(one for one in house.door.get("keys")["keys"] if one["name"] == "client")

    assert key["used_us"] == max(
        row["admitted_us"] for row in house.door.get(f"exchanges?key={key['id']}")["exchanges"]
    )


def test_a_budget_for_a_key_that_has_spent(house: House) -> None:
    """The answer that adds it counts what was spent before, in each period, and so does the list right after."""
    made = make(house.door, counts_estimates=True)
    key, secret = made["key"], made["secret"]
    assert isinstance(key, dict)
    before = len(house.door.get("exchanges?limit=500")["exchanges"])
    assert 200 == with_key(house.gateway, str(secret)).ask("POST", "/v1/messages", HELLO).status
    settled(house.door, before + 1)
    (spent,) = house.door.get(f"usage?by=total&key={key['id']}")["usage"]
    kinds = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    tokens, nano = sum(spent[f"{kind}_tokens"] for kind in kinds), spent["estimate_nano"]
    assert tokens > 0
    assert nano > 0

    for period in ("day", "week", "month", "total"):
        wish = {"budgets": [f"5usd/{period}", f"1Mtokens/{period}"]}
        states = house.door.ask("PATCH", f"/admin/api/keys/{key['id']}", wish).json["budget_states"]
        listed = [one for one in house.door.get("budgets")["budgets"] if one["key_id"] == key["id"]]

        assert [(nano, False), (tokens, False)] == [(one["spent"], one["is_loading"]) for one in states]
        assert states == listed


def test_budgets_of_a_revoked_key(house: House) -> None:
    """Are in force no more, and told no more."""
    key = make(house.door, budgets=["5usd/day"])["key"]
    assert isinstance(key, dict)
    before = [one["key_id"] for one in house.door.get("budgets")["budgets"]]
    revoked = house.door.ask("POST", f"/admin/api/keys/{key['id']}/revoke", {}).json

    assert key["id"] in before
    assert [] == revoked["budget_states"]
    assert key["id"] not in [one["key_id"] for one in house.door.get("budgets")["budgets"]]


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("5usd/day", {"amount": 5_000_000_000, "unit": "usd", "period": "day"}),
        ("2Mtokens/month", {"amount": 2_000_000, "unit": "tokens", "period": "month"}),
        ("0.5usd", {"amount": 500_000_000, "unit": "usd", "period": "total"}),
    ],
)
def test_budgets_as_text(house: House, text: str, budget: dict[str, object]) -> None:
    """As the commands take them."""
    key = make(house.door, budgets=[text])["key"]

    assert isinstance(key, dict)
    assert [budget] == key["budgets"]


def test_change(house: House) -> None:
    """What is named changes, null takes a limit away, the rest stays."""
    key = make(house.door, **{name: value for name, value in WHOLE.items() if name != "name"})["key"]
    assert isinstance(key, dict)
    path = f"/admin/api/keys/{key['id']}"
    changed = house.door.ask("PATCH", path, {"parallel": None, "expires_us": None, "tags": [], "budgets": []}).json

    taken: dict[str, object] = {"parallel": None, "expires_us": None, "tags": [], "budgets": [], "budget_states": []}
    assert key | taken == changed
    assert changed == house.door.ask("PATCH", path, {"strict": True}).json
    assert "invalid_value" == house.door.ask("PATCH", path, {}).code


def test_effect_at_once(house: House) -> None:
    """A key works, is bound to other models, gets a new secret, and is over: each with the next request."""
    made = make(house.door)
    key, secret = made["key"], str(made["secret"])
    assert isinstance(key, dict)
    path = f"/admin/api/keys/{key['id']}"

    def status(shown: str) -> int:
        return with_key(house.gateway, shown).ask("POST", "/v1/messages", HELLO).status

    seen = [status(secret)]
    house.door.ask("PATCH", path, {"models": ["other-*"]})
    seen.append(status(secret))
    house.door.ask("PATCH", path, {"models": []})
    newer = house.door.ask("POST", f"{path}/rotate", {"overlap_s": 0}).json["secret"]
    seen += [status(secret), status(newer)]
    revoked = house.door.ask("POST", f"{path}/revoke", {})
    seen.append(status(newer))

    assert [200, 403, 401, 200, 401] == seen
    assert "revoked" == revoked.json["state"]
    assert "conflict" == house.door.ask("PATCH", path, {"strict": True}).code
    assert "conflict" == house.door.ask("POST", f"{path}/rotate", {}).code
    assert revoked.json == house.door.ask("POST", f"{path}/revoke", {}).json


def test_no_longer_an_owner(house: House) -> None:
    """The API is closed to a key at once when it is no owner's any more."""
    made = make(house.door, owner=True)
    key = made["key"]
    assert isinstance(key, dict)
    other = with_key(house.gateway, str(made["secret"]))
    before = other.ask("GET", "/admin/api/status").status
    house.door.ask("PATCH", f"/admin/api/keys/{key['id']}", {"owner": False})

    assert (200, "not_allowed") == (before, other.ask("GET", "/admin/api/status").code)


WRONG = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"name": 5}, "name"),
    ({"name": "a", "owner": "yes"}, "owner"),
    ({"name": "a", "nmae": "b"}, "unknown field"),
    ({"name": "a", "expires_us": 1}, "expires_us: is already over"),
    ({"name": "a", "expires_us": 10**18}, "expires_us"),
    ({"name": "a", "expires_us": 1.5}, "expires_us"),
    ({"name": "a", "models": ["a\n"]}, "models"),
    ({"name": "a", "models": [""]}, "models"),
    ({"name": "a", "models": "claude"}, "models"),
    ({"name": "a", "models": ["x"] * 101}, "models"),
    ({"name": "a", "tags": [" a"]}, "tags"),
    ({"name": "a", "tags": ["a\u0000"]}, "tags"),
    ({"name": "a", "endpoints": ["admin"]}, "endpoints[0]"),
    ({"name": "a", "upstreams": ["elsewhere"]}, "upstreams: there is no upstream 'elsewhere'"),
    ({"name": "a", "budgets": ["lots"]}, "budgets"),
    ({"name": "a", "budgets": [{"amount": 0, "unit": "usd"}]}, "budgets[0].amount"),
    ({"name": "a", "budgets": [{"amount": 1, "unit": "eur"}]}, "budgets[0].unit"),
    ({"name": "a", "budgets": [{"amount": 10**19, "unit": "usd"}]}, "budgets[0].amount"),
    ({"name": "a", "parallel": 0}, "parallel"),
    ({"name": "a", "requests_per_minute": -1}, "requests_per_minute"),
    ({"name": "a", "output_tokens_per_minute": 10**16}, "output_tokens_per_minute"),
]


@pytest.mark.parametrize(("wish", "named"), WRONG)
def test_wrong_wishes(house: House, wish: dict[str, object], named: str) -> None:
    """422 that names the field; nothing is made, and what was sent is not repeated where it could be a secret."""
    before = len(house.door.get("audit?limit=500")["changes"])
    answer = house.door.ask("POST", "/admin/api/keys", wish)

    assert "invalid_value" == answer.code
    assert named in answer.json["error"]["message"]
    assert before == len(house.door.get("audit?limit=500")["changes"])


@pytest.mark.parametrize("name", ["client", "cw-AbCdEf", " a", "a\nb"])
def test_names_that_are_taken_or_none(house: House, name: str) -> None:
    """409 with the ledger's own words, also when a key is renamed."""
    key = make(house.door)["key"]
    assert isinstance(key, dict)

    assert "conflict" == house.door.ask("POST", "/admin/api/keys", {"name": name}).code
    assert "conflict" == house.door.ask("PATCH", f"/admin/api/keys/{key['id']}", {"name": name}).code


def test_pages(house: House) -> None:
    """Every key once, the oldest first, though keys are made meanwhile."""
    for _ in range(5):
        make(house.door)
    expected = [key["id"] for key in house.door.get("keys?limit=500&revoked=true")["keys"]]
    found: list[str] = []
    cursor = ""
    while True:
        page = house.door.get(f"keys?revoked=true&limit=2{cursor}")
        found += [key["id"] for key in page["keys"]]
        make(house.door)
        if page["next"] is None or len(found) > len(expected):
            break
        cursor = f"&cursor={page['next']}"

    assert expected == found[: len(expected)]
    assert len(found) == len(set(found))


def test_audit_of_keys(house: House) -> None:
    """Who, what, before and after, whether it came by a key, a page or a command; no secret."""
    made = make(house.door, parallel=2)
    key = made["key"]
    assert isinstance(key, dict)
    path = f"/admin/api/keys/{key['id']}"
    house.door.ask("PATCH", path, {"parallel": 3})
    rotated = house.door.ask("POST", f"{path}/rotate", {"overlap_s": 5}).json
    ledger(house.gateway).revoke_key(str(key["id"]))
    ledger(house.gateway).revoke_key(str(key["id"]))
    answer = house.door.ask("GET", f"/admin/api/audit?subject={key['id']}")
    changes = answer.json["changes"]
    boss = house.door.get("session")["key_id"]

    assert ["key.revoke", "key.rotate", "key.update", "key.create"] == [change["what"] for change in changes]
    assert ["cli", "api", "api", "api"] == [change["source"] for change in changes]
    assert [None, boss, boss, boss] == [change["key_id"] for change in changes]
    assert ({"parallel": 2}, {"parallel": 3}) == (changes[2]["before"], changes[2]["after"])
    assert {"prefix": rotated["key"]["prefix"], "overlap_s": 5} == changes[1]["after"]
    assert key["name"] == changes[3]["after"]["name"]
    for secret in (made["secret"], rotated["secret"]):
        assert str(secret)[9:].encode() not in answer.body


def test_audit_of_pages(house: House, page: Door) -> None:
    """A change by a session names the session; the log itself comes in pages."""
    made = make(page)
    key = made["key"]
    assert isinstance(key, dict)
    change = house.door.get(f"audit?subject={key['name']}&what=key.create&source=api")["changes"][0]
    pages = house.door.get("audit?limit=1")
    second = house.door.get(f"audit?limit=1&cursor={pages['next']}")

    assert page.get("session")["session"]["id"] == change["session_id"]
    assert change["key_id"] is None
    assert pages["changes"][0]["id"] > second["changes"][0]["id"]
    assert [] == house.door.get(f"audit?until_us={change['at_us']}&subject={key['id']}")["changes"]
    assert msgspec.json.encode(made["secret"]) not in house.door.ask("GET", "/admin/api/audit").body


def test_while_the_ledger_cannot_be_written(house: House) -> None:
    """503 with a time to come back; what is read is read all the same, and nothing was changed."""
    before = house.door.get("keys?limit=500")
    with closing(sqlite3.connect(house.gateway.data_dir / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = house.door.ask("POST", "/admin/api/keys", {"name": "not-now"})
        read = house.door.get("keys?limit=500")
        other.execute("ROLLBACK")

    assert ("ledger_unavailable", 503, "5") == (refused.code, refused.status, refused.headers["retry-after"])
    assert b"locked" not in refused.body
    assert "is locked" in house.gateway.log
    assert before == read
    assert 201 == house.door.ask("POST", "/admin/api/keys", {"name": "not-now"}).status
