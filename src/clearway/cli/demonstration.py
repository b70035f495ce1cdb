"""What `demo` shows: a gateway with a simulated model, and a day in small."""

import asyncio

import typer

from clearway.cli import usage
from clearway.cli.log import Printer
from clearway.cli.sample import Sample, send_samples
from clearway.cli.screen import console
from clearway.cli.serving import program, started
from clearway.compose import Running
from clearway.config.model import Config
from clearway.keys.model import KeySpec
from clearway.ledger.protocol import UsageQuery


async def demonstrate(context: typer.Context, config: Config, *, once: bool) -> None:
    """Start, send sample traffic through real sockets, show it as it happens."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    screen = console(context)
    printer = Printer(context, ZoneInfo(config.usage.timezone), json=False)
    async with started(config, show_first_key=False) as running:
        screen.print(f"A simulated model answers at {running.url}; nothing leaves this machine.\n")
        keys = [running.ledger.create_key(KeySpec(name=name)).secret for name in ("ada", "build-bot")]
        sample = Sample(url=running.url, keys=tuple(keys), timeouts=config.server.timeouts)
        with running.feed.subscribe() as updates:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(send_samples(sample))
                while not sending.done() or running.feed.open_exchanges:
                    batch = await updates.next(0.1)
                    printer.print([update.exchange for update in batch if update.what == "settled"])
        await _sum_up(context, running, data_dir=config.server.data_dir, once=once)
        if not once:
            await running.serving.draining()


async def _sum_up(context: typer.Context, running: Running, *, data_dir: str, once: bool) -> None:
    screen = console(context)
    query = UsageQuery(by=("key", "model"))
    rows = await asyncio.to_thread(running.ledger.usage, query)
    screen.print()
    screen.print(usage.table_of(rows, query.by, screen.width))
    if not once:
        screen.print(
            f"\nIt goes on until Ctrl-C. In another terminal:\n"
            f"  ANTHROPIC_BASE_URL={running.url} ANTHROPIC_API_KEY=dummy claude -p hi\n"
            f"  {program()} --data-dir {data_dir} log --follow\n"
            f"  {program()} --data-dir {data_dir} show ID\n"
            f"  {program()} --data-dir {data_dir} usage --by client\n",
            soft_wrap=True,
        )
