"""What the simulated API refuses, and how."""

import gzip
import json

import pytest

from clearway.upstreams.protocol import Request
from tests.sim.asking import MODEL, Json, make_sim, post, prompt, send

USER: Json = {"role": "user", "content": "hello"}
BAD = [
    pytest.param({"max_tokens": 5, "messages": [USER]}, "model: Field required", id="no-model"),
    pytest.param({"model": MODEL, "messages": [USER]}, "max_tokens: Field required", id="no-max-tokens"),
    pytest.param({"model": MODEL, "max_tokens": 5}, "messages: Field required", id="no-messages"),
    pytest.param(prompt("", messages=[]), "messages:", id="empty-messages"),
    pytest.param(prompt("", messages=[{"role": "user"}]), "messages.0.content: Field required", id="no-content"),
    pytest.param(prompt("", messages=[USER, {"role": "tool", "content": ""}]), "messages.1.role:", id="wrong-role"),
    pytest.param(prompt("", messages=[{**USER, "content": 5}]), "messages.0.content:", id="content-number"),
    pytest.param(prompt("", messages=[{**USER, "content": ["a"]}]), "messages.0.content.0:", id="block-string"),
    pytest.param(prompt("", messages=[{**USER, "content": [{}]}]), "messages.0.content.0.type:", id="block-untyped"),
    pytest.param(
        prompt("", messages=[{**USER, "content": [{"type": "text"}]}]), "messages.0.content.0.text:", id="text-without"
    ),
    pytest.param(prompt("", model=5), "model:", id="model-number"),
    pytest.param(prompt("", max_tokens="5"), "max_tokens:", id="max-tokens-text"),
    pytest.param(prompt("", max_tokens=-1), "max_tokens:", id="max-tokens-negative"),
    pytest.param(prompt("", stream="yes"), "stream:", id="stream-text"),
    pytest.param(prompt("", thinking={"type": "enabled"}), "thinking.enabled.budget_tokens:", id="no-budget"),
    pytest.param(prompt("", thinking={"type": "enabled", "budget_tokens": 9}), "thinking.enabled", id="small-budget"),
    pytest.param(prompt("", thinking={"type": "enabled", "budget_tokens": 4000}), "max_tokens:", id="big-budget"),
    pytest.param(prompt("", tool_choice={"type": "tool", "name": "x"}), "tool_choice.name:", id="tool-not-there"),
    pytest.param(prompt("", cache_control={"type": "eternal"}), "cache_control.type:", id="cache-type"),
    pytest.param(prompt("", cache_control={"type": "ephemeral", "ttl": "2h"}), "cache_control.ttl:", id="cache-ttl"),
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("fields", "message"), BAD)
async def test_bad_body(fields: Json, message: str, *, stream: bool) -> None:
    """A body that does not fit is a 400 that names the field."""
    got = await send(make_sim(), post({"stream": stream, **fields}))
    error = got.error()

    assert got.status == 400
    assert error["type"] == "invalid_request_error"
    assert str(error["message"]).startswith(message)
    assert got.headers["content-type"] == "application/json"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"model":"\xff"}', b"[" * 100_000])
async def test_not_an_object(body: bytes) -> None:
    """A body that is no JSON object is a 400."""
    got = await send(make_sim(), Request(method=b"POST", target=b"/v1/messages", headers=[], body=body))

    assert got.status == 400
    assert got.error()["type"] == "invalid_request_error"


PATHS = [
    pytest.param("GET", "/", 404, id="root"),
    pytest.param("HEAD", "/api/hello", 404, id="head"),
    pytest.param("POST", "/v1/complete", 404, id="unknown"),
    pytest.param("POST", "/v1/messages/batches", 404, id="batches"),
    pytest.param("GET", "/v1/models/a/b", 404, id="deeper"),
    pytest.param("GET", "/v1/models/gpt-4o", 404, id="no-model-of-this-house"),
    pytest.param("GET", "/v1/messages", 405, id="wrong-method"),
]


@pytest.mark.parametrize(("method", "path", "status"), PATHS)
async def test_paths(method: str, path: str, status: int) -> None:
    """What is not there is a 404 in the API's shape; `HEAD` gets the same without a body."""
    got = await send(make_sim(), Request(method=method.encode(), target=path.encode(), headers=[]))

    assert status == got.status
    assert (got.body == b"") == (method == "HEAD")
    if got.body:
        assert got.error()["type"] == ("not_found_error" if status == 404 else "invalid_request_error")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
async def test_unknown_model(path: str) -> None:
    """Only names that begin with `claude-` are models."""
    got = await send(make_sim(), post(prompt("hello", model="gpt-4o"), path))

    assert got.status == 404
    assert {"type": "not_found_error", "message": "model: gpt-4o"} == got.error()


@pytest.mark.parametrize(
    ("version", "status"), [("2023-06-01", 200), ("2026-10-21", 400)], ids=["old-version", "new-version"]
)
async def test_sampling_parameters(version: str, status: int) -> None:
    """The newer version of the API has no sampling parameters."""
    got = await send(make_sim(), post(prompt("hello", temperature=1.0), anthropic_version=version))

    assert status == got.status


async def test_compressed_body() -> None:
    """A gzip body is the same request; one that is broken is a 400."""
    plain = json.dumps(prompt("hello")).encode()
    headers = [(b"content-encoding", b"gzip")]
    request = Request(method=b"POST", target=b"/v1/messages", headers=headers, body=gzip.compress(plain))
    broken = Request(method=b"POST", target=b"/v1/messages", headers=headers, body=plain)
    got = await send(make_sim(), request)

    assert got.message().content == (await send(make_sim(), post(prompt("hello")))).message().content
    assert (await send(make_sim(), broken)).status == 400


async def test_big_body() -> None:
    """Several megabytes are answered like anything else."""
    got = await send(make_sim(), post(prompt("x" * 3_000_000)))

    assert got.message().usage.input_tokens == -(-3_000_000 * 2 // 7)


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"enum": []}, {"type": "integer", "minimum": 2, "maximum": 1}])
async def test_impossible_schema(schema: Json) -> None:
    """A schema that nothing fits is a 400."""
    got = await send(make_sim(), post(prompt("", output_config={"format": {"type": "json_schema", "schema": schema}})))

    assert got.status == 400
    assert "schema" in str(got.error()["message"])
