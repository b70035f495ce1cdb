"""What every implementation of `Upstream` promises (see `makers.py` to add one).

What only a socket can show (cut answers, limits, connections) is in
`test_http_conformance.py`, for those that speak HTTP.
"""

import asyncio
import contextlib
from typing import get_args

import pytest

from clearway.upstreams.protocol import Kind, Pays, Request
from tests.upstreams.hostile import whole
from tests.upstreams.makers import MAKERS, Maker

pytestmark = pytest.mark.parametrize("maker", MAKERS)


def asking(*, stream: bool, body_type: type[bytes | bytearray | memoryview] = bytes) -> Request:
    """A small Messages request."""
    streamed = b',"stream":true' if stream else b""
    body = b'{"model":"claude-sonnet-5-5","max_tokens":64,"messages":[{"role":"user","content":"hi"}]%s}' % streamed
    headers = ((b"content-type", b"application/json"), (b"anthropic-version", b"2023-06-01"))
    return Request(method=b"POST", target=b"/v1/messages?beta=true", headers=headers, body=body_type(body))


async def test_it_says_who_it_is(maker: Maker) -> None:
    """A name, a kind and a payer from their lists, patterns of models."""
    async with maker() as upstream:
        assert upstream.name
        assert upstream.kind in get_args(Kind)
        assert upstream.pays in get_args(Pays)
        assert all(isinstance(pattern, str) for pattern in upstream.models)
        assert isinstance(upstream.models, tuple)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_answer_is_read_to_its_end(maker: Maker, *, stream: bool) -> None:
    """`ended` is false until the last byte is handed out; then `read` gives nothing, for ever."""
    async with maker() as upstream, upstream.open(asking(stream=stream)) as reply:
        pieces = []
        while not reply.ended:
            pieces.append(await reply.read())

        assert reply.status == 200
        assert all(pieces[:-1])
        assert b"message" in b"".join(pieces)
        assert reply.ended
        assert b"" == await reply.read() == await reply.read()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_headers_are_pairs_of_bytes_in_lower_case(maker: Maker, *, stream: bool) -> None:
    """With the type of the content, and nothing that could end a line."""
    async with maker() as upstream, upstream.open(asking(stream=stream)) as reply:
        kind = b"text/event-stream" if stream else b"application/json"

        assert dict(reply.headers)[b"content-type"].startswith(kind)
        for name, value in reply.headers:
            assert name == name.lower()
            assert not set(name + value) & set(b"\r\n\0")


@pytest.mark.parametrize("body_type", [bytes, bytearray, memoryview])
async def test_a_body_may_be_any_buffer(maker: Maker, body_type: type[bytes | bytearray | memoryview]) -> None:
    """And the request is not changed."""
    request = asking(stream=False, body_type=body_type)
    before = (request.method, request.target, tuple(request.headers), bytes(request.body))
    async with maker() as upstream, upstream.open(request) as reply:
        assert reply.status == 200
        assert b"message" in await whole(reply)

    assert before == (request.method, request.target, tuple(request.headers), bytes(request.body))


async def test_one_request_can_be_sent_again(maker: Maker) -> None:
    """A retry uses the same value."""
    request = asking(stream=False)
    async with maker() as upstream:
        for _ in range(3):
            async with upstream.open(request) as reply:
                assert reply.status == 200
                await whole(reply)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_leaving_early_harms_nobody(maker: Maker, *, stream: bool) -> None:
    """Without reading, after one piece, or by an error; the next request is answered."""
    async with maker() as upstream:
        async with upstream.open(asking(stream=stream)):
            pass
        async with upstream.open(asking(stream=stream)) as reply:
            await reply.read()
        with contextlib.suppress(LookupError):
            async with upstream.open(asking(stream=stream)):
                raise LookupError

        async with upstream.open(asking(stream=stream)) as reply:
            assert b"message" in await whole(reply)


async def test_it_can_be_cancelled_at_any_await(maker: Maker) -> None:
    """Whenever the client leaves; the next request is answered."""

    async def ask() -> None:
        async with upstream.open(asking(stream=True)) as reply:
            await whole(reply)

    async with maker() as upstream:
        for turns in range(25):
            async with asyncio.TaskGroup() as group:
                task = group.create_task(ask())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
        await ask()


async def test_a_cancelled_read_loses_nothing(maker: Maker) -> None:
    """A heartbeat may interrupt every wait."""
    async with maker() as upstream:
        async with upstream.open(asking(stream=True)) as reply:
            undisturbed = await whole(reply)
        async with upstream.open(asking(stream=True)) as reply:
            pieces = []
            while not reply.ended:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0):
                        pieces.append(await reply.read())
                await asyncio.sleep(0)

    assert undisturbed.count(b"event:") == b"".join(pieces).count(b"event:")


async def test_many_at_once(maker: Maker) -> None:
    """They do not wait for one another, and each is whole."""

    async def ask() -> bytes:
        async with upstream.open(asking(stream=True)) as reply:
            return await whole(reply)

    async with maker() as upstream:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask()) for _ in range(20)]

        assert all(b"message_stop" in task.result() for task in tasks)
