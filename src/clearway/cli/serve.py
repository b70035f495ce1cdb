"""`clearway serve`: run the gateway until it is told to stop."""

import asyncio
from functools import partial
from typing import Annotated

import typer

from clearway.cli.options import load_config


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    context: typer.Context,
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", metavar="ADDRESS")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON when it accepts requests.")] = False,
    while_held: Annotated[bool, typer.Option(hidden=True, help="End when no `clearway run` needs it.")] = False,
) -> None:
    """Run the gateway.

    It listens on loopback unless configured otherwise and prints the address to
    point clients at. SIGTERM or Ctrl-C lets running answers finish; a second one ends at once.
    SIGHUP reads the configuration again, as `clearway reload` does.
    """
    from clearway.cli.serving import serve_until_stopped  # noqa: PLC0415  # `--help` stays fast
    from clearway.observe.logging import configure  # noqa: PLC0415

    reread = partial(load_config, context, {"server.host": host, "server.port": port})
    loaded = reread()
    configure(loaded.config.log)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve_until_stopped(reread, loaded, as_json=as_json, while_held=while_held))


def _loop_factory() -> type[asyncio.AbstractEventLoop]:
    import uvloop  # noqa: PLC0415

    return uvloop.Loop
