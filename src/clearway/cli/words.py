"""How an exchange ended, in a word and a colour. Pure. Used by `log` and `show`."""

from clearway.ledger.protocol import AttemptRow, ExchangeRow

_CLIENT_ERROR = 400

_BY_TYPE = {
    "api_error": "failed",
    "authentication_error": "no auth",
    "billing_error": "billing",
    "invalid_request_error": "invalid",
    "not_found_error": "unknown",
    "overloaded_error": "busy",
    "permission_error": "refused",
    "rate_limit_error": "limited",
    "request_too_large": "too big",
    "timeout_error": "timeout",
}
"""Anthropic's error types: platform.claude.com, "Errors" (read 2026-11-21)."""
_BY_CODE = {
    "invalid_key": "no auth",
    "invalid_request": "invalid",
    "ledger_unavailable": "no ledger",
    "limit_exceeded": "limited",
    "no_upstream": "no route",
    "not_allowed": "refused",
    "not_found": "unknown",
    "overloaded": "busy",
    "too_large": "too big",
    "too_slow": "too slow",
    "upstream_credential": "bad key",
    "upstream_protocol": "cut off",
    "upstream_timeout": "timeout",
    "upstream_unreachable": "no answer",
}
"""Our own codes: core/errors.py."""
_BY_STATUS = {
    401: "no auth",
    403: "refused",
    404: "unknown",
    413: "too big",
    429: "limited",
    504: "timeout",
    529: "busy",
}
_BY_OUTCOME = {"client_closed": "left", "denied": "denied", "interrupted": "stopped", "upstream_error": "cut off"}
_STYLES = {"client_closed": "yellow", "denied": "magenta", "interrupted": "red", "upstream_error": "red"}


def result(row: ExchangeRow | AttemptRow) -> str:
    """`200`, `429 limited`, `200 cut off`, `running`: the status, and what went wrong in one word."""
    if row.outcome is None:
        return "running"
    status = str(row.status) if row.status is not None else ""
    return f"{status} {_word(row)}".strip() or "ok"


def style(row: ExchangeRow | AttemptRow) -> str:
    """The colour of `result`."""
    if row.outcome is None:
        return "cyan"
    if row.outcome == "ok":
        return "green" if row.status is None or row.status < _CLIENT_ERROR else "yellow"
    return _STYLES.get(row.outcome, "red")


def _word(row: ExchangeRow | AttemptRow) -> str:
    failed = row.status is not None and row.status >= _CLIENT_ERROR
    if row.outcome == "ok" and not failed:
        return ""
    if row.outcome in {"client_closed", "interrupted"}:
        return _BY_OUTCOME[row.outcome]
    found = _BY_CODE.get(row.error_code or "") or _BY_TYPE.get(row.error_type or "")
    if found is None and row.status is not None:
        found = _BY_STATUS.get(row.status)
    return found or ("failed" if failed else _BY_OUTCOME.get(row.outcome or "", "failed"))
