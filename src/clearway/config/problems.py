"""What can be wrong with a configuration, all told at once.

Used by every module of this room; the commands turn `ConfigError` into exit code 3.
"""

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong."""

    where: str
    """The file, variable or flag."""
    setting: str
    """The setting with dots, `server.port`; empty where the whole file is meant."""
    message: str
    """Lower case, no full stop. Never a secret."""
    hint: str = ""
    """What to do next; may be empty."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.setting, self.message) if part)


class ConfigError(Exception):
    """The configuration cannot be used."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
