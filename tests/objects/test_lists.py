"""Lists hold a key's own objects, newest first, and can be paged in every way the API has."""

import re

import pytest

from tests.fake_upstream import error_answer
from tests.objects.scene import BOUNDARY, UNKNOWN, Scene, form, told

FILES, BATCHES = "/v1/files", "/v1/messages/batches"


def page(scene: Scene, key: str, target: str) -> tuple[list[str], dict[str, object]]:
    """Ids of a page, and the page."""
    answer = scene.ask(key, "GET", target)
    assert 200 == answer.head.status, answer
    whole = told(answer)
    data = whole["data"]
    assert isinstance(data, list)
    return [str(item["id"]) for item in data], whole


def make(scene: Scene, target: str, key: str, count: int) -> list[str]:
    """Ids, newest first."""
    return [scene.upload(key) if target == FILES else scene.batch(key) for _ in range(count)][::-1]


@pytest.mark.parametrize("target", [FILES, BATCHES])
def test_own_only(scene: Scene, target: str) -> None:
    """However many others made before, between and after."""
    key, other = scene.key(), scene.key()
    ids = []
    for _ in range(3):
        make(scene, target, other, 1)
        ids += make(scene, target, key, 1)
    make(scene, target, other, 1)
    own, whole = page(scene, key, target)

    assert ids[::-1] == own
    assert (False, own[0], own[-1]) == (whole["has_more"], whole["first_id"], whole["last_id"])
    none, empty = page(scene, scene.key(), target)

    assert ([], False, None, None) == (none, empty["has_more"], empty["first_id"], empty["last_id"])


@pytest.mark.parametrize("target", [FILES, BATCHES])
def test_forwards_and_backwards(scene: Scene, target: str) -> None:
    """`after_id` goes to older ones, `before_id` to newer ones, each next to its place."""
    key = scene.key()
    ids = make(scene, target, key, 5)
    first, told_first = page(scene, key, f"{target}?limit=2")
    second, told_second = page(scene, key, f"{target}?limit=2&after_id={first[-1]}")
    third, told_third = page(scene, key, f"{target}?limit=2&after_id={second[-1]}")
    back, told_back = page(scene, key, f"{target}?limit=2&before_id={third[0]}")
    to_start, told_start = page(scene, key, f"{target}?limit=4&before_id={second[0]}")

    assert (ids[:2], ids[2:4], ids[4:]) == (first, second, third)
    assert [True, True, False] == [whole["has_more"] for whole in (told_first, told_second, told_third)]
    assert (ids[2:4], True) == (back, told_back["has_more"])
    assert (ids[:2], False) == (to_start, told_start["has_more"])


def test_cursor_of_files(scene: Scene) -> None:
    """The newer shape: `page` and `next_page`."""
    key = scene.key()
    ids = make(scene, FILES, key, 5)
    seen: list[str] = []
    cursors: list[object] = []
    target = f"{FILES}?limit=2"
    for _ in range(3):
        own, whole = page(scene, key, target)
        seen += own
        cursors.append(whole["next_page"])
        target = f"{FILES}?limit=2&page={cursors[-1]}"

    assert ids == seen
    assert cursors[-1] is None
    assert re.fullmatch(r"page_[A-Za-z0-9_-]+", str(page(scene, key, f"{FILES}?limit=2")[1]["next_page"]))


@pytest.mark.parametrize("name", ["ids", "ids[]", "ids%5B%5D"])
def test_files_by_id(scene: Scene, name: str) -> None:
    """Own ones come, others' and unknown ones are left out."""
    key, other = scene.key(), scene.key()
    own, theirs = make(scene, FILES, key, 2), make(scene, FILES, other, 1)
    wanted = "&".join(f"{name}={one}" for one in [*own, *theirs, UNKNOWN["file"], "x"])

    assert set(own) == set(page(scene, key, f"{FILES}?{wanted}")[0])


def test_what_is_gone_at_the_upstream(scene: Scene) -> None:
    """Leaves no gap in a page."""
    key = scene.key()
    ids = make(scene, FILES, key, 5)
    for gone in ids[1:3]:
        del scene.workspace.files[gone]
    own, whole = page(scene, key, f"{FILES}?limit=2")
    rest, _ = page(scene, key, f"{FILES}?limit=2&after_id={own[-1]}")

    assert ([ids[0], ids[3]], True, ids[4:]) == (own, whole["has_more"], rest)


REFUSED = [
    "limit=0", "limit=1001", "limit=x", "limit=%C2%B2", "limit=-1", "after_id=x", "page=page_x", "page=%00",
    "scope_id=s", "after_id={id}&before_id={id}", "ids={id}&limit=3",
]  # fmt: skip


@pytest.mark.parametrize("query", REFUSED)
def test_wrong_parameters(scene: Scene, query: str) -> None:
    """Are a 400 that names them."""
    key = scene.key()
    answer = scene.ask(key, "GET", f"{FILES}?{query.replace('{id}', scene.upload(key))}")

    assert (400, "invalid_request_error") == (answer.head.status, answer.error()[0])


def test_a_place_of_somebody_elses(scene: Scene) -> None:
    """A cursor that is another key's is answered as one that is unknown."""
    key, other = scene.key(), scene.key()
    theirs = scene.upload(other)
    answers = {scene.ask(key, "GET", f"{FILES}?after_id={one}").error() for one in (theirs, UNKNOWN["file"])}

    assert 1 == len(answers)


def test_a_forged_page(scene: Scene) -> None:
    """Another key's cursor is a place in time, and shows nothing of its objects."""
    key, other = scene.key(), scene.key()
    make(scene, FILES, other, 3)
    cursor = page(scene, other, f"{FILES}?limit=1")[1]["next_page"]

    assert [] == page(scene, key, f"{FILES}?page={cursor}")[0]


def test_the_upstream_fails(scene: Scene) -> None:
    """A list that is not whole is no list."""
    key = scene.key()
    make(scene, FILES, key, 3)
    scene.workspace.before = lambda _: error_answer(500, "api_error", "no")

    assert 502 == scene.ask(key, "GET", FILES).head.status


def test_large_pages_are_bounded(scene: Scene) -> None:
    """Not more than a hundred objects are asked for at once; the rest is on the next page."""
    key = scene.key()
    for _ in range(103):
        scene.ask(key, "POST", FILES, form(), BOUNDARY)
    own, whole = page(scene, key, f"{FILES}?limit=1000")

    assert (100, True) == (len(own), whole["has_more"])
    assert 3 == len(page(scene, key, f"{FILES}?limit=1000&after_id={own[-1]}")[0])
