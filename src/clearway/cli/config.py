"""`clearway config`: show what is in force, check it, begin a file."""

import os
from pathlib import Path
from typing import Annotated

import typer

from clearway.cli.clean import clean
from clearway.cli.failures import Exit, Failure
from clearway.cli.options import AsJson, load_config, options_of
from clearway.cli.screen import console, note, plain_table, print_json
from clearway.config.load import environment, user_config_file
from clearway.config.masking import masked_value
from clearway.config.sample import as_toml, sample
from clearway.config.tree import settings_of


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.callback(help="Show, check and begin the configuration.")(_group)
    app.command("show")(show)
    app.command("check")(check)
    app.command("init")(init)


def _group() -> None:
    """The group itself does nothing."""


def show(context: typer.Context, *, json: AsJson = False) -> None:
    """Show every setting in force and where it came from. Secrets are never shown."""
    loaded = load_config(context)
    settings = [(name, masked_value(name, value), kind) for name, value, kind in settings_of(loaded.config)]
    if json:
        shown = {name: {"value": value, "origin": loaded.origins[name]} for name, value, _ in settings}
        print_json({"path": str(loaded.path) if loaded.path else None, "settings": shown})
        return
    table = plain_table()
    for title in ("SETTING", "VALUE", "FROM"):
        table.add_column(title, overflow="fold")
    for name, value, kind in settings:
        if value is not None:
            origin = loaded.origins[name]
            style = "dim" if origin == "default" else None
            table.add_row(clean(name), clean(as_toml(value, kind)), clean(origin), style=style)
    console(context).print(table)


def check(context: typer.Context, *, json: AsJson = False) -> None:
    """Check the configuration; every problem is told, and the exit code is 3."""
    loaded = load_config(context)
    if json:
        print_json({"path": str(loaded.path) if loaded.path else None, "valid": True})
    elif loaded.path is None:
        note("no configuration file; the defaults and the environment are valid")
    else:
        note(f"{loaded.path} is valid")


def init(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Where. Default: in the user's configuration directory.")] = None,
) -> None:
    """Write a commented configuration file. Never overwrites one."""
    path = file or options_of(context).config or user_config_file(environment())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Failure(f"{path} exists already", "name another file, or edit that one", Exit.REFUSED) from None
    except OSError as error:
        raise Failure(f"{path} cannot be written: {(error.strerror or '').lower()}") from error
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(sample())
    note(f"wrote {path}")
