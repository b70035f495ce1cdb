"""`clearway reload`: the running gateway reads its configuration again."""

from pathlib import Path

import typer

from clearway.cli.access import find_socket
from clearway.cli.clean import clean
from clearway.cli.failures import Exit, Failure, report
from clearway.cli.options import AsJson, load_config, options_of
from clearway.cli.remote import reload as ask_reload
from clearway.cli.screen import note, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reload")(reload)


def reload(context: typer.Context, *, json: AsJson = False) -> None:
    """Have the running gateway read its configuration again, as SIGHUP does.

    Prints what has changed and what needs a restart. Where anything is wrong with the
    new configuration nothing changes, every problem is told, and the exit code is 3.
    Requests that run end with the settings they began with.
    """
    named = options_of(context).data_dir
    # The gateway reads for itself: which file it is may be its own knowledge.
    data_dir = named or Path(load_config(context).config.server.data_dir)
    socket = find_socket(data_dir)
    if socket is None:
        hint = "start one with: clearway serve; where server.data_dir was changed: clearway --data-dir OLD reload"
        raise Failure(f"no gateway runs on {data_dir}", hint, Exit.UNREACHABLE)
    came = ask_reload(socket)
    if json:
        print_json(came)
    for problem in came.problems:
        report(str(problem), problem.hint)
    if came.problems:
        note("nothing has changed")
        raise typer.Exit(Exit.CONFIG)
    if json:
        return
    for change in came.changes:
        typer.echo(clean(f"{change}{' (needs a restart)' if change.needs_restart else ''}"))
    if not came.changes:
        note("no setting has changed; the files that they name were read again")
