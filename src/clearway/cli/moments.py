"""Moments as people type them: `7d` ago, `2026-11-01`, `2026-11-01T12:00`. Pure."""

from contextlib import suppress
from datetime import datetime, tzinfo

from clearway.cli.failures import Exit, Failure
from clearway.config.units import UnitError, parse_duration

_MICRO = 1_000_000
_LATEST_US = 253_402_300_799 * _MICRO
"""The end of the year 9999."""


def past(text: str, *, now_us: int, zone: tzinfo, option: str) -> int:
    """A moment named by how long ago it was, or by its date (midnight) or time in `zone`."""
    moment = _dated(text, zone)
    if moment is None:
        moment = now_us - _duration_us(text, option)
    return max(0, moment)


def future(text: str, *, now_us: int, zone: tzinfo, option: str) -> int | None:
    """A moment to come, named by how long from now or by its date; None for `never`."""
    if text.strip().lower() == "never":
        return None
    moment = _dated(text, zone)
    if moment is None:
        moment = now_us + _duration_us(text, option)
    if moment <= now_us:
        raise Failure(f"{option}: {text!r} is already over", "name a moment to come, or never", Exit.USAGE)
    if moment > _LATEST_US:
        raise Failure(f"{option}: {text!r} is too far away", "write never", Exit.USAGE)
    return moment


def _dated(text: str, zone: tzinfo) -> int | None:
    try:
        named = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if named.tzinfo is None:
        named = named.replace(tzinfo=zone)
    return round(named.timestamp() * _MICRO)


def _duration_us(text: str, option: str) -> int:
    # A bare number is seconds in a setting; a person who types `--expires 30` means something else.
    if not text.strip().isdigit():
        with suppress(UnitError):
            return round(parse_duration(text) * _MICRO)
    message = f'{option}: {text!r} is neither a duration such as "7d" nor a date such as "2026-11-01"'
    raise Failure(message, code=Exit.USAGE)
