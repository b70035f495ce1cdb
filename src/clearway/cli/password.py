"""`clearway password`: sets or removes the password of the admin API."""

import getpass
import sys
from typing import Annotated

import typer

from clearway.cli.access import open_ledger
from clearway.cli.failures import Exit, Failure
from clearway.cli.options import load_config
from clearway.cli.screen import note

_LONGEST_LINE = 4096


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(password)


def password(
    context: typer.Context,
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Remove it: only links sign in then.")] = False,
) -> None:
    """Set the password that signs in to the admin API, or remove it.

    It is asked for on the terminal, or read from stdin as one line. Every session ends.
    Without a password, `clearway open` makes links that sign in.
    """
    config = load_config(context).config
    encoded = None if remove else _encoded()
    with open_ledger(config) as ledger:
        was_there = ledger.set_password(encoded)
    if remove and not was_there:
        note("there was no password")
    else:
        note("removed the password; every session has ended" if remove else "set the password; every session has ended")


def _encoded() -> str:
    try:
        from clearway.keys.password import PasswordError, encode  # noqa: PLC0415  # `--help` stays fast
    except ImportError as error:
        raise Failure(str(error), code=Exit.FAILED) from error
    try:
        return encode(_asked() if sys.stdin.isatty() else _read())
    except PasswordError as error:
        raise Failure(str(error), code=Exit.USAGE) from error


def _asked() -> str:
    first = getpass.getpass("New password: ")
    if getpass.getpass("Again: ") != first:
        raise Failure("the two are not the same", "try again", Exit.USAGE)
    return first


def _read() -> str:
    try:
        line = sys.stdin.buffer.readline(_LONGEST_LINE).decode()
    except UnicodeDecodeError:
        raise Failure("the password on stdin is not UTF-8", code=Exit.USAGE) from None
    return line.removesuffix("\n").removesuffix("\r")
