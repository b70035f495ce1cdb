"""`clearway demo`: everything at work with a simulated model and no account."""

import asyncio
from typing import Annotated

import typer

from clearway.cli.options import load_config, options_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    context: typer.Context,
    *,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)] = 0,
    once: Annotated[bool, typer.Option("--once", help="End after the sample traffic.")] = False,
    pace: Annotated[float, typer.Option(help="Milliseconds between the model's events.", min=0)] = 8.0,
) -> None:
    """Try everything with a simulated model and sample traffic.

    Nothing leaves this machine and nothing is spent. The ledger is a temporary
    one, unless --data-dir names another. Afterwards the gateway goes on until Ctrl-C, so that
    you can point a client at it and use the other commands.
    """
    import tempfile  # noqa: PLC0415  # `--help` stays fast
    from pathlib import Path  # noqa: PLC0415

    import msgspec  # noqa: PLC0415
    import uvloop  # noqa: PLC0415

    from clearway.cli.demonstration import demonstrate  # noqa: PLC0415
    from clearway.config.model import Log, Upstream  # noqa: PLC0415
    from clearway.observe.logging import configure  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="clearway-demo-", ignore_cleanup_errors=True) as scratch:
        named = options_of(context).data_dir
        data_dir = named or Path(scratch) / "data"
        # Whatever is configured for the real one: the demo stays on this machine and in its own ledger.
        own = {"server.host": "127.0.0.1", "server.behind_proxy": False, "store.url": "sqlite"}
        config = load_config(context, {"server.port": port, "server.data_dir": data_dir} | own).config
        configure(Log(level="error"))
        sim = Upstream(name="sim", kind="sim", pace_ms=pace)
        config = msgspec.structs.replace(config, upstreams=(sim,))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(demonstrate(context, config, once=once))
