"""The connection to a real Valkey, whatever moment it is left at."""

import asyncio

from clearway.core.secret import Secret
from clearway.limits.shared.keys import Names
from clearway.limits.shared.link import Link
from tests.services import ValkeyProcess

_TURNS = 60
"""Of the event loop: more than a batch takes."""


async def test_who_cancels_is_heard(valkey: ValkeyProcess) -> None:
    """A task that is cancelled ends, also in the moment in which a batch has just been written."""
    link = Link(valkey.server.url, Secret(valkey.server.password))
    names = Names("test", "one")

    async def tell() -> None:
        number = 0
        while True:
            number += 1
            await link.run(names.fixed, ("one", str(number), b'[["beat"]]'))

    deaf = []
    try:
        for turns in range(_TURNS):
            telling = asyncio.get_running_loop().create_task(tell())
            for _ in range(turns):
                await asyncio.sleep(0)
            telling.cancel()
            await asyncio.wait((telling,), timeout=1)
            if not telling.done():
                deaf.append(turns)
            while not telling.done():
                telling.cancel()
                await asyncio.wait((telling,), timeout=0.01)
            assert telling.cancelled()
    finally:
        await link.aclose()

    assert [] == deaf
