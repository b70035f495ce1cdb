"""A replay upstream for the conformance suite: one recording for each of its requests."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from clearway.upstreams.protocol import Upstream
from tests.replay.playing import Json, make_replay, recording, write

_BODY: Json = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "hi"}],
}
_EVENTS = "".join(f"event: {name}\ndata: {{}}\n\n" for name in ("message_start", "ping", "message_stop"))


@contextlib.asynccontextmanager
async def replay() -> AsyncIterator[Upstream]:
    """Started, with a recorded message and a recorded stream."""
    with tempfile.TemporaryDirectory() as folder:
        whole = recording("whole", body=_BODY, answer={"type": "message"})
        stream = recording("stream", body={**_BODY, "stream": True}, sse=_EVENTS, headers={})
        async with contextlib.aclosing(make_replay(write(Path(folder), whole, stream))) as upstream:
            await upstream.start()
            yield upstream
