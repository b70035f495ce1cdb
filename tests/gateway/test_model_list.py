"""The list of models from several upstreams, and from one that refuses."""

import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fake_upstream import Answer, FakeUpstream, Received, error_answer, json_answer
from tests.gateway_process import GatewayProcess, anthropic, passthrough

LIST = {"data": [{"id": "claude-a", "type": "model", "created_at": "2026-10-01T00:00:00Z"}], "has_more": False}
REFUSAL = error_answer(401, "authentication_error", "no such login", headers=[("request-id", "req_123456")])


def listing(_: Received) -> Answer:
    """An upstream with one model."""
    return json_answer(LIST)


def refusing(_: Received) -> Answer:
    """An upstream that refuses."""
    return REFUSAL


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What a test opens is closed after it."""
    with ExitStack() as opened:
        yield opened


def get(url: str, **fields: str) -> tuple[int, dict[str, str], bytes]:
    """`GET /v1/models`."""
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)) as connection:
        connection.request("GET", "/v1/models", headers=fields)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def test_one_that_fails_does_not_hide_the_others(stack: ExitStack, tmp_path: Path) -> None:
    """What can be listed is listed; the failure is an attempt in the ledger."""
    good = stack.enter_context(FakeUpstream(listing))
    config = anthropic("http://127.0.0.1:9") + anthropic(good.url).replace('"api"', '"spare"')
    gateway = stack.enter_context(GatewayProcess(tmp_path, config, environment={"UPSTREAM_CREDENTIAL": "sk-ant-dummy"}))
    key = gateway.new_key("ada")
    status, _, body = get(gateway.url, **{"x-api-key": key})
    row = gateway.settled(1)[0]

    assert (status, [entry["id"] for entry in json.loads(body)["data"]]) == (200, ["claude-a"])
    assert (row["outcome"], row["status"], row["attempts"], row["error_code"]) == ("ok", 200, 2, None)


def test_when_all_fail_the_first_failure_is_told(stack: ExitStack, tmp_path: Path) -> None:
    """And a list that was had once is not forgotten by it."""
    config = anthropic("http://127.0.0.1:9")
    gateway = stack.enter_context(GatewayProcess(tmp_path, config, environment={"UPSTREAM_CREDENTIAL": "sk-ant-dummy"}))
    status, headers, _ = get(gateway.url, **{"x-api-key": gateway.new_key("ada")})

    assert (status, headers["x-clearway-error"]) == (502, "upstream_unreachable")


def test_a_refusal_of_the_clients_own_login_is_its_own(stack: ExitStack, tmp_path: Path) -> None:
    """The upstream's answer, untouched, also where the list would have been translated."""
    upstream = stack.enter_context(FakeUpstream(refusing))
    gateway = stack.enter_context(GatewayProcess(tmp_path, passthrough(upstream.url)))
    status, headers, body = get(gateway.url, authorization="Bearer sk-ant-oat01-dummy")

    assert (status, headers["request-id"]) == (401, "req_123456")
    assert json.loads(body)["error"]["message"] == "no such login"
    assert "x-clearway-error" not in headers
