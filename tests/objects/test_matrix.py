"""Every route for every kind of caller: an object is for the key that made it, and is not there for all others."""

from collections.abc import Callable

import pytest

from tests.fake_upstream import error_answer
from tests.objects.scene import BOUNDARY, UNKNOWN, Scene, as_told, batch_body, form, holding, told
from tests.relay.wire_client import OWN_CREDENTIAL, VERSION, Client, Whole

FILES, BATCHES = "/v1/files", "/v1/messages/batches"
USES = [
    pytest.param("file", "GET", "", id="show-file"),
    pytest.param("file", "GET", "/content", id="file-content"),
    pytest.param("file", "DELETE", "", id="delete-file"),
    pytest.param("batch", "GET", "", id="show-batch"),
    pytest.param("batch", "POST", "/cancel", id="cancel-batch"),
    pytest.param("batch", "GET", "/results", id="batch-results"),
    pytest.param("batch", "DELETE", "", id="delete-batch"),
]
MAKES = [
    pytest.param("POST", FILES, id="upload"),
    pytest.param("GET", FILES, id="list-files"),
    pytest.param("POST", BATCHES, id="make-batch"),
    pytest.param("GET", BATCHES, id="list-batches"),
]


def path(kind: str, object_id: str, rest: str) -> str:
    """Of a route with an id."""
    return f"{FILES if kind == 'file' else BATCHES}/{object_id}{rest}"


def made(scene: Scene, kind: str, key: str) -> str:
    """A file or an ended batch."""
    return scene.upload(key) if kind == "file" else scene.batch(key)


@pytest.mark.parametrize(("kind", "method", "rest"), USES)
def test_own(scene: Scene, kind: str, method: str, rest: str) -> None:
    """The key that made it gets the upstream's answer."""
    key = scene.key()
    own = made(scene, kind, key)
    answer = scene.ask(key, method, path(kind, own, rest))

    assert answer.head.status == 200, answer
    assert answer.head.header("x-clearway-error") is None


@pytest.mark.parametrize(("kind", "method", "rest"), USES)
def test_others_is_unknown(scene: Scene, kind: str, method: str, rest: str) -> None:
    """Another key's id is answered exactly as one that never was, also to an owner key; the upstream is not asked."""
    key, other, owner = scene.key(), scene.key(), scene.key(owner=True)
    theirs = made(scene, kind, key)
    before = len(scene.upstream.received)
    as_unknown = as_told(scene.ask(other, method, path(kind, UNKNOWN[kind], rest)))
    as_others = as_told(scene.ask(other, method, path(kind, theirs, rest)))
    as_owner = as_told(scene.ask(owner, method, path(kind, theirs, rest)))

    assert as_unknown == as_others == as_owner
    assert 404 == as_unknown[0]
    assert ("x-clearway-error", "not_found") in as_unknown[1]
    assert before == len(scene.upstream.received)
    assert 200 == scene.ask(key, "GET", path(kind, theirs, "")).head.status


@pytest.mark.parametrize(("kind", "method", "rest"), USES)
def test_revoked(scene: Scene, kind: str, method: str, rest: str) -> None:
    """A revoked key is a stranger, whatever it has made."""
    key = scene.key(name=f"revoked {kind} {method}{rest}")
    own = made(scene, kind, key)
    scene.books.ledger.revoke_key(f"revoked {kind} {method}{rest}")

    assert 401 == scene.ask(key, method, path(kind, own, rest)).head.status


@pytest.mark.parametrize(("method", "target"), MAKES)
def test_revoked_makes_and_lists_nothing(scene: Scene, method: str, target: str) -> None:
    """Nor does it get anything new."""
    key = scene.key(name=f"revoked {method} {target}")
    scene.books.ledger.revoke_key(f"revoked {method} {target}")

    assert 401 == scene.ask(key, method, target, b"" if method == "POST" else None).head.status


def test_rotated_key_keeps_what_it_made(scene: Scene) -> None:
    """Objects are the key's, not the secret's."""
    key = scene.key(name="to be rotated")
    own = scene.upload(key)
    new = scene.books.ledger.rotate_key("to be rotated", 0).secret

    assert 200 == scene.ask(new, "GET", f"{FILES}/{own}").head.status


HOSTILE = [
    "file_", "file_abc-def", "file_abc.json", "FILE_abc", "msgbatch_01GUqGVJfUzZfBnjRymfPdV3", "*", "file_%20a",
    "file_" + "a" * 200,
    "file_a%C3%A9", "file_a,file_b", "file_a:b", "file_a=b", "file_'", "file_(1)",
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("kind", ["file", "batch"])
def test_hostile_ids(scene: Scene, kind: str, hostile: str) -> None:
    """What has not the form of an id is unknown, and asked for nowhere."""
    key = scene.key()
    hostile = hostile if kind == "file" else hostile.replace("file_", "msgbatch_").replace("msgbatch_01", "file_01")
    before = len(scene.upstream.received)
    ways = [("GET", ""), ("DELETE", ""), ("GET", "/content"), ("GET", "/results"), ("POST", "/cancel")]
    answers = [scene.ask(key, method, path(kind, hostile, rest)) for method, rest in ways]

    assert {404} == {answer.head.status for answer in answers}
    assert before == len(scene.upstream.received)


@pytest.mark.parametrize(
    "tricky", ["/v1/files/../messages", "/v1/files/%2e%2e/x", "/v1/files//x", "/v1/files/x%2fcontent"]
)
def test_path_tricks(scene: Scene, tricky: str) -> None:
    """A path that can be read in two ways is refused before anything else."""
    assert 400 == scene.ask(scene.key(), "GET", tricky).head.status


DENIED = [
    ("PUT", FILES), ("PATCH", f"{FILES}/x"), ("HEAD", f"{FILES}/x"), ("POST", f"{FILES}/x"), ("GET", f"{FILES}/x/y"),
    ("POST", f"{BATCHES}/x"), ("GET", f"{BATCHES}/x/cancel"), ("DELETE", BATCHES), ("GET", "/v1/skills"),
    ("GET", "/v1/organizations/me"), ("POST", "/v1/agents"), ("GET", "/v1/vaults"), ("GET", "/v1/filesystem"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "target"), DENIED)
def test_all_else_is_denied(scene: Scene, method: str, target: str) -> None:
    """Only the routes of the table pass with the gateway's own credential."""
    before = len(scene.upstream.received)
    with Client(scene.gateway.url) as client:
        client.request(method, target, [("x-api-key", scene.key()), VERSION], None)
        answer = client.read_whole(has_body=method != "HEAD")

    assert 404 == answer.head.status
    assert before == len(scene.upstream.received)


@pytest.mark.parametrize(("method", "target"), MAKES)
def test_off_by_default(build_scene: Callable[..., Scene], method: str, target: str) -> None:
    """Where no upstream is set to it, the answer says how to switch it on."""
    scene = build_scene(upstreams=lambda url: holding(url, extra=""))
    answer = scene.ask(scene.key(), method, target, b"{}" if method == "POST" else None)

    assert (404, "not_found_error") == (answer.head.status, answer.error()[0])
    assert f"{'files' if target == FILES else 'batches'} = true" in answer.error()[1]
    assert not scene.upstream.received


@pytest.mark.parametrize(
    ("word", "allowed"), [("files", {FILES}), ("batches", {BATCHES}), ("messages", set()), ("relay", set())]
)
def test_endpoint_words(scene: Scene, word: str, allowed: set[str]) -> None:
    """A key's `endpoints` name them like others."""
    key = scene.key(endpoints=(word,))
    answers = {target: scene.ask(key, "GET", target).head.status for target in (FILES, BATCHES)}

    assert {target: 200 if target in allowed else 403 for target in answers} == answers


def ask_with_login(scene: Scene, method: str, target: str, body: bytes | None, *fields: tuple[str, str]) -> Whole:
    """With the client's own credential."""
    with Client(scene.gateway.url) as client:
        client.request(method, target, [OWN_CREDENTIAL, VERSION, *fields], body)
        return client.read_whole()


def test_passthrough_is_open(scene: Scene) -> None:
    """Who pays for themselves reaches what their credential reaches, untouched, in both directions."""
    batch = scene.batch(scene.key())
    uploaded = ask_with_login(scene, "POST", FILES, form(), BOUNDARY)
    shown = ask_with_login(scene, "GET", f"{BATCHES}/{batch}?a=b", None, ("accept-encoding", "br"))
    last = scene.upstream.received[-1]

    assert 200 == uploaded.head.status
    assert {"relay"} == {row.endpoint for row in scene.rows() if row.client_credential}
    assert "https://api.anthropic.com/v1/messages/batches" in str(told(shown)["results_url"])
    assert (f"{BATCHES}/{batch}?a=b", "br") == (last.target, last.header("accept-encoding"))
    assert OWN_CREDENTIAL[1] == last.header("x-api-key")


@pytest.mark.parametrize("words", [("relay",), ("files",), ()])
def test_passthrough_with_a_key_beside(scene: Scene, words: tuple[str, ...]) -> None:
    """A key beside a login that may relay may go on to; one that may use files may do so there, too."""
    key = scene.key(endpoints=words)

    assert 200 == ask_with_login(scene, "POST", FILES, form(), BOUNDARY, ("x-clearway-key", key)).head.status


def test_passthrough_with_a_key_that_may_not(scene: Scene) -> None:
    """One that may use neither may not."""
    key = scene.key(endpoints=("messages",))

    assert 403 == ask_with_login(scene, "POST", FILES, form(), BOUNDARY, ("x-clearway-key", key)).head.status


def test_bodies_and_fields_go_as_they_came(scene: Scene) -> None:
    """A multipart body is relayed byte for byte; the credential is the gateway's, the key stays here."""
    key = scene.key()
    body = form("ä b.txt", bytes(range(256)) * 100)
    scene.ask(key, "POST", f"{FILES}?beta=true", body, BOUNDARY, ("anthropic-beta", "files-api-2025-04-14"))
    last = scene.upstream.received[-1]

    assert body == last.body
    assert (BOUNDARY[1], "files-api-2025-04-14") == (last.header("content-type"), last.header("anthropic-beta"))
    assert "dummy-upstream-credential" == last.header("x-api-key")
    assert f"{FILES}?beta=true" == last.target


def test_a_refusal_of_the_upstream_is_the_clients(scene: Scene) -> None:
    """What the upstream says to a bad request is passed on, and nothing is owned."""
    key = scene.key()
    scene.workspace.before = lambda _: error_answer(413, "request_too_large", "too large")
    answer = scene.post(key, BATCHES, batch_body())
    scene.workspace.clear()

    assert (413, "request_too_large") == (answer.head.status, answer.error()[0])
    assert [] == told(scene.ask(key, "GET", BATCHES))["data"]
