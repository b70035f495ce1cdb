"""The clients of the soak: plain, streaming, leaving and failing ones, at a steady pace.

Owns what each sort does and what it must see; a sort that sees something else is a
finding, and is kept with the first words of what came. Used by bench/soak/run.py.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bench.request import body, request

_PARALLEL = 1_000
_PATIENCE_S = 30.0
_LONGEST = 1 << 22
_STREAM = "bench-n100-g20"


class Unexpected(Exception):
    """Something else came than must come; the text says what."""


@dataclass
class Connection:
    """One connection to the gateway."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def status(self) -> tuple[int, dict[bytes, bytes]]:
        """The head of an answer: its status, and its fields with names in lower case."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].split(b"\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        return int(first.split()[1]), fields

    async def rest(self, fields: dict[bytes, bytes]) -> bytes:
        """What follows a head, to its end, chunked or not."""
        if b"content-length" in fields:
            return await self.reader.readexactly(int(fields[b"content-length"]))
        got = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            got += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readexactly(2)
        return got


@dataclass
class Done:
    """What has come of the exchanges so far."""

    counts: dict[str, int] = field(default_factory=dict)
    """By sort."""
    plain_ms: list[tuple[float, float]] = field(default_factory=list)
    """When a plain exchange began, in seconds of the soak, and how long it took, in milliseconds."""
    unexpected: list[str] = field(default_factory=list)
    skipped: int = 0
    """Not begun, because too many were under way."""


class Clients:
    """All clients of one soak.

    Args:
        port: The gateway's.
        key: What they show it.
    """

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._key = key
        self._idle: list[Connection] = []
        self._running = 0
        self._began = 0.0
        self.done = Done()
        small, large = body(1_000), body(200_000)
        refused, cut = body(1_000, wanted="bench-e400"), body(1_000, stream=True, wanted="bench-n20-g20-x1")
        slow = body(1_000, wanted="bench-d5000")
        streaming = body(1_000, stream=True, wanted=_STREAM)
        self._sorts: dict[str, tuple[int, Callable[[], Awaitable[None]]]] = {
            "plain": (55, lambda: self._plain(small)),
            "large": (5, lambda: self._answered(large, 200)),
            "stream": (22, lambda: self._answered(streaming, 200)),
            "leaves_in_body": (2, lambda: self._leave(request(port, key, large[:100_000], length=len(large)))),
            "leaves_waiting": (3, lambda: self._leave(request(port, key, slow))),
            "leaves_stream": (3, lambda: self._leave(request(port, key, streaming), b"text_delta")),
            "half_a_head": (1, lambda: self._leave(request(port, key, small)[:300])),
            "refused_upstream": (3, lambda: self._answered(refused, 400)),
            "cut_upstream": (2, lambda: self._cut(cut)),
            "wrong_key": (2, lambda: self._answered(small, 401, key="cw-" + "0" * 49)),
            "no_json": (2, lambda: self._answered(b"{" + small, 400)),
        }

    async def run(self, seconds: float, rate: float) -> None:
        """Begin `rate` exchanges a second, whatever has come of those before; return when the last has ended."""
        chosen = random.Random(1)  # noqa: S311  # a mix, the same each time
        names = list(self._sorts)
        weights = [weight for weight, _ in self._sorts.values()]
        self._began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(round(seconds * rate)):
                await asyncio.sleep(self._began + number / rate - time.monotonic())
                (name,) = chosen.choices(names, weights)
                if self._running < _PARALLEL:
                    group.create_task(self._one(name))
                else:
                    self.done.skipped += 1
        for idle in self._idle:
            idle.writer.close()

    async def _one(self, name: str) -> None:
        self._running += 1
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._sorts[name][1]()
        except (Unexpected, TimeoutError, OSError, EOFError, ValueError) as error:
            self.done.unexpected.append(f"{time.monotonic() - self._began:.1f} s: {name}: {error!r}")
        finally:
            self._running -= 1
        self.done.counts[name] = self.done.counts.get(name, 0) + 1

    async def _plain(self, sent: bytes) -> None:
        began = time.monotonic()
        await self._answered(sent, 200)
        self.done.plain_ms.append((began - self._began, (time.monotonic() - began) * 1e3))

    async def _answered(self, sent: bytes, expected: int, *, key: str = "") -> None:
        """A whole answer of that status, and whole it is; the connection is used again."""
        connection = await self._connection()
        connection.writer.write(request(self._port, key or self._key, sent))
        status, fields = await connection.status()
        said = await connection.rest(fields)
        is_stream = fields.get(b"content-type", b"").startswith(b"text/event-stream")
        if status != expected or (is_stream and b'"message_stop"' not in said):
            raise Unexpected(f"{status} {said[-200:]!r}")
        if fields.get(b"connection") == b"close":
            connection.writer.close()
        else:
            self._idle.append(connection)

    async def _cut(self, sent: bytes) -> None:
        """What the upstream cut is cut for the client too."""
        connection = await self._connection()
        connection.writer.write(request(self._port, self._key, sent))
        status, fields = await connection.status()
        try:
            said = await connection.rest(fields)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            connection.writer.close()
        raise Unexpected(f"{status}, and ended as if it were whole: {said[-200:]!r}")

    async def _leave(self, sent: bytes, mark: bytes = b"") -> None:
        """Gone after that, or after a moment."""
        connection = await self._connection()
        connection.writer.write(sent)
        if mark:
            await connection.reader.readuntil(mark)
        else:
            await asyncio.sleep(0.2)
        connection.writer.close()

    async def _connection(self) -> Connection:
        while self._idle:
            # The one that was used last: the others grow old, and the gateway closes them, as it should.
            idle = self._idle.pop()
            if not idle.reader.at_eof():
                return idle
            idle.writer.close()
        return Connection(*await asyncio.open_connection("127.0.0.1", self._port, limit=_LONGEST))
