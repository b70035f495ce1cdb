"""A sink in front of the client's, which tells what the relay writes in other words.

Owns what is the client's alone: whether it has begun, is slow or gone. What is told is for
those that are made of it. Used by gateway/answer_sink and gateway/counted.
"""

from collections.abc import Awaitable

from clearway.gateway.call import Sink

OK = 200
KEPT = (b"retry-after", b"retry-after-ms", b"x-should-retry")
"""Fields of an upstream's refusal that the client hears too."""


class Front:
    """What both sinks have of the client's.

    Args:
        sink: The client's.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    @property
    def started(self) -> bool:
        """As `Sink.started`."""
        return self._sink.started

    @property
    def gone(self) -> bool:
        """As `Sink.gone`."""
        return self._sink.gone

    @property
    def is_slow(self) -> bool:
        """As `Sink.is_slow`."""
        return self._sink.is_slow

    def drain(self) -> Awaitable[None]:
        """As `Sink.drain`."""
        return self._sink.drain()

    def cut(self) -> None:
        """As `Sink.cut`."""
        self._sink.cut()
