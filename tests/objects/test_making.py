"""What is made is owned before its client knows its id, or is nobody's."""

from collections.abc import Callable

import msgspec
import pytest

from clearway.core.budget import Budget, Unit
from tests.fake_upstream import Answer, Cut, Gate, Received, json_answer
from tests.objects.scene import BOUNDARY, MODEL, Scene, batch_body, form, holding, told
from tests.relay.stage import wait_until
from tests.relay.wire_client import JSON, VERSION, Client

FILES, BATCHES = "/v1/files", "/v1/messages/batches"
MAKES = [
    pytest.param(FILES, form(), BOUNDARY, id="file"),
    pytest.param(BATCHES, msgspec.json.encode(batch_body()), JSON, id="batch"),
]


def held_back(scene: Scene, gate: Gate) -> None:
    """The workspace makes what it is asked for, and takes its time to say so."""

    def script(received: Received) -> Answer | None:
        if received.method != "POST":
            return None
        scene.workspace.before = lambda _: None
        said = scene.workspace.script(received).pieces[0]
        assert isinstance(said, bytes)
        return Answer((said[:40], gate, said[40:]))

    scene.workspace.before = script


@pytest.mark.parametrize(("target", "body", "kind"), MAKES)
def test_the_client_leaves(scene: Scene, target: str, body: bytes, kind: tuple[str, str]) -> None:
    """Its object is its own all the same: the answer is read to its end."""
    key = scene.key()
    gate = Gate()
    held_back(scene, gate)
    with Client(scene.gateway.url) as client:
        client.request("POST", target, [("x-api-key", key), VERSION, kind], body)
        gate.wait_reached()
        client.leave()
    gate.open()

    wait_until(lambda: len(listed(scene, key, target)) == 1, "it is owned")


def listed(scene: Scene, key: str, target: str) -> list[object]:
    """What a key owns."""
    data = told(scene.ask(key, "GET", target))["data"]
    assert isinstance(data, list)
    return data


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("target", "body", "kind"), MAKES)
def test_killed_before_the_answer(
    build_scene: Callable[..., Scene], target: str, body: bytes, kind: tuple[str, str]
) -> None:
    """What was made without anybody's knowing is nobody's; what was answered stays the key's."""
    scene = build_scene(upstreams=holding)
    key, other = scene.key(), scene.key()
    known = str(told(scene.ask(key, "POST", target, body, kind))["id"])
    gate = Gate()
    held_back(scene, gate)
    with Client(scene.gateway.url) as client:
        client.request("POST", target, [("x-api-key", key), VERSION, kind], body)
        gate.wait_reached()
        scene.gateway.kill()
    scene.gateway.start()
    there = scene.workspace.files if target == FILES else scene.workspace.batches
    lost = next(made for made in there if made != known)
    answers = {
        (whose, made): scene.ask(whose, "GET", f"{target}/{made}").head.status
        for whose in (key, other)
        for made in there
    }

    assert {(key, known): 200, (key, lost): 404, (other, known): 404, (other, lost): 404} == answers
    assert 1 == len(listed(scene, key, target))


@pytest.mark.parametrize(("target", "body", "kind"), MAKES)
@pytest.mark.parametrize(
    "said",
    [
        pytest.param(json_answer({"id": "something_else"}), id="other-id"),
        pytest.param(json_answer({"no": "id"}), id="no-id"),
        pytest.param(json_answer([]), id="no-object"),
        pytest.param(Answer((b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", Cut.FIN)), id="cut"),
    ],
)
def test_an_answer_without_an_id(scene: Scene, target: str, body: bytes, kind: tuple[str, str], said: Answer) -> None:
    """Is a 502 of ours: what cannot be owned is not told."""
    scene.workspace.before = lambda _: said
    answer = scene.ask(scene.key(), "POST", target, body, kind)

    assert (502, "upstream_protocol") == (answer.head.status, answer.head.header("x-clearway-error"))


def test_an_id_that_is_owned_already(scene: Scene) -> None:
    """An upstream that gives one id to two keys gives it to the first."""
    first, second = scene.key(), scene.key()
    own = scene.upload(first)
    scene.workspace.before = lambda received: json_answer({"id": own}) if received.method == "POST" else None
    answer = scene.ask(second, "POST", FILES, form(), BOUNDARY)

    assert 502 == answer.head.status
    assert 404 == scene.ask(second, "GET", f"{FILES}/{own}").head.status
    assert 200 == scene.ask(first, "GET", f"{FILES}/{own}").head.status


def test_a_wrong_credential_of_the_gateway(scene: Scene) -> None:
    """Is no fault of the client's."""
    scene.workspace.before = lambda _: json_answer({}, status=401)

    assert 502 == scene.ask(scene.key(), "POST", FILES, form(), BOUNDARY).head.status


BAD_BATCHES = [
    pytest.param(b"[]", 400, "batch", id="array"),
    pytest.param(b"{", 400, "JSON", id="broken"),
    pytest.param(b'{"requests":[]}', 400, "empty", id="empty"),
    pytest.param(b'{"requests":{}}', 400, "batch", id="requests-object"),
    pytest.param(b'{"requests":[{"custom_id":"a"}]}', 400, "requests[0].params", id="no-params"),
    pytest.param(b'{"requests":[{"custom_id":"a","params":{}}]}', 400, "requests[0].params.model", id="no-model"),
    pytest.param(
        b'{"requests":[{"custom_id":"a","params":{"model":"claude-haiku-4-5","model":"claude-opus-4-5"}}]}',
        400,
        "model stands in the body twice",
        id="two-models",
    ),
    pytest.param(
        msgspec.json.encode(batch_body(model="claude-opus-4-5")), 403, "claude-opus-4-5", id="model-not-allowed"
    ),
]


@pytest.mark.parametrize(("body", "status", "said"), BAD_BATCHES)
def test_bad_batches(scene: Scene, body: bytes, status: int, said: str) -> None:
    """Are refused here, and say which part is wrong."""
    key = scene.key(models=("claude-haiku-*",))
    before = len(scene.upstream.received)
    answer = scene.ask(key, "POST", BATCHES, body, JSON)

    assert status == answer.head.status
    assert said in answer.error()[1]
    assert before == len(scene.upstream.received)


@pytest.mark.parametrize(
    ("unit", "model", "status"),
    [("usd", "claude-of-nowhere", 403), ("usd", MODEL, 200), ("tokens", "claude-of-nowhere", 200)],
)
def test_prices_and_budgets(scene: Scene, unit: Unit, model: str, status: int) -> None:
    """What has no price in batches cannot be bought on a budget in USD."""
    key = scene.key(budgets=(Budget(amount=10**12, unit=unit, period="day"),))
    before = len(scene.upstream.received)
    answer = scene.post(key, BATCHES, batch_body(model=model))

    assert (status, before + (status == 200)) == (answer.head.status, len(scene.upstream.received))


def test_one_reading(scene: Scene) -> None:
    """Members that stand there twice are sent once: the upstream reads what was judged."""
    key = scene.key(models=("claude-haiku-*",))
    good = msgspec.json.encode(batch_body()["requests"])
    bad = msgspec.json.encode(batch_body(model="claude-opus-4-5")["requests"])
    params = msgspec.json.encode({"model": MODEL, "max_tokens": 1, "messages": []})
    other = msgspec.json.encode({"model": "claude-opus-4-5", "max_tokens": 1, "messages": []})
    twice = b'{"requests":[{"custom_id":"a","params":%b,"par\\u0061ms":%b}]}' % (other, params)
    for body in (b'{"requests":%b,"requests":%b}' % (bad, good), twice):
        assert 200 == scene.ask(key, "POST", BATCHES, body, JSON).head.status
        assert b"opus" not in scene.upstream.received[-1].body


def test_aliases_and_bytes(scene: Scene) -> None:
    """An alias is replaced in its entry; a compact body without one is sent byte for byte."""
    key = scene.key()
    plain = msgspec.json.encode({**batch_body(2), "unknown": {"z": 1.50, "a": None}})
    scene.ask(key, "POST", BATCHES, plain, JSON)
    as_sent = scene.upstream.received[-1].body
    scene.post(key, BATCHES, batch_body(2, model="swift"))

    assert plain == as_sent
    assert b'"model":"claude-haiku-4-5"' in scene.upstream.received[-1].body
    assert b"swift" not in scene.upstream.received[-1].body


@pytest.mark.timeout(60)
def test_a_hundred_thousand_requests(scene: Scene) -> None:
    """Are taken, others served meanwhile; one more is refused."""
    key = scene.key()
    entry = msgspec.json.encode(batch_body()["requests"])[1:-1]
    body = b'{"requests":[' + b",".join([entry] * 100_000) + b"]}"
    answer = scene.ask(key, "POST", BATCHES, body, JSON)
    over = scene.ask(key, "POST", BATCHES, body[:-2] + b"," + entry + b"]}", JSON)

    assert 200 == answer.head.status
    assert (400, True) == (over.head.status, "100001" in over.error()[1])


def test_the_upstream_that_holds_it_is_asked(build_scene: Callable[..., Scene]) -> None:
    """And no other, whatever the order and whoever is down."""
    scene = build_scene(
        upstreams=lambda url: (
            holding("http://127.0.0.1:9", "down", "files = true\n") + holding(url, "up", "batches = true\n")
        )
    )
    key = scene.key()
    batch = scene.batch(key)
    answer = scene.ask(key, "POST", FILES, form(), BOUNDARY)

    assert 200 == scene.ask(key, "GET", f"{BATCHES}/{batch}").head.status
    assert (502, "upstream_unreachable") == (answer.head.status, answer.head.header("x-clearway-error"))
