"""Windows in the answer to a client's own question for its quota: `GET /api/oauth/usage`.

Here utilization is a percentage and a reset is a date, where the header fields have a
fraction and Unix seconds. Tolerant: everything may be null, and names that nobody knows
are windows all the same. Pure.
Source: what Claude Code 2.1.329 knows of it (2026-11-21).
Used by gateway/quota.
"""

from collections.abc import Iterator

import msgspec

from clearway.core.window import Reading
from clearway.wire.messages.windows import MOST_WINDOWS, moment_us, ppm, short_name, word

PATH = "/api/oauth/usage"
BODY_LIMIT = 64 * 1024
"""The longest answer that is read, in bytes; it has some hundred."""

_PERCENT, _MOST_PERCENT = 100, 10_000
_LONGEST_NAME = 32
_decoder = msgspec.json.Decoder(dict[str, object])


def read_quota(body: bytes) -> list[Reading]:
    """What the answer says, by windows; nothing where it is no such answer."""
    try:
        told = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    # `limits` says the same in other words; only where the windows themselves are missing it is needed.
    found = dict(_windows(told)) or dict(_limits(told.get("limits")))
    return list(found.values())[:MOST_WINDOWS]


def _windows(told: dict[str, object]) -> Iterator[tuple[str, Reading]]:
    for name, value in told.items():
        if isinstance(value, dict) and ("utilization" in value or "resets_at" in value):
            window = "overage" if name == "extra_usage" else short_name(name)
            yield from _reading(window, value.get("utilization"), value.get("resets_at"), value.get("disabled_reason"))


def _limits(told: object) -> Iterator[tuple[str, Reading]]:
    for value in told if isinstance(told, list) else []:
        if isinstance(value, dict) and isinstance(kind := value.get("kind"), str):
            model = _model(value.get("scope"))
            window = "overage" if kind == "spend" else f"{kind}-{model}" if model else kind
            yield from _reading(window, value.get("percent"), value.get("resets_at"))


def _model(scope: object) -> str:
    model = scope.get("model") if isinstance(scope, dict) else None
    name = model.get("display_name") if isinstance(model, dict) else None
    return name.lower().replace(" ", "_") if isinstance(name, str) else ""


def _reading(window: str, percent: object, resets_at: object, why: object = None) -> Iterator[tuple[str, Reading]]:
    if word(window) is None or len(window) > _LONGEST_NAME:
        return
    used = _used(percent)
    resets_us = moment_us(resets_at) if isinstance(resets_at, str) else None
    reason = word(why) if isinstance(why, str) else None
    if used is not None or resets_us is not None or reason is not None:
        notes = {} if reason is None else {"disabled-reason": reason}
        yield window, Reading(window=window, utilization_ppm=used, resets_us=resets_us, notes=notes)


def _used(percent: object) -> int | None:
    if isinstance(percent, bool) or not isinstance(percent, int | float):
        return None
    # Compared first: a whole number of a thousand digits cannot be divided.
    return ppm(percent / _PERCENT) if 0 <= percent <= _MOST_PERCENT else None
