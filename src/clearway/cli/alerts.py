"""`clearway alerts`: try out where alerts go."""

import asyncio
from typing import TYPE_CHECKING

import typer

from clearway.cli.clean import clean
from clearway.cli.failures import Exit, Failure, report
from clearway.cli.options import AsJson, load_config
from clearway.cli.screen import print_json

if TYPE_CHECKING:
    from clearway.upstreams.webhooks import Webhook


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.callback(help="Try out where alerts go.")(_group)
    app.command("test")(try_out)


def _group() -> None:
    """The group itself does nothing."""


def try_out(context: typer.Context, *, json: AsJson = False) -> None:
    """Send a test message to every webhook, once each. Exit code 1 if one was not taken.

    It is signed and sent as alerts are, from this machine, whether or not a gateway runs.
    """
    from clearway.config.load import environment  # noqa: PLC0415  # `--help` stays fast
    from clearway.upstreams.webhooks import webhooks  # noqa: PLC0415

    config = load_config(context).config
    receivers = webhooks(config, environment())
    if not receivers:
        raise Failure("no webhook is configured", "name one in usage.webhooks")
    results = asyncio.run(_send(receivers))
    if json:
        print_json([{"webhook": where, "taken": not why, "why": why} for where, why in results])
    for where, why in results:
        if why:
            report(f"{where} did not take the message: {why}")
        elif not json:
            typer.echo(clean(f"{where} took the message"))
    if any(why for _, why in results):
        raise typer.Exit(Exit.FAILED)


async def _send(receivers: "list[Webhook]") -> list[tuple[str, str | None]]:
    """Each receiver, and why it did not take the message."""
    from clearway.core.clock import SystemClock  # noqa: PLC0415
    from clearway.core.ids import IdMaker  # noqa: PLC0415
    from clearway.observe.delivery import NotTaken, post  # noqa: PLC0415
    from clearway.observe.passed import message_of  # noqa: PLC0415

    clock = SystemClock()
    message = message_of(IdMaker(clock).new(), "test", "a test message; all is well", {}, clock.now_us())
    results: list[tuple[str, str | None]] = []
    for receiver in receivers:
        try:
            await post(receiver, message, clock)
            results.append((receiver.shown, None))
        except NotTaken as error:
            results.append((receiver.shown, str(error)))
        finally:
            await receiver.aclose()
    return results
