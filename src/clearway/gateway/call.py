"""What a door hands to the walk: a request whose body is still unread, and a sink.

The walk does not know whether ASGI or anything else called it.
"""

from collections.abc import Awaitable
from typing import Protocol

from clearway.core.exchange import Endpoint, Wire
from clearway.core.fields import Headers


class Call(Protocol):
    """One request. Its path was checked (`server/paths.py`): no tricks are left in it."""

    @property
    def wire(self) -> Wire:
        """The format that the client speaks."""
        ...

    @property
    def endpoint(self) -> Endpoint:
        """What is asked for."""
        ...

    @property
    def method(self) -> str:
        """In upper case."""
        ...

    @property
    def path(self) -> str:
        """Without the query and without a run's prefix."""
        ...

    @property
    def target(self) -> bytes:
        """Path and query as they go to an upstream."""
        ...

    @property
    def headers(self) -> Headers:
        """In order, names in lower case."""
        ...

    @property
    def source(self) -> str:
        """Where it comes from: an address, or a network where one client has the whole of it."""
        ...

    @property
    def run_id(self) -> str | None:
        """The run (`clearway run`) that the request belongs to."""
        ...

    async def body(self) -> bytes | bytearray:
        """Read the whole body; call it once.

        Raises:
            TooLarge: Over `server.max_body`.
            TooSlow: It did not arrive in its time.
            Overloaded: Too many bodies are held at this moment.
        """
        ...


class Sink(Protocol):
    """Where an answer goes. Nothing here waits but `drain`: a piece is taken at once,
    and `is_slow` says when the client should be waited for.
    """

    @property
    def started(self) -> bool:
        """The head has been sent: the status cannot change any more."""
        ...

    @property
    def gone(self) -> bool:
        """The client left."""
        ...

    @property
    def is_slow(self) -> bool:
        """The client reads more slowly than it is written to."""
        ...

    def drain(self) -> Awaitable[None]:
        """Wait until the client has read some of what was written."""
        ...

    def start(self, status: int, headers: Headers) -> None:
        """Send the head."""
        ...

    def write(self, data: bytes) -> None:
        """Send a piece of the body, at once."""
        ...

    def finish(self, data: bytes = b"") -> None:
        """Send the last piece and end the answer properly."""
        ...

    def cut(self) -> None:
        """End the connection without a proper end: what was sent is not whole."""
        ...
