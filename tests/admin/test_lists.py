"""Exchanges, attempts and sums by the admin API: filters, searches, pages; hostile words are words."""

from urllib.parse import quote

import pytest

from clearway.server.admin.decode import cursor_of
from clearway.server.admin.routes import ROUTES
from tests.admin.conftest import House
from tests.admin.door import HELLO, Door, settled, with_key

HOSTILE = [
    "%",
    "_",
    "%%",
    "\\",
    "\\%",
    "/%",
    "'",
    '"',
    "''",
    "' OR '1'='1",
    "'; DROP TABLE keys; --",
    "1) UNION SELECT hash FROM key_secrets --",
    "\x00",
    "a\x00b",
    "\r\nx: y",
    "*",
    "?",
    "[a-z]",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "%s%n",
    ":name",
    "$1",
    "\u202e",
    "\U0001f600",
    "\u0130",
    "\udcff".encode("utf-8", "surrogatepass").decode("latin-1"),
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "null",
    "x" * 200,
]
TEXTS = [
    (route, field)
    for route in ROUTES
    if route.query is not None
    for field in route.query.__struct_fields__
    if field not in ("limit", "revoked", "since_us", "until_us", "status")
]


@pytest.mark.parametrize(("route", "field"), TEXTS, ids=[f"{route.path}?{field}" for route, field in TEXTS])
def test_hostile_words_find_nothing(house: House, route: object, field: str) -> None:
    """In every text parameter: an empty page or a refusal, never all that there is, never an error of ours."""
    path = getattr(route, "path", "")
    for word in HOSTILE:
        answer = house.door.ask("GET", f"{path}?{field}={quote(word)}")

        assert answer.status in (200, 422), (word, answer.body)
        if answer.status == 200:
            rows = next(value for value in answer.json.values() if isinstance(value, list))
            assert [] == [row for row in rows if not _holds(row, word)], word
    assert 3 == len(house.door.get("exchanges?limit=3")["exchanges"])


def _holds(row: object, word: str) -> bool:
    """A search for `_` finds what has one, and nothing else."""
    return word.lower() in str(row).lower()


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "limit=-1",
        "limit=1e3",
        "limit=%31%30%30%30%30%30%30%30%30%30%30%30%30%30%30%30%30%30%30%30",
        "limit=",
        "limit=null",
        "limit=1&limit=2",
        "cursor=x",
        "cursor=",
        f"cursor={cursor_of('a', 'b', 'c')}",
        "since_us=yesterday",
        "since_us=99999999999999999999",
        "outcome=fine",
        "status=99",
        "endpoint=admin",
        "nothing=1",
        "Limit=1",
        "q=",
        f"q={'x' * 201}",
    ],
)
def test_what_is_no_query(house: House, query: str) -> None:
    """422 on lists that have the parameter or do not; nothing is guessed."""
    assert "invalid_value" == house.door.ask("GET", f"/admin/api/exchanges?{query}").code


@pytest.mark.parametrize("query", ["limit", "=", "&", "q=%ff", "a=1&" * 60])
def test_what_cannot_be_read(house: House, query: str) -> None:
    """400, or 422 where it can be read after all."""
    assert house.door.ask("GET", f"/admin/api/exchanges?{query}").code in ("invalid_request", "invalid_value")


def test_mistyped(house: House) -> None:
    """The nearest known name is told."""
    assert "did you mean model?" == house.door.ask("GET", "/admin/api/exchanges?modle=x").json["error"]["hint"]


FILTERS = [
    ("key=client", lambda row: row["key_name"] == "client"),
    ("model=claude-sonnet-4-5", lambda row: row["request_model"] == "claude-sonnet-4-5"),
    ("outcome=ok", lambda row: row["outcome"] == "ok"),
    ("outcome=running", lambda row: row["outcome"] is None),
    ("upstream=sim", lambda row: row["upstream"] == "sim"),
    ("endpoint=messages", lambda row: row["endpoint"] == "messages"),
    ("endpoint=count_tokens", lambda row: row["endpoint"] == "count_tokens"),
    ("status=404", lambda row: row["status"] == 404),
    ("status=200", lambda row: row["status"] == 200),
    ("billing=simulated", lambda row: row["billing"] == "simulated"),
    ("error_type=not_found_error", lambda row: row["error_type"] == "not_found_error"),
    ("q=SONNET", lambda row: "sonnet" in str(row["request_model"])),
    ("q=boss", lambda row: row["key_name"] == "boss"),
    ("q=not_found", lambda row: row["error_type"] == "not_found_error"),
    ("key=boss&q=sonnet", lambda row: row["key_name"] == "boss" and "sonnet" in str(row["request_model"])),
    ("key=nobody", lambda _: False),
]


@pytest.fixture(scope="module")
def varied(house: House) -> list[dict[str, object]]:
    """All exchanges, of some variety."""
    other = HELLO | {"model": "no-such-model"}
    for secret in (house.owner, house.client):
        door = with_key(house.gateway, secret)
        for path, body in (("", HELLO), ("", other), ("/count_tokens", HELLO), ("", HELLO)):
            door.ask("POST", f"/v1/messages{path}", body)
    return settled(house.door, 11)


@pytest.mark.parametrize(("query", "fits"), FILTERS, ids=[query for query, _ in FILTERS])
def test_filters(house: House, varied: list[dict[str, object]], query: str, fits: object) -> None:
    """Exactly those that fit, the newest first."""
    assert callable(fits)
    expected = [row["id"] for row in varied if fits(row)]
    until_us = int(str(varied[0]["admitted_us"])) + 1
    found = house.door.get(f"exchanges?limit=500&until_us={until_us}&{query}")["exchanges"]

    assert expected == [row["id"] for row in found]
    assert expected or "running" in query or "nobody" in query


def test_times(house: House, varied: list[dict[str, object]]) -> None:
    """`since_us` is inclusive, `until_us` exclusive."""
    first, last = varied[5]["admitted_us"], varied[2]["admitted_us"]
    found = house.door.get(f"exchanges?since_us={first}&until_us={last}")["exchanges"]

    assert [row["id"] for row in varied[3:6]] == [row["id"] for row in found]


def test_pages_do_not_move(house: House, varied: list[dict[str, object]]) -> None:
    """Every exchange once, the newest first, though others come between two pages."""
    expected = [row["id"] for row in varied]
    found: list[object] = []
    cursor = ""
    while True:
        page = house.door.get(f"exchanges?limit=3{cursor}")
        found += [row["id"] for row in page["exchanges"]]
        with_key(house.gateway, house.client).ask("POST", "/v1/messages", HELLO)
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert len(found) == len(set(found))
    assert expected == found[-len(expected) :]


def test_one_exchange(house: House, varied: list[dict[str, object]]) -> None:
    """With its attempts, which the list of attempts has, too."""
    exchange = next(row for row in varied if row["outcome"] == "ok")
    shown = house.door.get(f"exchanges/{exchange['id']}")
    listed = house.door.get(f"attempts?exchange={exchange['id']}")

    assert exchange == shown["exchange"]
    assert shown["attempts"] == listed["attempts"]
    assert (1, None) == (len(listed["attempts"]), listed["next"])


def test_attempts_in_pages(house: House, varied: list[dict[str, object]]) -> None:
    """Each once, by whatever filter."""
    whole = house.door.get("attempts?limit=500&upstream=sim&model=claude-sonnet-4-5")["attempts"]
    found: list[object] = []
    cursor = ""
    while True:
        page = house.door.get(f"attempts?limit=2&upstream=sim&model=claude-sonnet-4-5{cursor}")
        found += page["attempts"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert whole == found
    assert len(whole) >= 5
    assert varied
    assert [] == house.door.get("attempts?status=503")["attempts"]
    assert "invalid_value" == house.door.ask("GET", f"/admin/api/attempts?cursor={cursor_of('a', '-1')}").code


@pytest.mark.parametrize(
    "by",
    [
        "hour",
        "day",
        "week",
        "month",
        "model",
        "key",
        "session",
        "client",
        "upstream",
        "run",
        "total",
        "month,key,model",
    ],
)
def test_sums_agree(house: House, varied: list[dict[str, object]], by: str) -> None:
    """Grouped by anything, the sums are those of the rows."""
    sums = house.door.get(f"usage?by={by}")
    rows = house.door.get("exchanges?limit=500")["exchanges"]

    assert varied
    assert sums["is_whole"]
    assert len(rows) == sum(group["exchanges"] for group in sums["usage"])
    for name in ("input_tokens", "output_tokens", "estimate_nano", "cost_nano"):
        assert sum(row[name] or 0 for row in rows) == sum(group[name] for group in sums["usage"])
    assert all(set(by.split(",")) == set(group["group"]) for group in sums["usage"])


def test_more_groups_than_wanted(house: House, varied: list[dict[str, object]]) -> None:
    """The dearest are kept, and it is said that there are others."""
    assert varied
    sums = house.door.get("usage?by=key&limit=1")

    assert (1, False) == (len(sums["usage"]), sums["is_whole"])


def test_time_zones(house: House) -> None:
    """Buckets of any zone; one that there is not is refused."""
    assert "Asia/Kolkata" == house.door.get("usage?by=hour&timezone=Asia/Kolkata")["timezone"]
    assert house.door.get("usage?by=hour&timezone=Asia/Kolkata")["usage"][0]["group"]["hour"].endswith("+05:30")
    assert "invalid_value" == house.door.ask("GET", "/admin/api/usage?timezone=Mars/Olympus").code
    assert "invalid_value" == house.door.ask("GET", "/admin/api/usage?by=weather").code


def test_a_strangers_ids(house: House, varied: list[dict[str, object]]) -> None:
    """Knowing an id is no permission: a client's key sees no exchange, its own included."""
    client = with_key(house.gateway, house.client)
    for row in varied[:3]:
        assert "not_allowed" == client.ask("GET", f"/admin/api/exchanges/{row['id']}").code
        assert "invalid_key" == Door(house.url).ask("GET", f"/admin/api/exchanges/{row['id']}").code
