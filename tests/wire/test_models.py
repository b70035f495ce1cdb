"""The list of models, in both shapes."""

import pytest

from clearway.core.errors import BadRequest
from clearway.wire.messages.models import anthropic_page, openai_list, read_models, with_aliases

ENTRIES = [
    {"id": f"m{number}", "type": "model", "created_at": "2026-10-01T00:00:00Z", "x": number} for number in range(30)
]


def ids(page: dict[str, object]) -> list[object]:
    """The ids on a page."""
    data = page["data"]
    assert isinstance(data, list)
    return [entry["id"] for entry in data]


def test_pages_are_the_whole_list() -> None:
    """Walked forward, every model comes once, as it was written."""
    seen: list[object] = []
    query = {"limit": "7"}
    while True:
        page = anthropic_page(ENTRIES, query)
        seen += page["data"]  # type: ignore[arg-type]  # a list
        if not page["has_more"]:
            break
        query["after_id"] = str(page["last_id"])

    assert seen == ENTRIES


def test_backwards() -> None:
    """`before_id` gives the page just before it."""
    page = anthropic_page(ENTRIES, {"before_id": "m10", "limit": "3"})

    assert ids(page) == ["m7", "m8", "m9"]
    assert page["has_more"] is True
    assert anthropic_page(ENTRIES, {"before_id": "m2"})["has_more"] is False


def test_defaults_and_the_empty_list() -> None:
    """Twenty to a page, as the API has it."""
    assert len(ids(anthropic_page(ENTRIES, {}))) == 20
    assert anthropic_page([], {}) == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "x"},
        {"after_id": "m99"},
        {"limit": ""},
        {"limit": "000000001" + "9" * 9},
        {"limit": "000000001" + "9" * 5000},
        {"limit": "-1"},
    ],
    ids=range(8),
)
def test_bad_queries(query: dict[str, str]) -> None:
    """A clear 400."""
    with pytest.raises(BadRequest):
        anthropic_page(ENTRIES, query)


def test_aliases_are_copies_of_their_targets() -> None:
    """An alias is a model like any other; a name that is there stays itself."""
    listed = with_aliases(ENTRIES[:2], {"best": "m1", "m0": "m1", "far": "elsewhere"})

    assert [entry["id"] for entry in listed] == ["m0", "m1", "best", "far"]
    assert listed[2] == {**ENTRIES[1], "id": "best", "display_name": "best → m1"}
    assert listed[3]["type"] == "model"


def test_openais_shape() -> None:
    """What the other SDK expects, from whatever an entry has; all that is known of it stays beside it."""
    listed = openai_list([*ENTRIES[:1], {"id": "odd", "created_at": "yesterday"}])

    assert listed == {
        "object": "list",
        "data": [
            {**ENTRIES[0], "object": "model", "created": 1790812800, "owned_by": "anthropic"},
            {"id": "odd", "created_at": "yesterday", "object": "model", "created": 0, "owned_by": "anthropic"},
        ],
        "has_more": False,
        "first_id": "m0",
        "last_id": "odd",
    }


def test_reading_an_upstreams_list() -> None:
    """Unknown members stay; what has no id is no model; what is no list is an error."""
    assert read_models(b'{"data":[{"id":"a","new":1},{"name":"b"}],"has_more":false}') == [{"id": "a", "new": 1}]

    deep = b'{"data":[{"id":"a","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}"
    for body in (b"", b"[]", b'{"data":3}', b"<html>", b'{"data":[{"id":"\xff"}]}', deep):
        with pytest.raises(ValueError, match=r"."):
            read_models(body)
