"""Where the commands print: text for people through rich, JSON as it is.

Data goes to stdout, notes to stderr. Values from outside go through `clean`.
"""

import re
import sys

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from clearway.cli.clean import clean
from clearway.cli.options import options_of
from clearway.config.load import environment

_PIPE_WIDTH = 160
"""Columns where nobody sees the output and `COLUMNS` is not set: nothing is cut."""
_NOT_IN_JSON = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Legal in JSON, but a terminal may obey them: escaped, which means the same."""


class _Screen(Console):
    """Rich's console, which lets `cli/app` decide what a closed pipe means."""

    def on_broken_pipe(self) -> None:
        """Raise what happened."""
        raise BrokenPipeError


def console(context: typer.Context) -> Console:
    """The console for stdout. Colours obey the terminal, `NO_COLOR` and `--no-color`."""
    made = _Screen(
        no_color=True if options_of(context).no_color else None,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )
    if not made.is_terminal and "COLUMNS" not in environment():
        made.width = _PIPE_WIDTH
    return made


def note(text: str) -> None:
    """Tell something that is not data."""
    print(f"clearway: {clean(text)}", file=sys.stderr, flush=True)  # noqa: T201  # notes go to stderr


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    typer.echo(_safe(msgspec.json.format(msgspec.json.encode(value), indent=2)))


def print_json_line(value: object) -> None:
    """Print a value as one line of JSON, at once."""
    typer.echo(_safe(msgspec.json.encode(value)))
    sys.stdout.flush()


def plain_table() -> Table:
    """A table without lines, for `add_column` and `add_row`."""
    return Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")


def _safe(encoded: bytes) -> str:
    return _NOT_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", encoded.decode())
