"""One line of the doctor's report."""

from typing import Literal

import msgspec

Level = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about one thing."""

    check: str
    """A short, stable name: `data directory`, `upstream anthropic`."""
    level: Level
    """`ok`; `warn`: it works, the owner should look; `fail`: something will not work."""
    message: str
    hint: str = ""
    """What to do; empty where nothing is to be done."""


def ok(check: str, message: str) -> Finding:
    """All is well."""
    return Finding(check=check, level="ok", message=message)


def warn(check: str, message: str, hint: str) -> Finding:
    """It works, but."""
    return Finding(check=check, level="warn", message=message, hint=hint)


def fail(check: str, message: str, hint: str) -> Finding:
    """It will not work."""
    return Finding(check=check, level="fail", message=message, hint=hint)
