"""A client that notes what is said to it, for the tests of sinks."""

import asyncio

from clearway.core.fields import Headers


class Client:
    """Notes what is said to it."""

    def __init__(self) -> None:
        self.head: tuple[int, dict[bytes, bytes]] | None = None
        self.said = b""
        self.is_over = False
        self.gone = False
        self.is_slow = False

    @property
    def started(self) -> bool:
        """As `Sink.started`."""
        return self.head is not None

    async def drain(self) -> None:
        """As `Sink.drain`."""
        await asyncio.sleep(0)

    def start(self, status: int, headers: Headers) -> None:
        """Once."""
        assert self.head is None
        self.head = (status, dict(headers))

    def write(self, data: bytes) -> None:
        """Behind a head."""
        assert self.head is not None
        assert not self.is_over
        self.said += data

    def finish(self, data: bytes = b"") -> None:
        """The end."""
        self.write(data)
        self.is_over = True

    def cut(self) -> None:
        """Another end."""
        self.gone = True
