"""How a command fails: one clear line on stderr, a hint, an exit code.

| code | means                                    |
|------|------------------------------------------|
| 0    | done                                     |
| 1    | failed                                   |
| 2    | used wrongly                             |
| 3    | the configuration is invalid             |
| 4    | something cannot be reached              |
| 5    | refused                                  |
| 6    | a check found something (usage --check)  |
| 130  | interrupted                              |
| 141  | nobody reads the output any more (quiet) |

Used by cli/app around every command; commands raise `Failure` and its children.
"""

import enum
import sys

from clearway.cli.clean import clean
from clearway.config.problems import ConfigError


class Exit(enum.IntEnum):
    """Exit codes, a promise to scripts."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    UNREACHABLE = 4
    REFUSED = 5
    FOUND = 6
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class Failure(Exception):
    """A command cannot go on.

    Args:
        message: What is wrong; lower case, no full stop.
        hint: What to do next.
        code: The exit code.
    """

    def __init__(self, message: str, hint: str = "", code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


def report(message: str, hint: str = "") -> None:
    """Print one error. stderr is never coloured: it is read by logs, too."""
    print(f"clearway: {clean(message)}", file=sys.stderr)  # noqa: T201  # the one place for errors
    if hint:
        print(f"  hint: {clean(hint)}", file=sys.stderr)  # noqa: T201


def report_config(error: ConfigError) -> None:
    """Print every problem of a configuration."""
    for problem in error.problems:
        report(str(problem), problem.hint)
