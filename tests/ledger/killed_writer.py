"""A program that writes exchanges until it is killed; started by test_kill.

Prints one line per fact that the journal has confirmed: `admitted ID` and
`noted ID TOKENS`. Every fourth exchange is settled: `settled ID`.
"""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from clearway.core.clock import SystemClock
from clearway.core.ids import IdMaker
from clearway.core.usage import Usage
from clearway.ledger.instances import Instance
from clearway.ledger.store import Store
from clearway.ledger.writer import Writer
from tests.ledger.stories import Story


def say(*words: object) -> None:
    """Leaves this process before the next statement runs."""
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


async def one_after_another(writer: Writer, ids: IdMaker, me: str) -> None:
    """Exchanges of one client."""
    count = 0
    while True:
        count += 1
        story = Story(
            ids.new(), instance_id=me, admitted_us=SystemClock().now_us(), usage=Usage(output_tokens=2 * count)
        )
        if not await writer.committed(writer.admit(story.admission)):
            return
        say("admitted", story.id)
        writer.begin(story.start)
        for part in (1, 2):
            usage = Usage(output_tokens=10 * count + part)
            measure = msgspec.structs.replace(story.progress.measure, usage=usage)
            writer.progress(msgspec.structs.replace(story.progress, measure=measure))
            await writer.flush()
            say("noted", story.id, usage.output_tokens)
        if count % 4 == 0:
            writer.end(story.end)
            writer.settle(story.settlement)
            await writer.flush()
            say("settled", story.id)


async def main(url: str, data_dir: str) -> None:
    """Writes as ten clients at once."""
    clock = SystemClock()
    ids = IdMaker(clock)
    me = Instance(id=ids.new(), version="0.1.0", pid=os.getpid())
    with Store.open(url, Path(data_dir), clock=clock, ids=ids) as store:
        async with Writer(store, me, clock=clock) as writer, asyncio.TaskGroup() as tasks:
            for _ in range(10):
                tasks.create_task(one_after_another(writer, ids, me.id))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
