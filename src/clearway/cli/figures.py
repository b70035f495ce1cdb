"""Numbers, times and money as people read them. Pure.

Widths are those of a column: every function but `exact_money` stays within eight
characters for anything that is likely. Used by the reading commands.
"""

from datetime import UTC, datetime, tzinfo

_NANO = 1_000_000_000
_DASH = "-"


def count(number: int | None) -> str:
    """`812`, `9,431`, `12.3k`, `1.24M`."""
    if number is None:
        return _DASH
    for factor, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if number >= factor * (10 if letter == "k" else 1):
            shown = number / factor
            return f"{shown:.0f}{letter}" if shown >= 100 else f"{shown:.3g}{letter}"  # noqa: PLR2004  # three digits
    return f"{number:,}"


def whole(number: int | None) -> str:
    """Every digit: `1,234,567`."""
    return _DASH if number is None else f"{number:,}"


def share(part: int | None, total: int | None) -> str:
    """A percentage, rounded so that only all is 100% and only nothing is 0%."""
    if not total or part is None:
        return _DASH
    percent = round(100 * part / total)
    if part and percent == 0:
        percent = 1
    if part < total and percent == 100:  # noqa: PLR2004  # percent
        percent = 99
    return f"{percent}%"


def money(nano: int | None) -> str:
    """Dollars with four digits that matter: `$0.0412`, `$12.34`, `<$0.0001`."""
    if nano is None:
        return _DASH
    dollars = nano / _NANO
    if nano == 0:
        return "$0"
    if dollars < 0.0001:  # noqa: PLR2004  # less than can be shown
        return "<$0.0001"
    digits = 4 if dollars < 1 else 3 if dollars < 10 else 2  # noqa: PLR2004  # where people stop caring
    return f"${dollars:,.{digits}f}"


def exact_money(nano: int | None) -> str:
    """Dollars to the last nano-dollar, at least two decimals: `$0.001234500` -> `$0.0012345`."""
    if nano is None:
        return "unknown"
    whole_part, rest = divmod(abs(nano), _NANO)
    decimals = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano < 0 else ''}${whole_part:,}.{decimals}"


def span(duration_us: int | None) -> str:
    """`41ms`, `0.41s`, `12.3s`, `2m05s`, `1h02m`."""
    if duration_us is None:
        return _DASH
    seconds = duration_us / 1_000_000
    if seconds < 0.0995:  # noqa: PLR2004  # where two decimals of a second say little
        return f"{duration_us / 1000:.0f}ms"
    if seconds < 9.995:  # noqa: PLR2004  # where two decimals end
        return f"{seconds:.2f}s"
    if seconds < 99.95:  # noqa: PLR2004  # where one decimal ends
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"  # noqa: PLR2004  # minutes


def lapse(duration_us: int) -> str:
    """`12s`, `3m`, `2h05m`, `4d03h`: roughly how long, for what takes longer than an answer."""
    seconds = duration_us // 1_000_000
    if seconds < 60:  # noqa: PLR2004  # seconds
        return f"{seconds}s"
    minutes = seconds // 60
    if minutes < 60:  # noqa: PLR2004  # minutes
        return f"{minutes}m"
    hours = minutes // 60
    return f"{hours}h{minutes % 60:02d}m" if hours < 48 else f"{hours // 24}d{hours % 24:02d}h"  # noqa: PLR2004  # hours


def moment(time_us: int | None, zone: tzinfo) -> str:
    """`2026-11-21 12:01:33`."""
    return _DASH if time_us is None else _local(time_us, zone).strftime("%Y-%m-%d %H:%M:%S")


def clock(time_us: int, zone: tzinfo) -> str:
    """`12:01:33`."""
    return _local(time_us, zone).strftime("%H:%M:%S")


def day(time_us: int, zone: tzinfo) -> str:
    """`2026-11-21`."""
    return _local(time_us, zone).strftime("%Y-%m-%d")


def size(size_bytes: int | None) -> str:
    """`812 B`, `12.3 kB`, `4.56 MB`."""
    if size_bytes is None:
        return _DASH
    for factor, unit in ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")):
        if size_bytes >= factor:
            return (
                f"{size_bytes / factor:.3g} {unit}" if size_bytes < 1000 * factor else f"{size_bytes // factor} {unit}"
            )
    return f"{size_bytes} B"


def _local(time_us: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC).astimezone(zone)
