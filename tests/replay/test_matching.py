"""Which recording answers which request."""

import gzip
import json
from pathlib import Path

import pytest

from clearway.config.model import Upstream as Settings
from clearway.config.problems import ConfigError
from clearway.core.clock import SystemClock
from clearway.upstreams.protocol import Request
from clearway.upstreams.replay import ReplayUpstream
from tests.replay.playing import BODY, Json, make_replay, post, recording, request, send, write

REORDERED = (
    b' { "messages" : [ {"content":"gr\\u00fc\\u00df" , "role":"user"} ], "temperature":1, '
    b'"max_tokens":16.0, "model":"claude-haiku-4-5" }\n'
)
SAME = [
    pytest.param(post(), id="as-recorded"),
    pytest.param(post(target="/v1/messages?beta=true"), id="query"),
    pytest.param(request("POST", "/v1/messages", REORDERED), id="written-differently"),
    pytest.param(request("POST", "/v1/messages", gzip.compress(REORDERED), content_encoding="gzip"), id="gzip"),
    pytest.param(request("POST", "/elsewhere", b"?", x_replay_id="one"), id="by-id"),
]


@pytest.mark.parametrize("sent", SAME)
async def test_same_request(tmp_path: Path, sent: Request) -> None:
    """Key order, white space, escapes, 1 or 1.0, compression and the query do not matter."""
    write(tmp_path, recording("one", answer={"n": 1}), recording("two", answer={"n": 2}, body={"other": 1}))
    status, _, pieces = await send(make_replay(tmp_path), sent)

    assert status == 200
    assert b'{"n":1}' == b"".join(pieces)


OTHER = [
    pytest.param(post({**BODY, "max_tokens": 17}), id="value"),
    pytest.param(post({**BODY, "stream": None}), id="further-member"),
    pytest.param(post({**BODY, "temperature": True}), id="true-is-not-1"),
    pytest.param(post({**BODY, "temperature": "1"}), id="text-is-not-1"),
    pytest.param(post(target="/v1/messages/count_tokens"), id="path"),
    pytest.param(request("PUT", "/v1/messages", json.dumps(BODY).encode()), id="method"),
    pytest.param(post(x_replay_id="two"), id="unknown-id"),
    pytest.param(request("POST", "/v1/messages", b"\xff{"), id="not-json"),
    pytest.param(request("POST", "/v1/messages"), id="empty"),
]


@pytest.mark.parametrize("sent", OTHER)
async def test_other_request(tmp_path: Path, sent: Request) -> None:
    """Anything else is a 404 in Anthropic's shape that is not worth a retry."""
    status, headers, pieces = await send(make_replay(write(tmp_path, recording("one", answer={}))), sent)
    whole = json.loads(b"".join(pieces))

    assert (404, "application/json", "false") == (status, headers["content-type"], headers["x-should-retry"])
    assert whole["type"] == "error"
    assert whole["error"]["type"] == "not_found_error"


MISSES = [
    pytest.param(
        post({**BODY, "secret": "s3cret"}), "POST /v1/messages (model claude-haiku-4-5, 1 message);", id="json"
    ),
    pytest.param(post({"input": "s3cret"}), "POST /v1/messages (no model, 0 messages);", id="no-model"),
    pytest.param(request("POST", "/x?s3cret=1", b"s3cret"), "POST /x with a body that is no JSON object;", id="text"),
    pytest.param(request("GET", "/v1/models?s3cret=1"), "GET /v1/models;", id="get"),
    pytest.param(post(x_replay_id="gone"), "the id gone;", id="id"),
]


@pytest.mark.parametrize(("sent", "told"), MISSES)
async def test_miss_says_what_was_looked_for(tmp_path: Path, sent: Request, told: str) -> None:
    """The 404 names what was looked for and never any content."""
    _, _, pieces = await send(make_replay(write(tmp_path, recording("one", answer={}))), sent)
    message = json.loads(b"".join(pieces))["error"]["message"]

    assert message == f"No recording matches {told} 1 were looked through"
    assert "s3cret" not in message


async def test_equal_recordings_take_turns(tmp_path: Path) -> None:
    """Several recordings of one request answer one after the other, by the names of their files."""
    folder = write(tmp_path, *(recording(name, answer=name) for name in ("b", "a", "c")))
    replay = make_replay(folder)
    answers = [b"".join((await send(replay, post()))[2]) for _ in range(4)]

    assert [b'"a"', b'"b"', b'"c"', b'"a"'] == answers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_without_a_body(tmp_path: Path, method: str) -> None:
    """`GET` and `HEAD` are found by method and path alone."""
    folder = write(tmp_path, recording("one", method=method, path="/v1/models?limit=9", body=None, answer={"data": []}))
    status, _, pieces = await send(make_replay(folder), request(method, "/v1/models?limit=1000", b"ignored"))

    assert status == 200
    assert ([] if method == "HEAD" else [b'{"data":[]}']) == pieces


async def test_other_files_are_passed_over(tmp_path: Path) -> None:
    """Files that are no recordings, and a second one with the same id, do not count."""
    write(tmp_path, recording("one", answer=1))
    (tmp_path / "deeper").mkdir()
    write(tmp_path / "deeper", recording("two", answer=2, body={"n": 2}), recording("zero", body={}))
    files: list[Json | str] = ["{", "[]", {"id": "x"}, recording("one", answer=3, body={"n": 3})]
    for number, content in enumerate(files):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / f"z{number}.json").write_text(text, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("{}", encoding="utf-8")
    replay = make_replay(tmp_path)

    assert (await send(replay, post({"n": 2})))[0] == 200
    _, _, pieces = await send(replay, post({"n": 3}))
    assert b"; 3 were looked through" in pieces[0]


async def test_a_file_that_went_away(tmp_path: Path) -> None:
    """A recording that was removed after the start is a 404 that names its file."""
    replay = make_replay(write(tmp_path, recording("one", answer=1)))
    await replay.start()
    (tmp_path / "one.json").unlink()
    status, _, pieces = await send(replay, post())

    assert status == 404
    assert b"one.json" in pieces[0]


async def test_broken_coding(tmp_path: Path) -> None:
    """A body that is not in its coding is a 400."""
    replay = make_replay(write(tmp_path, recording("one", answer=1)))

    assert (await send(replay, post(content_encoding="gzip")))[0] == 400


def test_no_folder() -> None:
    """An upstream without `recordings` cannot be made."""
    with pytest.raises(ValueError, match=r"upstream r .* needs recordings"):
        ReplayUpstream(Settings(name="r", kind="replay"), SystemClock())


@pytest.mark.parametrize("name", ["missing", "."])
async def test_wrong_folder(tmp_path: Path, name: str) -> None:
    """A folder that is missing or empty is an error of the start."""
    with pytest.raises(ConfigError, match="upstream replay: recordings: there is no "):
        await make_replay(tmp_path / name).start()
