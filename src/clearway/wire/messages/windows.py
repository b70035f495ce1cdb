"""Windows in the header fields of an answer: `anthropic-ratelimit-unified-*`.

What is to be read is worked out once for each list of names; then only values are
looked at. Nothing that an upstream sends makes this raise, or hand out more than
`MOST_WINDOWS` readings: what cannot be read was not said. Pure.
Source: Claude Code 2.1.329 as it reads them (2026-11-21): `<window>-status`,
`-utilization` (a fraction that may exceed 1), `-reset` (Unix seconds),
`-surpassed-threshold`; `status`, `reset` and `representative-claim` of the whole.
Used by observe/windows.
"""

import datetime as dt
import re

import msgspec

from clearway.core.fields import Choice, Fields, Names, by_names
from clearway.core.window import MILLION, Reading

PREFIX = b"anthropic-ratelimit-unified-"
MOST_WINDOWS = 32
"""Of one answer; the first ones count."""
WHOLE = "unified"
"""The window of an answer that tells a status and names no window."""

_MOST_NOTES = 8
_LONGEST = 64
"""Bytes of a value that is worth reading."""
_MOST_PPM = 100 * MILLION
"""More is no utilization."""
_FIELD = re.compile(r"([a-z0-9_]+(?:-[a-z0-9_]+){0,3})-(status|utilization|reset|surpassed-threshold)", re.ASCII)
_NOTE = re.compile(r"(overage)-([a-z-]{1,32})", re.ASCII)
_LONGEST_NAME = 32
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,18})?(?:[eE]-[0-9]{1,2})?", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_.:,-]{1,64}", re.ASCII)
_OF_WHOLE = frozenset({"status", "reset", "representative-claim"})
_SECOND_US = 1_000_000
_EARLIEST_US, _LATEST_US = 1_000_000_000 * _SECOND_US, 253_402_300_800 * _SECOND_US
"""2001 to 9999: what is meant as a moment lies between."""
_LONG_NAMES = (("seven_day_overage_included", "7d_oi"), ("seven_day", "7d"), ("five_hour", "5h"))


class Plan(msgspec.Struct, frozen=True):
    """Which fields of a head say something of windows, and what."""

    choice: Choice
    parts: tuple[tuple[str, str], ...]
    """Window and what is said of it, for each chosen field; the window is "" for what is said of the whole."""


def _plan(names: Names) -> Plan:
    parts: dict[tuple[str, str], int] = {}
    windows: set[str] = set()
    notes = 0
    for place, name in enumerate(names):
        if not name.startswith(PREFIX):
            continue
        part = _part(name[len(PREFIX) :].decode("latin-1"))
        if part is None or part in parts:
            continue
        window, what = part
        if window and window not in windows:
            if len(windows) == MOST_WINDOWS:
                continue
            windows.add(window)
        if what.startswith("note "):
            notes += 1
            if notes > _MOST_NOTES:
                continue
        parts[part] = place
    chosen = set(parts.values())
    return Plan(Choice(names, [place in chosen for place in range(len(names))]), tuple(parts))


def _part(name: str) -> tuple[str, str] | None:
    if name in _OF_WHOLE:
        return "", name
    if (found := _FIELD.fullmatch(name)) and len(found[1]) <= _LONGEST_NAME:
        return found[1], found[2]
    if found := _NOTE.fullmatch(name):
        return found[1], f"note {found[2]}"
    return None


plan_of = by_names(_plan)
"""By the names of an answer's fields; most plans have no parts."""


def values_of(plan: Plan, fields: Fields) -> tuple[bytes, ...]:
    """The values of the plan's fields, without those that are too long to be read."""
    return tuple([value if len(value) <= _LONGEST else b"" for value in plan.choice.of(fields).values])


def read(plan: Plan, values: tuple[bytes, ...]) -> list[Reading]:
    """What the fields say, by windows in the order of their fields."""
    said: dict[str, dict[str, str]] = {}
    for (window, what), value in zip(plan.parts, values, strict=True):
        text = value.decode("latin-1").strip()
        if text:
            said.setdefault(window, {})[what] = text
    whole = said.pop("", {})
    readings = {window: reading for window, parts in said.items() if (reading := _reading(window, parts)) is not None}
    return list(_with_whole(readings, whole).values())


def _reading(window: str, parts: dict[str, str]) -> Reading | None:
    reading = Reading(
        window=window,
        status=word(parts.get("status")),
        utilization_ppm=fraction_ppm(parts.get("utilization")),
        resets_us=moment_us(parts.get("reset")),
        threshold_ppm=fraction_ppm(parts.get("surpassed-threshold")),
        notes={
            what.removeprefix("note "): text
            for what, text in parts.items()
            if what.startswith("note ") and word(text) is not None
        },
    )
    return None if reading == Reading(window=window) else reading


def _with_whole(readings: dict[str, Reading], whole: dict[str, str]) -> dict[str, Reading]:
    """What is said of the whole is said of the window that decides."""
    status, resets_us = word(whole.get("status")), moment_us(whole.get("reset"))
    claim = word(whole.get("representative-claim"))
    window = None if claim is None else short_name(claim)
    if window is None:
        is_told = readings and (status != "rejected" or any(one.status == "rejected" for one in readings.values()))
        if is_told or (status is None and resets_us is None):
            return readings
        window = WHOLE
    if len(window) > _LONGEST_NAME or (window not in readings and len(readings) >= MOST_WINDOWS):
        return readings
    found = readings.get(window, Reading(window=window))
    deciding = msgspec.structs.replace(
        found,
        status=found.status or status,
        resets_us=resets_us if found.resets_us is None else found.resets_us,
        is_claim=True,
    )
    return {**readings, window: deciding}


def short_name(name: str) -> str:
    """`five_hour` and the like as the header fields spell them: `5h`."""
    for long, short in _LONG_NAMES:
        if name == long:
            return short
        if name.startswith(f"{long}_"):
            return short + name[len(long) :]
    return name


def word(text: str | None) -> str | None:
    """A value from a list of words; None where it is none."""
    return text if text is not None and _WORD.fullmatch(text) else None


def fraction_ppm(text: str | None) -> int | None:
    """A fraction in millionths; None where it is none."""
    return ppm(float(text)) if text is not None and _NUMBER.fullmatch(text) else None


def ppm(fraction: float) -> int | None:
    """A fraction in millionths; None where it cannot be one (negative, not a number, absurd)."""
    # Compared first: neither NaN nor infinity passes, and both would make `round` raise.
    return round(fraction * MILLION) if 0 <= fraction * MILLION <= _MOST_PPM else None


def moment_us(text: str | None) -> int | None:
    """A moment in Unix seconds or RFC 3339; None where it is none."""
    if not text or len(text) > _LONGEST:
        return None
    try:
        if _NUMBER.fullmatch(text):
            moment = round(float(text) * _SECOND_US)
        else:
            named = dt.datetime.fromisoformat(text)
            # To the second: the same reset is told with other fractions each time.
            moment = round((named if named.tzinfo else named.replace(tzinfo=dt.UTC)).timestamp()) * _SECOND_US
    except (ValueError, OverflowError):
        return None
    return moment if _EARLIEST_US <= moment < _LATEST_US else None
