"""What every command shares: the options before its name, and what they lead to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

if TYPE_CHECKING:
    from clearway.config.load import Loaded

KEY_VARIABLE = "CLEARWAY_KEY"
"""The variable of the shell that holds a client's key."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")]


class Options(msgspec.Struct, frozen=True):
    """The options of `clearway` itself."""

    config: Path | None = None
    data_dir: Path | None = None
    no_color: bool = False


def options_of(context: typer.Context) -> Options:
    """The options that stood before the command's name."""
    found = context.find_root().obj
    return found if isinstance(found, Options) else Options()


def load_config(context: typer.Context, flags: dict[str, object] | None = None) -> "Loaded":
    """The settings in force for this command line.

    Args:
        context: The command's context.
        flags: The command's own flags by setting, `{"server.port": 0}`.

    Raises:
        ConfigError: They cannot be used.
    """
    from clearway.config.load import environment, load  # noqa: PLC0415  # `--help` stays fast

    options = options_of(context)
    all_flags: dict[str, object] = {"server.data_dir": options.data_dir} | (flags or {})
    return load(path=options.config, environ=environment(), flags=all_flags)
