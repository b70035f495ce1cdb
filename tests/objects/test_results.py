"""What a batch used is booked when its results have passed whole: once, by model, at batch prices."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from clearway.core.usage import Usage
from clearway.pricing.cost import cost
from clearway.pricing.prices import PriceList
from tests.fake_upstream import Answer, Cut, Gate, answer, error_answer
from tests.objects.scene import MODEL, Scene, batch_body, holding, told
from tests.objects.workspace import results
from tests.relay.stage import wait_until
from tests.relay.wire_client import VERSION, Client, Whole

BATCHES = "/v1/messages/batches"
JSONL = ("content-type", "application/x-jsonl")


def read(scene: Scene, key: str, batch: str) -> Whole:
    """The results."""
    return scene.ask(key, "GET", f"{BATCHES}/{batch}/results")


def list_price(model: str, requests: int) -> int:
    """Of so many requests as the workspace answers them, each by itself."""
    usage = Usage(input_tokens=20, output_tokens=5, service_tier="batch", inference_geo="not_available")
    nano = cost(usage, model, at_us=1_795_000_000_000_000, billing="billed", prices=PriceList.shipped()).nano
    assert nano
    return nano * requests


def test_charged_once(scene: Scene) -> None:
    """Read twice, charged once; the row stands at the time of the batch's own admission."""
    key = scene.key()
    batch = scene.batch(key, 3)
    made = next(row for row in scene.rows() if row.method == "POST" and row.path == BATCHES)

    assert [] == scene.charges(key)

    first, second = read(scene, key, batch), read(scene, key, batch)
    charges = scene.charges(key)

    assert first.body == second.body == results(scene.workspace.batches[batch])
    assert 1 == len(charges)
    assert (60, 15, "batch", list_price(MODEL, 3)) == (
        charges[0].input_tokens,
        charges[0].output_tokens,
        charges[0].service_tier,
        charges[0].cost_nano,
    )
    assert (made.admitted_us, batch, "ok", "api", MODEL) == (
        charges[0].admitted_us,
        charges[0].response_id,
        charges[0].outcome,
        charges[0].upstream,
        charges[0].response_model,
    )


def test_by_model_and_only_what_succeeded(scene: Scene) -> None:
    """Each model has a row; what was errored, canceled or expired costs nothing."""
    key = scene.key()
    body = batch_body(2)["requests"]
    more = batch_body(1, "other", model="claude-sonnet-4-5")["requests"]
    failed = [*batch_body(1, "errored")["requests"], *batch_body(1, "canceled")["requests"]]  # type: ignore[misc]  # lists
    assert isinstance(body, list)
    assert isinstance(more, list)
    made = told(scene.post(key, BATCHES, {"requests": [*body, *more, *failed]}))
    scene.workspace.batches[str(made["id"])].ended = True
    read(scene, key, str(made["id"]))
    charges = {row.response_model: (row.input_tokens, row.cost_nano) for row in scene.charges(key)}

    assert {
        MODEL: (40, list_price(MODEL, 2)),
        "claude-sonnet-4-5": (20, list_price("claude-sonnet-4-5", 1)),
    } == charges


def test_the_reader_leaves_midway(scene: Scene) -> None:
    """The gateway reads on to the end by itself; who reads again later is not charged again."""
    key = scene.key()
    batch = scene.batch(key, 4)
    gate = Gate()
    body = results(scene.workspace.batches[batch])
    cut = len(body) // 2

    def slowly(whole: bytes) -> Answer:
        head = answer(whole, headers=[JSONL]).pieces[0]
        assert isinstance(head, bytes)
        return Answer((head[: -len(whole) + cut], gate, whole[cut:]))

    scene.workspace.tail = slowly
    with Client(scene.gateway.url) as client:
        client.request("GET", f"{BATCHES}/{batch}/results", [("x-api-key", key), VERSION])
        client.read_head()
        client.read_piece()
        client.leave()
    gate.open()
    wait_until(lambda: len(scene.charges(key)) == 1, "the batch is charged")
    scene.workspace.tail = None
    again = read(scene, key, batch)

    assert body == again.body
    assert [80] == [row.input_tokens for row in scene.charges(key)]


def test_the_upstream_breaks_off(scene: Scene) -> None:
    """The client's connection is cut, nothing is charged; a whole reading later is."""
    key = scene.key()
    batch = scene.batch(key, 4)

    def broken(whole: bytes) -> Answer:
        head = answer(whole, headers=[JSONL]).pieces[0]
        assert isinstance(head, bytes)
        return Answer((head[:-10], Cut.FIN))

    scene.workspace.tail = broken
    first = read(scene, key, batch)

    assert not first.complete
    assert [] == scene.charges(key)

    scene.workspace.tail = None
    read(scene, key, batch)

    assert [80] == [row.input_tokens for row in scene.charges(key)]


@pytest.mark.timeout(60)
def test_killed_while_results_pass(build_scene: Callable[..., Scene]) -> None:
    """A kill midway books nothing twice and loses nothing: who reads again is charged, once."""
    scene = build_scene(upstreams=holding)
    key = scene.key()
    batch = scene.batch(key, 4)
    gate = Gate()

    def slowly(whole: bytes) -> Answer:
        head = answer(whole, headers=[JSONL]).pieces[0]
        assert isinstance(head, bytes)
        return Answer((head[:-20], gate, head[-20:]))

    scene.workspace.tail = slowly
    with Client(scene.gateway.url) as client:
        client.request("GET", f"{BATCHES}/{batch}/results", [("x-api-key", key), VERSION])
        client.read_head()
        client.read_piece()
        scene.gateway.kill()
    scene.workspace.tail = None
    scene.gateway.start()
    for _ in range(2):
        read(scene, key, batch)
    scene.gateway.kill()
    scene.gateway.start()
    read(scene, key, batch)

    assert [80] == [row.input_tokens for row in scene.charges(key)]


def test_many_readers_at_once(scene: Scene) -> None:
    """Several readers at one moment are one charge."""
    key = scene.key()
    batch = scene.batch(key, 50)

    async def all_at_once() -> list[Whole]:
        return await asyncio.gather(*(asyncio.to_thread(read, scene, key, batch) for _ in range(8)))

    bodies = {whole.body for whole in asyncio.run(all_at_once())}

    assert {results(scene.workspace.batches[batch])} == bodies
    assert [1000] == [row.input_tokens for row in scene.charges(key)]


def test_deleted_unread(scene: Scene) -> None:
    """What nobody has read is read by the gateway before it is deleted: afterwards nobody could tell."""
    key = scene.key()
    batch = scene.batch(key, 2)
    answer = scene.ask(key, "DELETE", f"{BATCHES}/{batch}")

    assert (200, "message_batch_deleted") == (answer.head.status, told(answer)["type"])
    assert [40] == [row.input_tokens for row in scene.charges(key)]
    assert 404 == scene.ask(key, "GET", f"{BATCHES}/{batch}").head.status


def test_deleted_where_results_cannot_be_read(scene: Scene) -> None:
    """Nothing is deleted whose use would be lost by it."""
    key = scene.key()
    batch = scene.batch(key, 2)
    scene.workspace.tail = lambda _: error_answer(500, "api_error", "no")

    assert 502 == scene.ask(key, "DELETE", f"{BATCHES}/{batch}").head.status
    assert batch in scene.workspace.batches


def test_parts_are_not_asked_for(scene: Scene) -> None:
    """Who asks for a part of the results gets them whole: parts could not be metered."""
    key = scene.key()
    batch = scene.batch(key, 2)
    fields = [("range", "bytes=0-10"), ("if-none-match", '"x"'), ("accept-encoding", "gzip")]
    scene.ask(key, "GET", f"{BATCHES}/{batch}/results", None, *fields)
    last = scene.upstream.received[-1]

    assert (None, None, "identity") == tuple(
        last.header(name) for name in ("range", "if-none-match", "accept-encoding")
    )
    assert [40] == [row.input_tokens for row in scene.charges(key)]


def test_a_part_all_the_same(scene: Scene) -> None:
    """Is no answer."""
    key = scene.key()
    batch = scene.batch(key, 2)
    scene.workspace.tail = lambda whole: answer(whole[:20], status=206, headers=[JSONL])

    assert 502 == read(scene, key, batch).head.status
    assert [] == scene.charges(key)


def test_deleted_while_it_runs(scene: Scene) -> None:
    """The upstream refuses, the key keeps it, and nothing is charged."""
    key = scene.key()
    batch = scene.batch(key, 2, ended=False)
    answer = scene.ask(key, "DELETE", f"{BATCHES}/{batch}")

    assert (400, "invalid_request_error") == (answer.head.status, answer.error()[0])
    assert [] == scene.charges(key)
    assert 200 == scene.ask(key, "GET", f"{BATCHES}/{batch}").head.status


def test_results_before_the_end(scene: Scene) -> None:
    """The upstream's own 404 for what is the key's own."""
    key = scene.key()
    batch = scene.batch(key, ended=False)
    answer = read(scene, key, batch)

    assert (404, None) == (answer.head.status, answer.head.header("x-clearway-error"))


def test_unreadable_results_pass_and_stay_held(scene: Scene) -> None:
    """A line that cannot be read passes to the client; nothing is charged on a guess."""
    key = scene.key()
    batch = scene.batch(key, 2)
    scene.workspace.tail = lambda whole: answer(b"{broken\n" + whole, headers=[JSONL])
    first = read(scene, key, batch)

    assert first.body.startswith(b"{broken\n")
    assert [] == scene.charges(key)

    scene.workspace.tail = None
    read(scene, key, batch)

    assert [40] == [row.input_tokens for row in scene.charges(key)]


def test_results_url_leads_back(scene: Scene) -> None:
    """In every answer that has one; nothing else of the batch is changed."""
    key = scene.key()
    batch = scene.batch(key)
    shown = scene.ask(key, "GET", f"{BATCHES}/{batch}").body
    listed = scene.ask(key, "GET", BATCHES).body
    canceled = scene.ask(key, "POST", f"{BATCHES}/{batch}/cancel", b"{}").body
    here = f"{scene.gateway.url}/v1/messages/batches/{batch}/results"

    assert here == msgspec.json.decode(shown)["results_url"]
    assert here == msgspec.json.decode(listed)["data"][0]["results_url"]
    assert here == msgspec.json.decode(canceled)["results_url"]
    assert b"api.anthropic.com" not in shown + listed + canceled
    there = f"https://api.anthropic.com/v1/messages/batches/{batch}/results"
    with_login = scene.upstream.received[-1]
    assert with_login.target.endswith("/cancel")
    assert canceled.replace(here.encode(), there.encode()) == msgspec.json.encode(
        {**msgspec.json.decode(canceled), "results_url": there}
    )


def test_results_url_behind_a_proxy(scene: Scene) -> None:
    """A reference, where only the proxy knows how the client got here: a guess could send a key in the clear."""
    key = scene.key()
    batch = scene.batch(key)
    fields = [("x-forwarded-proto", "https"), ("x-clearway-key", key)]
    answer = scene.ask(key, "GET", f"{BATCHES}/{batch}", None, *fields)

    assert f"/v1/messages/batches/{batch}/results" == told(answer)["results_url"]


def test_results_url_of_a_run(scene: Scene) -> None:
    """A run's own prefix stays."""
    key = scene.key()
    batch = scene.batch(key)
    answer = scene.ask(key, "GET", f"/run/0123456789/v1/messages/batches/{batch}")

    assert f"{scene.gateway.url}/run/0123456789/v1/messages/batches/{batch}/results" == told(answer)["results_url"]
