"""What `response.failed` says of an error: its code. Errors of the head: `wire/hub/errors.py`. Pure.

Source: `ResponseError` of the `openai` SDK 3.x, and what Codex CLI 0.169.0 was measured to
do with codes (read 2026-11-21): `server_error` and `rate_limit_exceeded` are tried again,
`invalid_prompt`, `context_length_exceeded`, `insufficient_quota` are final, and so would
`server_is_overloaded` be, which therefore is not said here.
Used by teller.py.
"""

from clearway.wire.hub.errors import Told

_SAME = ("context_length_exceeded", "insufficient_quota")
_CLIENTS = (400, 413)
_BILLING, _LIMITED = 402, 429


def code_of(told: Told) -> str:
    """The code for an error that the head of an answer would tell so."""
    status, _, code = told
    if code in _SAME:
        return code
    if status == _BILLING:
        return "insufficient_quota"
    if status == _LIMITED:
        return "rate_limit_exceeded"
    return "invalid_prompt" if status in _CLIENTS else "server_error"


def sentence_of(code: str, message: str, retry_after_s: int | None) -> str:
    """The message, with how long to wait where that is known: Codex reads it out of these words."""
    if code == "rate_limit_exceeded" and retry_after_s is not None:
        return f"{message}. Please try again in {retry_after_s}s."
    return message
