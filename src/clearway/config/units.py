"""Sizes and durations as people write them, both ways.

Sizes: `64MB` (powers of 1000), `512KiB` (powers of 1024), or a plain number of
bytes. Durations: `90s`, `12h`, `30d`, `1h30m`, or a plain number of seconds.
Pure. Used by config/convert and by the commands' options.
"""

import re
from decimal import Decimal

_BYTES = {
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KIB": 1024,
    "MIB": 1024**2,
    "GIB": 1024**3,
    "TIB": 1024**4,
}
_BYTES_SHOWN = {"KIB": "KiB", "MIB": "MiB", "GIB": "GiB", "TIB": "TiB"}
_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86_400),
    "w": Decimal(7 * 86_400),
}
_SECOND_MS = 1000
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,9})?"
_SIZE = re.compile(rf"({_NUMBER})\s*([A-Za-z]*)", re.ASCII)
_DURATION_PART = re.compile(rf"({_NUMBER})\s*(ms|s|m|h|d|w)", re.ASCII)
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern}\s*)+", re.ASCII)
_PLAIN = re.compile(_NUMBER, re.ASCII)


class UnitError(ValueError):
    """Not a size or duration; the text says what would be."""


def parse_size(text: str) -> int:
    """Bytes.

    Raises:
        UnitError: It is not a size, or not a whole number of bytes.
    """
    match = _SIZE.fullmatch(text.strip())
    factor = _BYTES.get(match[2].upper() or "B") if match else None
    if match is None or factor is None:
        raise UnitError(f'{text!r} is not a size; write it like "64MB", "512KiB" or a number of bytes')
    size = Decimal(match[1]) * factor
    if size != size.to_integral_value():
        raise UnitError(f"{text!r} is not a whole number of bytes")
    return int(size)


def parse_duration(text: str) -> float:
    """Seconds.

    Raises:
        UnitError: It is not a duration.
    """
    cut = text.strip()
    if _PLAIN.fullmatch(cut):
        return float(cut)
    if not _DURATION.fullmatch(cut):
        raise UnitError(f'{text!r} is not a duration; write it like "90s", "12h", "30d" or "1h30m"')
    return float(sum(Decimal(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(cut)))


def format_size(size_bytes: int) -> str:
    """The shortest exact form: `64MB`, `512KiB`, `1234B`."""
    for unit in ("TB", "GB", "MB", "KB", "TIB", "GIB", "MIB", "KIB"):
        if size_bytes and size_bytes % _BYTES[unit] == 0:
            return f"{size_bytes // _BYTES[unit]}{_BYTES_SHOWN.get(unit, unit)}"
    return f"{size_bytes}B"


def format_duration(duration_s: float) -> str:
    """The exact form in descending units: `30d`, `1h30m`, `1.5s`."""
    left_ms = round(duration_s * _SECOND_MS)
    parts: list[str] = []
    for unit in ("d", "h", "m"):
        count, left_ms = divmod(left_ms, int(_SECONDS[unit] * _SECOND_MS))
        if count:
            parts.append(f"{count}{unit}")
    if left_ms or not parts:
        parts.append(f"{left_ms}ms" if 0 < left_ms < _SECOND_MS else f"{left_ms / _SECOND_MS:g}s")
    return "".join(parts)
