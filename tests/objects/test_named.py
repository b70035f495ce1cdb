"""Files that a body names: own ones are used where they are, others are unknown."""

from collections.abc import Callable

import msgspec
import pytest

from tests.fake_upstream import Answer, json_answer, stream_answer
from tests.objects.scene import MODEL, UNKNOWN, Scene, batch_body, holding, told
from tests.relay.wire_client import JSON

MESSAGES, COUNT, BATCHES = "/v1/messages", "/v1/messages/count_tokens", "/v1/messages/batches"
Content = Callable[[str], object]


def source(file_id: str) -> dict[str, object]:
    """As images and documents have it."""
    return {"type": "file", "file_id": file_id}


WHERE: list[object] = [
    pytest.param(lambda file_id: {"type": "image", "source": source(file_id)}, id="image"),
    pytest.param(lambda file_id: {"type": "document", "source": source(file_id)}, id="document"),
    pytest.param(lambda file_id: {"type": "container_upload", "file_id": file_id}, id="container"),
    pytest.param(
        lambda file_id: {
            "type": "tool_result",
            "tool_use_id": "t",
            "content": [{"type": "image", "source": source(file_id)}],
        },
        id="tool-result",
    ),
    pytest.param(
        lambda file_id: {
            "type": "bash_code_execution_tool_result",
            "tool_use_id": "t",
            "content": {"type": "r", "content": [{"type": "bash_code_execution_output", "file_id": file_id}]},
        },
        id="code-execution",
    ),
    pytest.param(lambda file_id: {"type": "of-the-future", "where": [[{"file_id": file_id}]]}, id="anything"),
]


def request(block: object, **members: object) -> dict[str, object]:
    """A body with a block."""
    message = {"role": "user", "content": [{"type": "text", "text": 'say "file_id": "file_011CNha8"'}, block]}
    return {"model": MODEL, "max_tokens": 10, "messages": [message], **members}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("target", [MESSAGES, COUNT, BATCHES])
def test_in_bodies(scene: Scene, where: Content, target: str) -> None:
    """Own files pass; another key's and unknown ones are refused alike, by name; the upstream is not asked."""
    key, other = scene.key(), scene.key()
    own, theirs = scene.upload(key), scene.upload(other)

    def ask(file_id: str) -> tuple[int, str]:
        body = request(where(file_id))
        if target == BATCHES:
            body = {"requests": [{"custom_id": "a", "params": body}]}
        answer = scene.post(key, target, body)
        return answer.head.status, "" if answer.head.status == 200 else answer.error()[1].replace(file_id, "ID")

    assert (200, "") == ask(own)
    before = len(scene.upstream.received)
    as_others, as_unknown = ask(theirs), ask(UNKNOWN["file"])

    assert as_others == as_unknown
    assert 404 == as_others[0]
    assert "ID" in as_others[1]
    assert before == len(scene.upstream.received)


ELSEWHERE = [
    pytest.param({"system": [{"type": "document", "source": source("{id}")}]}, id="system"),
    pytest.param({"tools": [{"type": "x", "file_id": "{id}"}]}, id="tools"),
    pytest.param({"container": {"file_id": "{id}"}}, id="container"),
]


@pytest.mark.parametrize("members", ELSEWHERE)
def test_elsewhere_in_bodies(scene: Scene, members: dict[str, object]) -> None:
    """Wherever an object has such a member."""
    text = msgspec.json.encode(request({"type": "text", "text": "x"}, **members))
    answer = scene.ask(scene.key(), "POST", MESSAGES, text.replace(b"{id}", UNKNOWN["file"].encode()), JSON)

    assert 404 == answer.head.status


TRICKS = [
    pytest.param(b'{"type":"file","file_id":"OWN","file_id":"THEIRS"}', id="last-of-two"),
    pytest.param(b'{"type":"file","file_id":"THEIRS","file_id":"OWN"}', id="first-of-two"),
    pytest.param(b'{"type":"file","f\\u0069le_id":"THEIRS"}', id="escaped-name"),
    pytest.param(b'{"type":"file","file\\u005Fid":"THEIRS"}', id="escaped-line"),
    pytest.param(b'{"type":"file","file_id" \t\n: "THEIRS"}', id="blanks"),
    pytest.param(b'{"type":"file","file_id":"\\u0066ile_ESC"}', id="escaped-value"),
    pytest.param(b'{"type":"file","file_id":"file_x","input":1}', id="unknown"),
    pytest.param(b'{"type":"file","file_id":"../THEIRS"}', id="path"),
    pytest.param(b'{"type":"file","file_id":" THEIRS"}', id="space"),
    pytest.param(b'{"type":"file","file_id":""}', id="empty"),
]


@pytest.mark.parametrize("block", TRICKS)
def test_tricks(scene: Scene, block: bytes) -> None:
    """However a name or an id is written, the upstream is not asked for another key's file."""
    key, other = scene.key(), scene.key()
    own, theirs = scene.upload(key), scene.upload(other)
    before = len(scene.upstream.received)
    block = block.replace(b"OWN", own.encode()).replace(b"THEIRS", theirs.encode())
    block = block.replace(b"file_ESC", theirs.encode())
    body = msgspec.json.encode(request(msgspec.Raw(b'{"type":"image","source":%b}' % block)))

    assert 404 == scene.ask(key, "POST", MESSAGES, body, JSON).head.status
    assert before == len(scene.upstream.received)


HARMLESS = [
    pytest.param({"type": "tool_use", "id": "t", "name": "n", "input": {"file_id": "report.pdf"}}, id="argument"),
    pytest.param({"type": "tool_use", "id": "t", "name": "n", "input": {"file_id": UNKNOWN["file"]}}, id="like-an-id"),
    pytest.param({"type": "text", "text": "t", "citations": [{"type": "x", "file_id": None}]}, id="null"),
    pytest.param({"type": "text", "text": 'const \\u0066ile_id = {"file_id": "file_x"}'}, id="text"),
]


@pytest.mark.parametrize("block", HARMLESS)
def test_what_only_the_model_reads(scene: Scene, block: dict[str, object]) -> None:
    """Arguments of a client's own tools, schemas and text name no file, whatever they are called."""
    schema = {"type": "object", "properties": {"file_id": {"type": "string"}}}
    tools = [{"name": "n", "input_schema": schema, "input_examples": [{"file_id": "file_y"}]}]

    assert 200 == scene.post(scene.key(), MESSAGES, request(block, tools=tools)).head.status


def test_the_upstream_that_holds_the_files(build_scene: Callable[..., Scene]) -> None:
    """A request goes where its files are, though another upstream stands before it."""
    scene = build_scene(upstreams=lambda url: holding("http://127.0.0.1:9", "first", "") + holding(url, "second"))
    key = scene.key()
    own = scene.upload(key)

    assert 200 == scene.post(key, MESSAGES, request({"type": "document", "source": source(own)})).head.status
    assert "second" == scene.rows()[0].upstream


def test_where_files_are_off(build_scene: Callable[..., Scene]) -> None:
    """Keys have none there: what a body names is the owner's, who gave its id away. It is not searched."""
    scene = build_scene(upstreams=lambda url: holding(url, extra=""))
    answer = scene.post(scene.key(), MESSAGES, request({"type": "document", "source": source(UNKNOWN["file"])}))

    assert 200 == answer.head.status


def test_deleted_files(scene: Scene) -> None:
    """What was deleted is unknown."""
    key = scene.key()
    own = scene.upload(key)
    scene.ask(key, "DELETE", f"/v1/files/{own}")

    assert 404 == scene.post(key, MESSAGES, request({"type": "document", "source": source(own)})).head.status
    assert "file_deleted" != told(scene.ask(key, "DELETE", f"/v1/files/{own}"))["type"]


RAN = {
    "type": "bash_code_execution_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": {
        "type": "bash_code_execution_result",
        "stdout": '"file_id": "file_in0text"',
        "stderr": "",
        "return_code": 0,
        "content": [{"type": "bash_code_execution_output", "file_id": "file_made1"}],
    },
}
ASKED = {"type": "tool_use", "id": "t", "name": "n", "input": {"file_id": "file_of0others"}}


@pytest.mark.parametrize("stream", [True, False])
def test_files_that_code_has_made(scene: Scene, stream: bool) -> None:  # noqa: FBT001  # both ways
    """Belong to the key whose request it was, when its answer is over; what a model only says names nothing."""
    key, other = scene.key(), scene.key()
    file_id = scene.workspace.next_id("file_")
    ran = msgspec.json.decode(msgspec.json.encode(RAN).replace(b"file_made1", file_id.encode()))
    scene.workspace.files[file_id] = {"id": file_id, "type": "file"}
    scene.workspace.before = lambda got: ran_answer([ran, ASKED], stream=stream) if got.method == "POST" else None
    answer = scene.post(key, MESSAGES, request({"type": "text", "text": "run"}, stream=stream))
    scene.workspace.before = lambda _: None

    assert (200, True) == (answer.head.status, answer.complete)
    assert 200 == scene.ask(key, "GET", f"/v1/files/{file_id}").head.status
    assert 200 == scene.post(key, MESSAGES, request(ran)).head.status
    assert 404 == scene.post(other, MESSAGES, request(ran)).head.status
    assert 404 == scene.ask(other, "GET", f"/v1/files/{file_id}").head.status
    for named in ("file_in0text", "file_of0others"):
        assert 404 == scene.post(key, MESSAGES, request({"type": "document", "source": source(named)})).head.status


def ran_answer(blocks: list[object], *, stream: bool) -> Answer:
    """Of a model that has run code."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "usage": {"input_tokens": 1}}
    if not stream:
        return json_answer({**message, "content": blocks, "stop_reason": "end_turn"})
    events: list[dict[str, object]] = [{"type": "message_start", "message": message}]
    for place, block in enumerate(blocks):
        events.append({"type": "content_block_start", "index": place, "content_block": block})
        events.append({"type": "content_block_stop", "index": place})
    events += [{"type": "message_delta", "delta": {}, "usage": {"output_tokens": 1}}, {"type": "message_stop"}]
    return stream_answer(
        b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), msgspec.json.encode(event)) for event in events
    )


def test_large_bodies(scene: Scene) -> None:
    """Are judged by the same rules, though not by the slow way."""
    key = scene.key()
    own = scene.upload(key)
    long = {"type": "text", "text": "x" * 2_000_000}
    block = {"type": "document", "source": source(own)}
    answers = [
        scene.post(key, MESSAGES, {**request(block), "system": [long]}).head.status,
        scene.post(
            key, MESSAGES, {**request({"type": "document", "source": source("file_y")}), "system": [long]}
        ).head.status,
        scene.post(key, BATCHES, batch_body(3, system=[long], metadata=block)).head.status,
    ]

    assert [200, 404, 200] == answers
