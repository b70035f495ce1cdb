"""Errors in OpenAI's shape: ours, and the upstream's. What is told within a stream is each spoke's own.

Source: `ErrorObject` of the `openai` SDK 3.x, and what it was measured to do with
statuses and `x-should-retry` (read 2026-11-21). 529 is none that its users know: it is
told as 503. Used by wire/chat, wire/responses, gateway/errors and the gateway's sinks.
"""

import re
from collections.abc import Callable
from datetime import datetime

import msgspec

from clearway.core.errors import (
    BudgetExceeded,
    GatewayError,
    LimitExceeded,
    NoSuchModel,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NoUpstream,
    Overloaded,
    TooLarge,
    UpstreamBusy,
    UpstreamError,
    UpstreamLimited,
    UpstreamRefusedUs,
    UpstreamTimeout,
)
from clearway.core.fields import Headers
from clearway.wire.body import Unreadable
from clearway.wire.hub.events import Problem
from clearway.wire.hub.notes import Refusal
from clearway.wire.hub.places import place_in
from clearway.wire.messages.errors import fields_of

Told = tuple[int, str, str | None]
"""Status, type and code."""

_OURS: tuple[tuple[type[GatewayError], Told], ...] = (
    (Unreadable, (400, "invalid_request_error", "invalid_json")),
    (NotAuthenticated, (401, "authentication_error", "invalid_api_key")),
    (NotAllowed, (403, "permission_error", "model_not_allowed")),
    (NoSuchModel, (404, "invalid_request_error", "model_not_found")),
    (NotFound, (404, "invalid_request_error", "not_found")),
    (TooLarge, (413, "invalid_request_error", "request_too_large")),
    (BudgetExceeded, (429, "insufficient_quota", "insufficient_quota")),
    (LimitExceeded, (429, "rate_limit_error", "rate_limit_exceeded")),
    (Overloaded, (503, "server_error", "server_is_overloaded")),
    (NoUpstream, (503, "server_error", "no_upstream")),
    (UpstreamBusy, (503, "server_error", "server_is_overloaded")),
    (UpstreamLimited, (429, "rate_limit_error", "rate_limit_exceeded")),
    (UpstreamRefusedUs, (502, "server_error", "upstream_auth_failed")),
    (UpstreamTimeout, (504, "server_error", "upstream_timeout")),
    (UpstreamError, (502, "server_error", "upstream_error")),
)
"""The first that fits."""

_THEIRS: dict[str, Told] = {
    "invalid_request_error": (400, "invalid_request_error", None),
    "authentication_error": (401, "authentication_error", "invalid_api_key"),
    "billing_error": (402, "billing_error", "billing_not_active"),
    "permission_error": (403, "permission_error", "permission_denied"),
    "not_found_error": (404, "invalid_request_error", "model_not_found"),
    "request_too_large": (413, "invalid_request_error", "request_too_large"),
    "rate_limit_error": (429, "rate_limit_error", "rate_limit_exceeded"),
    "api_error": (500, "server_error", "server_error"),
    "timeout_error": (504, "server_error", "upstream_timeout"),
    "overloaded_error": (503, "server_error", "server_is_overloaded"),
}
"""By the `error.type` of Messages."""

_BY_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_BAD, _SERVER = 400, 500
_LONGEST = 4000
# Whatever looks like a credential, and addresses behind the upstream's door.
_SECRET = re.compile(r"(?:sk-ant-|cw-|sk-)[A-Za-z0-9_-]{6,}|https?://(?:localhost|[\w.-]*internal|[\d.]+)[^\s\"']*")
_TOO_LONG = re.compile(
    r"prompt is too long|context window|exceed context limit|input length and `max_tokens`", re.IGNORECASE
)


class _Answer(msgspec.Struct):
    error: Problem | None = None
    request_id: str | None = None


def error_body(message: str, kind: str, code: str | None, param: str | None = None) -> bytes:
    """The body that says so."""
    told = {"message": message, "type": kind, "param": param, "code": code}
    return msgspec.json.encode({"error": told})


def render(error: GatewayError, request_id: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of an error that is ours. See `wire/messages/errors.py`."""
    status, kind, code = told_as(error)
    param = error.param if isinstance(error, Refusal) else None
    body = error_body(f"Clearway: {error.sentence}", kind, code, param)
    headers = fields_of(error, body, (b"x-request-id", request_id.encode()))
    if isinstance(error, LimitExceeded):
        headers += limits(error.fields, None)
    return status, headers, body


def told_as(error: GatewayError) -> Told:
    """Status, type and code of an error that is ours."""
    if isinstance(error, Refusal):
        return _BAD, "invalid_request_error", error.why
    told = next((told for kind, told in _OURS if isinstance(error, kind)), None)
    if told is not None:
        return told
    if error.status < _SERVER:
        return error.status, "invalid_request_error", "invalid_value" if error.status == _BAD else error.code
    return error.status, "server_error", "server_error" if error.code == "internal" else error.code


def upstreams(
    status: int, body: bytes, *, model: str, asked: str, finds: Callable[[str], str | None] = lambda _: None
) -> tuple[Told, str, str | None]:
    """How an upstream's refusal is told to the client, the sentence, and what of the request it is about.

    Args:
        status: As it came.
        body: Likewise; anything.
        model: As it was asked for upstream.
        asked: As the client called it.
        finds: Says how the client would name a place in the request that was sent.
    """
    try:
        problem = msgspec.json.decode(body, type=_Answer).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        problem = None
    if problem is None or problem.message is None:
        # Not the API's own: a proxy's page, perhaps.
        kind = _BY_STATUS.get(status, "api_error" if status >= _SERVER else "invalid_request_error")
        problem = Problem(kind, f"the upstream answered {status} without a reason that can be read")
        if status >= _SERVER and status not in _BY_STATUS:
            return (502, "server_error", "upstream_error"), f"Clearway: {problem.message}", None
    param = finds(place) if problem.message and (place := place_in(problem.message)) else None
    return *of_problem(problem, status, model=model, asked=asked), param


def of_problem(problem: Problem, status: int | None, *, model: str, asked: str) -> tuple[Told, str]:
    """How a problem that an upstream tells is told, at the head of an answer or within, and the sentence.

    Args:
        problem: What it says.
        status: Of the answer; None for one that began well.
        model: As it was asked for upstream.
        asked: As the client called it.
    """
    kind = problem.type if problem.type in _THEIRS else _BY_STATUS.get(status or _SERVER, "api_error")
    told_status, told_kind, code = _THEIRS[kind or "api_error"]
    if status is not None and told_status != status and problem.type not in _THEIRS and status not in _BY_STATUS:
        told_status = status
    message = _SECRET.sub("***", (problem.message or "the upstream failed without a reason")[:_LONGEST])
    if kind == "invalid_request_error" and _TOO_LONG.search(message):
        code = "context_length_exceeded"
    if kind == "not_found_error":
        name = f"{asked} ({model})" if asked != model else model
        message = f"the model {name} is not known to the upstream: {message}"
    return (told_status, told_kind, code), message


def limits(headers: Headers, now_s: int | None) -> list[tuple[bytes, bytes]]:
    """What an answer's head tells of limits, in OpenAI's fields.

    Args:
        headers: Those of Messages, `anthropic-ratelimit-…` among them.
        now_s: Seconds since 1970; None: it is not told when all is there again.
    """
    told: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        found = _LIMIT.fullmatch(name)
        if found is None:
            continue
        what = b"tokens" if found[1] == b"input-tokens" else found[1]
        shown = _in(value, now_s) if found[2] == b"reset" else value
        if shown:
            told.append((b"x-ratelimit-%b-%b" % (found[2], what), shown))
    return told


_LIMIT = re.compile(rb"anthropic-ratelimit-(requests|input-tokens)-(limit|remaining|reset)")


def _in(moment: bytes, now_s: int | None) -> bytes:
    """How long until then, as `6m0s`; empty where it is no moment."""
    if now_s is None:
        return b""
    try:
        left = max(0, int(datetime.fromisoformat(moment.decode("latin-1")).timestamp()) - now_s)
    except ValueError:
        return b""
    minutes, seconds = divmod(left, 60)
    return b"%dm%ds" % (minutes, seconds) if minutes else b"%ds" % seconds
