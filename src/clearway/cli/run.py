"""`clearway run -- COMMAND`: one command whose requests go through a gateway."""

import sys
from typing import Annotated

import typer

from clearway.cli.options import load_config


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(run)


def run(
    context: typer.Context,
    command: Annotated[list[str], typer.Argument(help="The command and its arguments.", metavar="-- COMMAND…")],
    *,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no account at the end.")] = False,
) -> None:
    """Run a command with its requests going through a gateway.

    The command gets ANTHROPIC_BASE_URL and nothing else; its own login passes
    through untouched. A program named codex gets arguments as well, for that
    process alone, and shows the key in CLEARWAY_KEY. A running gateway is used;
    otherwise one is started on a free port and ends with the last command that
    needs it. At the end a short account is printed on stderr. The exit code is
    the command's own.
    """
    from clearway.cli.running import run_command  # noqa: PLC0415  # `--help` stays fast

    loaded = load_config(context)
    sys.exit(run_command(loaded, command, quiet=quiet))
