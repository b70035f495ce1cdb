"""Errors in Responses: what the head of an answer says, and the codes of `response.failed`.

Ids are those of the acceptance list of `docs/responses.md`.
"""

import json

import pytest

from clearway.core.errors import (
    BudgetExceeded,
    GatewayError,
    LimitExceeded,
    NoSuchModel,
    NotAllowed,
    NotAuthenticated,
    Overloaded,
    TooLarge,
    UpstreamRefusedUs,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from clearway.wire.hub.errors import of_problem, render, told_as, upstreams
from clearway.wire.hub.events import Problem
from clearway.wire.hub.notes import Refusal
from clearway.wire.responses.errors import code_of, sentence_of

NAMES = {"model": "claude-x", "asked": "gpt-5"}
LONG = "prompt is too long: 210000 tokens > 200000 maximum"

UPSTREAM = [
    # type, message, status, type, code of the head; code within a stream
    pytest.param(
        "invalid_request_error", "messages.2.content.0: bad", (400, "invalid_request_error", None), "invalid_prompt",
        id="E1-invalid",
    ),
    pytest.param(
        "invalid_request_error", LONG, (400, "invalid_request_error", "context_length_exceeded"),
        "context_length_exceeded", id="E2-X7-too-long",
    ),
    pytest.param(
        "authentication_error", "x", (401, "authentication_error", "invalid_api_key"), "server_error",
        id="E3-authentication",
    ),
    pytest.param(
        "billing_error", "x", (402, "billing_error", "billing_not_active"), "insufficient_quota", id="billing",
    ),
    pytest.param(
        "permission_error", "x", (403, "permission_error", "permission_denied"), "server_error", id="permission",
    ),
    pytest.param(
        "not_found_error", "model: claude-x", (404, "invalid_request_error", "model_not_found"), "server_error",
        id="E4-model",
    ),
    pytest.param(
        "request_too_large", "x", (413, "invalid_request_error", "request_too_large"), "invalid_prompt", id="E5-large",
    ),
    pytest.param(
        "rate_limit_error", "x", (429, "rate_limit_error", "rate_limit_exceeded"), "rate_limit_exceeded", id="E6-rate",
    ),
    pytest.param("api_error", "x", (500, "server_error", "server_error"), "server_error", id="api"),
    pytest.param("timeout_error", "x", (504, "server_error", "upstream_timeout"), "server_error", id="timeout"),
    pytest.param(
        "overloaded_error", "Overloaded", (503, "server_error", "server_is_overloaded"), "server_error",
        id="E7-X6-overloaded",
    ),
    pytest.param("of_2027", "x", (500, "server_error", "server_error"), "server_error", id="unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "message", "head", "within"), UPSTREAM)
def test_upstreams(kind: str, message: str, head: tuple[int, str, str | None], within: str) -> None:
    """E1, E2, E4, E5, E6, E7, X6, X7: each error of the upstream's has a status, a type and a code, and one code where
    it ends a stream: one that Codex tries again where that may help.
    """
    told, sentence = of_problem(Problem(kind, message), None, **NAMES)

    assert head == told
    assert within == code_of(told)
    assert message in sentence


OURS = [
    pytest.param(NotAuthenticated("x"), 401, "authentication_error", "invalid_api_key", "server_error", id="key"),
    pytest.param(NotAllowed("x"), 403, "permission_error", "model_not_allowed", "server_error", id="not-allowed"),
    pytest.param(NoSuchModel("x"), 404, "invalid_request_error", "model_not_found", "server_error", id="E4-model"),
    pytest.param(TooLarge("x"), 413, "invalid_request_error", "request_too_large", "invalid_prompt", id="E5-large"),
    pytest.param(
        BudgetExceeded("x"), 429, "insufficient_quota", "insufficient_quota", "insufficient_quota", id="X8-budget",
    ),
    pytest.param(
        LimitExceeded("x", retry_after_s=7), 429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_exceeded",
        id="E11-limit",
    ),
    pytest.param(Overloaded("x"), 503, "server_error", "server_is_overloaded", "server_error", id="overloaded"),
    pytest.param(
        UpstreamRefusedUs("x"), 502, "server_error", "upstream_auth_failed", "server_error", id="E3-credential",
    ),
    pytest.param(UpstreamTimeout("x"), 504, "server_error", "upstream_timeout", "server_error", id="timeout"),
    pytest.param(UpstreamUnreachable("x"), 502, "server_error", "upstream_error", "server_error", id="unreachable"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "status", "kind", "code", "within"), OURS)
def test_ours(error: GatewayError, status: int, kind: str, code: str, within: str) -> None:
    """E3, E11, X8: errors of ours say so, in the head and in a stream, and how long to wait where that is known."""
    told_status, headers, body = render(error, "0190")
    told = json.loads(body)["error"]

    assert (status, kind, code, None) == (told_status, told["type"], told["code"], told["param"])
    assert b"0190" == dict(headers)[b"x-request-id"]
    assert within == code_of(told_as(error))
    message = sentence_of(within, error.sentence, error.retry_after_s)
    assert (error.retry_after_s is not None) == message.endswith("Please try again in 7s.")


def test_refusal_names_its_field() -> None:
    """A field that cannot be served is named."""
    _, _, body = render(Refusal("tools[0].type", "no", "unsupported_value"), "0190")

    error = json.loads(body)["error"]
    assert ("tools[0].type", "unsupported_value") == (error["param"], error["code"])


def test_page_of_a_proxy() -> None:
    """E8: what is no error of the API's is told as JSON all the same."""
    told, _, _ = upstreams(502, b"<html>bad gateway</html>", model=NAMES["model"], asked=NAMES["asked"])

    assert (502, "server_error", "upstream_error") == told


def test_secrets() -> None:
    """E10: what looks like a credential, or an address behind the upstream's door, is not passed on."""
    problem = Problem("api_error", "key sk-ant-api03-abcdefgh at http://10.0.0.1:80/x")
    _, sentence = of_problem(problem, None, **NAMES)

    assert "abcdefgh" not in sentence
    assert "10.0.0.1" not in sentence
