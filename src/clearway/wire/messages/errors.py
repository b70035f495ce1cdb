"""Our errors in the shape of Messages.

Source: `ErrorResponse` and the error types of the `anthropic` SDK 2.x, and what
Claude Code 2.1.329 was measured to do with them (read 2026-11-21): without
`x-should-retry: false` it retries a 401 for 40 seconds.
"""

import msgspec

from clearway.core.errors import BudgetExceeded, GatewayError, LimitExceeded, UpstreamError, UpstreamRefusedUs

TYPES: dict[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "invalid_request_error",
    413: "request_too_large",
    421: "invalid_request_error",
    426: "invalid_request_error",
    429: "rate_limit_error",
    431: "invalid_request_error",
    500: "api_error",
    502: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""`error.type` by status."""


def error_type(error: GatewayError) -> str:
    """The `error.type` that an error is told as."""
    return "billing_error" if isinstance(error, BudgetExceeded) else TYPES[error.status]


def render(error: GatewayError, request_id: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of an error that is ours.

    Args:
        error: What went wrong.
        request_id: The exchange's id, or another that can be found in the log.
    """
    sentence = error.sentence
    body = msgspec.json.encode(
        {
            "type": "error",
            "error": {"type": error_type(error), "message": f"Clearway: {sentence}"},
            "request_id": request_id,
        }
    )
    headers = fields_of(error, body, (b"request-id", request_id.encode()))
    if isinstance(error, LimitExceeded):
        headers += error.fields
    return error.status, headers, body


def fields_of(error: GatewayError, body: bytes, named: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """The fields that every format has with an error of ours; `named` is the one that names the request."""
    fields = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-clearway-error", error.code.encode()),
        named,
    ]
    if error.retry_after_s is not None:
        fields.append((b"retry-after", b"%d" % error.retry_after_s))
    if _is_final(error):
        fields.append((b"x-should-retry", b"false"))
    return fields


def _is_final(error: GatewayError) -> bool:
    """Whether trying again at once, or after `retry-after` where that is hours away, is in vain."""
    if isinstance(error, BudgetExceeded):
        return True
    ours = not isinstance(error, UpstreamError) or isinstance(error, UpstreamRefusedUs)
    return ours and error.retry_after_s is None
