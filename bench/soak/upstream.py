"""The answering side of the soak, in a process of its own: bench/upstream.c's language, and failures too.

Not that program, because the short soak runs wherever the tests do, with or
without a compiler. What it adds: `e529`, an error of that status; `x1`, the
connection ends where the answer's end would be. Prints its port.
`python -m bench.soak.upstream`
"""

import asyncio
import re

import msgspec

_LETTER = re.compile(rb"-([a-z])(\d+)")
_WANTED = re.compile(rb'"(bench[a-z0-9-]*)"')
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PEEK = 512
_USAGE = (
    b'"usage":{"input_tokens":2095,"cache_creation_input_tokens":128,"cache_read_input_tokens":18000,'
    b'"output_tokens":%d}'
)
_MESSAGE = b'"id":"msg_soak","type":"message","role":"assistant","model":"claude-sonnet-5-5","stop_sequence":null,'
_FIELDS = (
    b"request-id: req_soak\r\nanthropic-ratelimit-requests-limit: 20000\r\n"
    b"anthropic-organization-id: 00000000-0000-0000-0000-000000000000\r\nserver: cloudflare\r\n"
)
_START = (
    b'event: message_start\ndata: {"type":"message_start","message":{%b"content":[],"stop_reason":null,%b}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":'
    b'{"type":"text","text":""}}\n\n'
) % (_MESSAGE, _USAGE % 1)
_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
    b'"text":"some words of an answer "}}\n\n'
)
_END = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    b'%b}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
) % (_USAGE % 503)


class Counts(msgspec.Struct):
    """What `GET /stats` says; a subset of what bench/upstream.c counts."""

    begun: int = 0
    requests: int = 0
    streams: int = 0
    dropped: int = 0
    dropped_ns: int = 0
    sent_bytes: int = 0
    connections: int = 0
    open: int = 0
    answering: int = 0


class _Upstream:
    def __init__(self) -> None:
        self._counts = Counts()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        counts = self._counts
        counts.connections += 1
        counts.open += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            counts.dropped += 1
        finally:
            counts.open -= 1
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return False
        if head.startswith(b"GET /stats "):
            said = msgspec.json.encode(self._counts)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(said), said))
            return True
        self._counts.begun += 1
        found = _LENGTH.search(head)
        left = int(found[1]) if found else 0
        start = await reader.readexactly(min(left, _PEEK))
        left -= len(start)
        while left:
            left -= len(await reader.readexactly(min(left, 1 << 16)))
        self._counts.requests += 1
        self._counts.answering += 1
        try:
            return await self._answer(start, reader, writer)
        finally:
            self._counts.answering -= 1

    async def _answer(self, start: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        found = _WANTED.search(start)
        wanted = {letter: int(number) for letter, number in _LETTER.findall(found[1] if found else b"")}
        await self._wait(wanted.get(b"d", 0), reader)
        if status := wanted.get(b"e"):
            said = b'{"type":"error","error":{"type":"invalid_request_error","message":"as it was wanted"}}'
            writer.write(_head(b"%d Wanted" % status, said))
        elif b'"stream":true' in start:
            await self._stream(wanted, reader, writer)
        else:
            text = b"some words. " * (wanted.get(b"s", 700) // 12)
            content = b'"stop_reason":"end_turn","content":[{"type":"text","text":"%b"}]' % text
            writer.write(_head(b"200 OK", b"{%b%b,%b}" % (_MESSAGE, _USAGE % 503, content)))
        await writer.drain()
        return b"x" not in wanted

    async def _stream(
        self, wanted: dict[bytes, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._counts.streams += 1
        writer.write(
            b"HTTP/1.1 200 OK\r\n%bcontent-type: text/event-stream; charset=utf-8\r\n"
            b"transfer-encoding: chunked\r\n\r\n%b" % (_FIELDS, _chunk(_START))
        )
        for _ in range(wanted.get(b"n", 100)):
            await self._wait(wanted.get(b"g", 20), reader)
            writer.write(_chunk(_DELTA))
            await writer.drain()
        if b"x" not in wanted:
            writer.write(_chunk(_END) + b"0\r\n\r\n")

    async def _wait(self, milliseconds: int, reader: asyncio.StreamReader) -> None:
        """Time passes, unless the other side leaves: nobody sends anything meanwhile."""
        try:
            async with asyncio.timeout(milliseconds / 1000):
                if not await reader.read(1):
                    raise ConnectionResetError
        except TimeoutError:
            pass


def _chunk(said: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(said), said)


def _head(status: bytes, said: bytes) -> bytes:
    fields = _FIELDS + b"content-type: application/json\r\ncontent-length: %d\r\n" % len(said)
    return b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, fields, said)


async def _main() -> None:
    server = await asyncio.start_server(_Upstream().serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
