"""The `clearway` command: which commands there are, and what surrounds each.

A command's module is imported when the command is called, not before: it offers
`register(app)`, which adds the command (or its group) to an empty Typer app.
"""

import contextlib
import importlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from clearway import __version__
from clearway.cli.failures import Exit, Failure, report, report_config
from clearway.cli.options import Options

_COMMANDS = {
    "serve": ("clearway.cli.serve", "Run the gateway."),
    "reload": ("clearway.cli.reload", "Have the running gateway read its configuration again."),
    "run": ("clearway.cli.run", "Run a command with its requests going through a gateway."),
    "demo": ("clearway.cli.demo", "Try everything with a simulated model and no account."),
    "log": ("clearway.cli.log", "List exchanges, or follow them as they happen."),
    "show": ("clearway.cli.show", "Show everything about one exchange."),
    "usage": ("clearway.cli.usage", "Sum tokens and costs by day, model, key and more; show and check windows."),
    "keys": ("clearway.cli.keys", "Make and manage the keys that clients show."),
    "open": ("clearway.cli.open", "Print a link that signs a browser in."),
    "password": ("clearway.cli.password", "Set or remove the password of the admin API."),
    "env": ("clearway.cli.env", "Print what a client needs to be told."),
    "alerts": ("clearway.cli.alerts", "Try out where alerts go."),
    "doctor": ("clearway.cli.doctor", "Check this installation and say what to do."),
    "config": ("clearway.cli.config", "Show, check and begin the configuration."),
}
"""Name, module, and the line in `clearway --help`, in the order of the help."""


class _NobodyReads(Exception):
    """stdout was closed by its reader."""


class CommandTable(TyperGroup):
    """Knows every command's name and summary; imports a command when it is called."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401  # Typer's own signature
        super().__init__(**attributes)
        for name, (_, summary) in _COMMANDS.items():
            self.commands.setdefault(name, TyperCommand(name, help=summary))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  # Typer's own signature
        """Put the real command in place of its summary."""
        if args[0] in _COMMANDS:
            self.bring_in(args[0])
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  # Typer's own signature
        """Keep Typer from ending with 1 when nobody reads the output: that is no failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _NobodyReads from None

    def bring_in(self, name: str) -> None:
        """Import one command."""
        module, summary = _COMMANDS[name]
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        importlib.import_module(module).register(alone)
        command = typer.main.get_command(alone)
        command.name = name
        command.help = command.help or summary
        self.commands[name] = command

    def main(self, *args: Any, **extra: Any) -> NoReturn:  # noqa: ANN401  # Typer's own signature
        """Run a command line, tell what went wrong in one line, and exit."""
        sys.exit(_run(lambda: super(CommandTable, self).main(*args, **(extra | {"standalone_mode": False}))))


def whole() -> TyperGroup:
    """The command with every part imported, for generated documentation."""
    table = typer.main.get_command(app)
    if not isinstance(table, CommandTable):
        raise TypeError(table)
    for name in _COMMANDS:
        table.bring_in(name)
    return table


app = typer.Typer(
    name="clearway",
    cls=CommandTable,
    help="A self-hosted gateway and inspector for Claude.",
    epilog="Exit codes: 0 done, 1 failed, 2 used wrongly, 3 configuration invalid, 4 unreachable, 5 refused, "
    "6 a check found something, 130 interrupted.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    *,
    config: Annotated[Path | None, typer.Option(help="Configuration file.", metavar="FILE")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where the ledger lives.", metavar="DIR")] = None,
    no_color: Annotated[bool, typer.Option("--no-color", help="Print without colours, like NO_COLOR=1.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    context.obj = Options(config=config, data_dir=data_dir, no_color=no_color)
    if version:
        typer.echo(f"clearway {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


def _run(command: Any) -> int:  # noqa: ANN401, PLR0911  # one line for each way to end
    from clearway.config.problems import ConfigError  # noqa: PLC0415
    from clearway.ledger.protocol import LedgerError  # noqa: PLC0415

    try:
        code = command()
        sys.stdout.flush()
    except ConfigError as error:
        report_config(error)
        return Exit.CONFIG
    except Failure as error:
        report(str(error), error.hint)
        return error.code
    except LedgerError as error:
        report(str(error))
        return Exit.FAILED
    except typer.TyperException as error:
        report(_lower(error.format_message()), _usage_hint(error))
        return Exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return Exit.INTERRUPTED
    except (BrokenPipeError, _NobodyReads):
        _mute()
        return Exit.BROKEN_PIPE
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        report(f"{(error.strerror or type(error).__name__).lower()}{where}")
        return Exit.FAILED
    return code if isinstance(code, int) else Exit.OK


def _usage_hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    misplaced = getattr(error, "option_name", None)
    shared = context.find_root().command.params if context is not None else ()
    option = next((option for option in shared if misplaced in option.opts), None)
    if context is not None and option is not None:
        value = "" if option.is_flag else " …"
        program, _, command = context.command_path.partition(" ")
        return f"it stands before the command: {program} {misplaced}{value} {command}"
    return f"try: {context.command_path} --help" if context is not None else ""


def _lower(message: str) -> str:
    cut = message.strip().removesuffix(".")
    return cut[:1].lower() + cut[1:]


def _mute() -> None:
    """Let the interpreter's own last flush find nobody to complain to."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
