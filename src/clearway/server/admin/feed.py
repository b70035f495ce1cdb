"""The live feed as server-sent events: what happens, as it happens, to who may still watch.

Each event is called as its `what`, and its data is an `Update`; `dropped` tells how
many were lost because the reader is slow. Source: WHATWG HTML, "Server-sent events".
An update that was missed is not sent again: read the list of exchanges. Growth: the
watcher's bounded queue (observe/feed), `MOST` watchers. Used by server/admin/routes.
"""

import asyncio
from collections.abc import AsyncGenerator

import msgspec

from clearway.keys import policy
from clearway.server.admin.parts import Asked, Parts

MOST = 32
_LOOK_S = 1.0
_BEAT_EVERY = 15
_JUDGE_EVERY = 5
"""Looks between two looks at whether the reader may still watch."""


async def follow(parts: Parts, asked: Asked) -> AsyncGenerator[bytes]:
    """Until the reader leaves, its key or session ends, or the gateway drains."""
    with parts.feed.subscribe() as updates:
        yield b": here is what happens from now on\n\n"
        quiet = looks = dropped = 0
        while parts.is_serving():
            batch = await updates.next(_LOOK_S)
            looks += 1
            if looks % _JUDGE_EVERY == 0 and not await _may_watch(parts, asked):
                return
            quiet = 0 if batch else quiet + 1
            if updates.dropped > dropped:
                yield b'event: dropped\ndata: {"dropped":%d}\n\n' % (updates.dropped - dropped)
                dropped = updates.dropped
            if batch:
                yield b"".join(
                    b"event: %b\ndata: %b\n\n" % (update.what.encode(), msgspec.json.encode(update)) for update in batch
                )
            elif quiet % _BEAT_EVERY == 0:
                yield b": still here\n\n"


async def _may_watch(parts: Parts, asked: Asked) -> bool:
    visitor = asked.visitor
    if visitor.session is None:
        key = None if visitor.key is None else parts.ring.by_id(visitor.key.id)
        return key is not None and key.owner and policy.judge_key(key, parts.clock.now_us()) == policy.ALLOW
    # Watching alone does not keep a session alive.
    return await asyncio.to_thread(parts.desk.find_session, visitor.token, note=False) is not None
