"""When an upstream that refused says that it may be asked again.

Reads header fields only; what follows from it is `health`'s. Pure.
Sources: RFC 9110 section 10.2.3 (`retry-after`: seconds or a date); Anthropic API,
"Rate limits" (`anthropic-ratelimit-*-remaining` and `-reset`, RFC 3339); the unified
fields of subscription traffic (`-status`, and `-reset` in Unix seconds) as Claude Code
2.1.329 reads them; `retry-after-ms` and `x-should-retry` of the official SDKs (read
2026-11-21).
"""

import datetime as dt
import re
from email.utils import parsedate_to_datetime

import msgspec

from clearway.core.fields import Headers

_PREFIX = "anthropic-ratelimit-"
_UNIFIED = "anthropic-ratelimit-unified-"
_LONGEST = 64
"""Characters of a value that is worth reading: the longest date has half of that."""
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", re.ASCII)
_SECOND_US = 1_000_000
_SECOND_MS = 1000.0
_BESIDE = frozenset({"overage", "grace", "slow", "fallback"})
"""What the unified fields say beside the windows: ways around a limit, not limits."""
_OF_ACCOUNT = frozenset({"5h", "7d", "five_hour", "seven_day"})
"""Windows that hold for every model; `7d_opus` and the like hold for some."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a refusal says about later."""

    wait_s: float | None = None
    """Seconds until it may be asked again, more than 0; None: it does not say."""
    is_of_account: bool = False
    """The limit holds for every model."""
    takes_smaller: bool = False
    """Something is left of every limit: this request was too large for the rest of
    one, and a smaller one may pass.
    """
    is_final: bool = False
    """It says that asking again does not help (`x-should-retry: false`)."""


def read(headers: Headers, now_us: int) -> Told:
    """What the head of a refusal says.

    Args:
        headers: Names in lower case; only the first of several equal ones counts.
        now_us: Wall time: dates are told in it.
    """
    fields: dict[str, str] = {}
    for name, value in headers:
        if len(value) <= _LONGEST and name.startswith((b"anthropic-ratelimit-", b"retry-after", b"x-should-retry")):
            fields.setdefault(name.decode("latin-1"), value.decode("latin-1").strip())
    after = _after(fields, now_us)
    is_final = fields.get("x-should-retry", "").lower() == "false"
    rejected = _rejected(fields)
    if rejected or fields.get(f"{_UNIFIED}status") == "rejected":
        resets = [_until(fields.get(f"{_UNIFIED}{window}-reset"), now_us) for window in rejected]
        if not any(resets):
            resets = [_until(fields.get(f"{_UNIFIED}reset"), now_us)]
        claim = fields.get(f"{_UNIFIED}representative-claim", "")
        return Told(
            # All of them must be over: the latest decides.
            wait_s=_latest([*resets, after]),
            is_of_account=claim in _OF_ACCOUNT or not _OF_ACCOUNT.isdisjoint(rejected),
            is_final=is_final,
        )
    left = {
        name.removesuffix("-remaining"): value
        for name, value in fields.items()
        if name.startswith(_PREFIX) and name.endswith("-remaining")
    }
    used_up = [name for name, value in left.items() if value == "0"]
    # `-reset` is when a limit is whole again; `retry-after` when this request fits in.
    resets = [_until(fields.get(f"{name}-reset"), now_us) for name in used_up] if after is None else [after]
    return Told(wait_s=_latest(resets), takes_smaller=bool(left) and not used_up, is_final=is_final)


def _rejected(fields: dict[str, str]) -> list[str]:
    """The windows that refuse."""
    return [
        window
        for name, value in fields.items()
        if value == "rejected" and name.startswith(_UNIFIED) and name.endswith("-status")
        if (window := name[len(_UNIFIED) : -len("-status")]) and window.partition("-")[0] not in _BESIDE
    ]


def _after(fields: dict[str, str], now_us: int) -> float | None:
    milliseconds = fields.get("retry-after-ms", "")
    if _NUMBER.fullmatch(milliseconds):
        return _positive(float(milliseconds) / _SECOND_MS)
    value = fields.get("retry-after", "")
    if _NUMBER.fullmatch(value):
        return _positive(float(value))
    try:
        return _from_now(parsedate_to_datetime(value), now_us) if value else None
    except (ValueError, TypeError, OverflowError):
        return None


def _until(value: str | None, now_us: int) -> float | None:
    """Seconds until a moment in Unix seconds or RFC 3339."""
    if not value:
        return None
    if _NUMBER.fullmatch(value):
        return _positive(float(value) - now_us / _SECOND_US)
    try:
        return _from_now(dt.datetime.fromisoformat(value), now_us)
    except (ValueError, OverflowError):
        return None


def _from_now(moment: dt.datetime, now_us: int) -> float | None:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return _positive(moment.timestamp() - now_us / _SECOND_US)


def _positive(wait_s: float) -> float | None:
    # 0 and moments that are over are told by servers that do not know either.
    return wait_s if wait_s > 0 else None


def _latest(waits: list[float | None]) -> float | None:
    return max((wait for wait in waits if wait is not None), default=None)
