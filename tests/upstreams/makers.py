"""The implementations of `Upstream` that the conformance suite runs over.

A maker is a context that yields a working upstream: one that answers
`POST /v1/messages`, streamed or not. To add one, write it and add a line to `MAKERS`.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from clearway.config import model as config
from clearway.core.secret import Secret
from clearway.upstreams.anthropic import AnthropicUpstream
from clearway.upstreams.http import Address, HttpClient
from clearway.upstreams.passthrough import PassthroughUpstream
from clearway.upstreams.protocol import Upstream
from tests.replay.maker import replay
from tests.sim.maker import sim
from tests.upstreams.hostile import Peer, chunked, hostile, plain

Maker = Callable[[], AbstractAsyncContextManager[Upstream]]


async def speak_messages(peer: Peer) -> None:
    """A well-behaved upstream: a JSON message, or a stream in three pieces."""
    while request := await peer.request():
        if b'"stream":true' in request:
            stream = chunked(
                *(b"event: %s\ndata: {}\n\n" % name for name in (b"message_start", b"ping", b"message_stop"))
            )
            head, _, body = stream.partition(b"\r\n\r\n")
            await peer.send(head + b"\r\ncontent-type: text/event-stream\r\n\r\n", body[:40], body[40:90], body[90:])
        else:
            await peer.send(plain(b'{"type":"message"}', b"content-type: application/json"))


@contextlib.asynccontextmanager
async def anthropic() -> AsyncIterator[Upstream]:
    """With a credential of the gateway's."""
    async with hostile(speak_messages) as journal:
        settings = config.Upstream(name="it", kind="anthropic", base_url=journal.url)
        client = HttpClient(Address.parse(journal.url), config.Timeouts())
        async with contextlib.aclosing(AnthropicUpstream(settings, Secret("sk-dummy"), client)) as upstream:
            yield upstream


@contextlib.asynccontextmanager
async def passthrough() -> AsyncIterator[Upstream]:
    """With the client's."""
    async with hostile(speak_messages) as journal:
        settings = config.Upstream(name="it", kind="passthrough", base_url=journal.url, allow_hosts=("127.0.0.1",))
        client = HttpClient(Address.parse(journal.url), config.Timeouts())
        async with contextlib.aclosing(PassthroughUpstream(settings, client)) as upstream:
            yield upstream


MAKERS = [
    pytest.param(anthropic, id="anthropic"),
    pytest.param(passthrough, id="passthrough"),
    pytest.param(replay, id="replay"),
    pytest.param(sim, id="sim"),
]
