"""Errors of the simulated API, in the shape of the real one.

Source: `spec/anthropic.md` section 3.1 and the recorded answers (read 2026-11-21):
`x-should-retry` came as `true` with a 429 and as `false` with a 401.
"""

import msgspec

STATUS_OF_TYPE: dict[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_TYPE_OF_STATUS = {status: name for name, status in STATUS_OF_TYPE.items()}
_RETRIED = frozenset({408, 409, 429})
_SERVER_ERRORS = 500
_RATE_LIMITED = 429


class Fault(Exception):
    """An error answer.

    Args:
        status: 400 to 599.
        message: A sentence; never more of the request than a name.
        kind: `error.type`; by default the one that belongs to the status.
    """

    def __init__(self, status: int, message: str, kind: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind or type_of(status)

    def body(self, request_id: str) -> bytes:
        """The JSON body; also the data of an `error` event."""
        error = {"type": self.kind, "message": str(self)}
        return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})

    def hints(self) -> list[tuple[bytes, bytes]]:
        """Headers that say whether and when to try again."""
        is_passing = self.status in _RETRIED or self.status >= _SERVER_ERRORS
        hints = [(b"x-should-retry", b"true" if is_passing else b"false")]
        if self.status == _RATE_LIMITED:
            hints.append((b"retry-after", b"1"))
        return hints


def type_of(status: int) -> str:
    """The `error.type` of a status."""
    return _TYPE_OF_STATUS.get(status, "api_error" if status >= _SERVER_ERRORS else "invalid_request_error")
