"""One connection to an upstream; one exchange at a time.

Owns the transport and the back-pressure. What the bytes mean is `answer`'s, how
long to wait `watch`'s; whether the connection lives on is decided here, by `release`.
No task is made per request: whoever waits leaves one future.
Used by `dial` (making), `pool` (keeping) and `client`.
"""

import asyncio
import select
from collections.abc import Callable
from typing import cast

from clearway.config.model import Timeouts
from clearway.core.errors import UpstreamError, UpstreamProtocolError, UpstreamUnreachable
from clearway.upstreams.http.answer import Answer
from clearway.upstreams.http.head import body_size
from clearway.upstreams.http.watch import Watch

Body = bytes | bytearray | memoryview

MAX_UNREAD = 256 * 1024
"""Bytes of a body that wait for a reader before the transport is paused."""

# Below this, one buffer and one system call are cheaper than two buffers.
_JOINED = 64 * 1024
# A larger body goes out in slices, so that plain asyncio, which copies what the
# kernel does not take at once, never copies more than one of them.
_SLICE = 1024 * 1024
_REFUSED = 400


class Connection(asyncio.Protocol):
    """A transport and, while one runs, its exchange.

    Args:
        where: Host and port, for messages.
        timeouts: Limits in seconds.
        keep_s: How long it may be idle, in seconds.
        on_lost: Told when it is gone.
    """

    __slots__ = (
        "_answer",
        "_failure",
        "_into",
        "_is_drained",
        "_is_large",
        "_is_lost",
        "_loop",
        "_on_lost",
        "_poll",
        "_reused",
        "_transport",
        "_waiter",
        "_watch",
        "_where",
    )

    def __init__(self, where: str, timeouts: Timeouts, keep_s: float, on_lost: Callable[["Connection"], None]) -> None:
        self._where = where
        self._on_lost = on_lost
        self._watch = Watch(where, timeouts, keep_s, self._fail)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._answer: Answer | None = None
        self._failure: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._into: Callable[[bytes], bool] | None = None
        self._is_drained = True
        self._is_large = False
        self._reused = False
        self._is_lost = False

    # For the client and the pool.

    @property
    def is_open(self) -> bool:
        """Something can still be sent."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_quiet(self) -> bool:
        """Idle, open, and nothing has come since its last answer.

        The kernel is asked, too: what came but was not delivered yet would otherwise
        be taken for the answer to the next request.
        """
        return self.is_open and self._answer is None and self._poll is not None and not self._poll.poll(0)

    @property
    def went_stale(self) -> bool:
        """The exchange failed as one does where the upstream closes an idle connection: it
        was used before, and it ended without a byte of an answer.
        """
        return self._reused and self._is_lost and self._answer is not None and not self._answer.begun

    @property
    def has_sent_all(self) -> bool:
        """The request went out whole, so that the upstream may have worked on it."""
        return self._watch.sent_at is not None

    async def send(self, head: bytes, body: Body, answer: Answer, total_at: float) -> None:
        """Send a request and wait for the head of its answer, which is put in `answer`.

        Whatever is raised, the connection is closed by then.

        Raises:
            UpstreamUnreachable: It was closed before.
            UpstreamTimeout: A limit passed.
            UpstreamProtocolError: There is no valid head.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            raise UpstreamUnreachable(f"{self._where} closed the connection before the request was sent")
        self._answer = answer
        self._watch.begin(answer, total_at)
        size = body_size(body)
        self._is_large = size > _SLICE
        try:
            if size <= _JOINED:
                transport.write(head + body if body else head)
                is_sent = True
            else:
                is_sent = await self._send_slices(transport, head, body, answer)
            # One that has failed meanwhile dropped what it was given.
            if is_sent and not transport.is_closing():
                self._watch.sent_at = self._loop.time()
            while not answer.has_head:
                await self._wait()
        except BaseException:
            self.abort()
            raise

    async def read(self) -> bytes:
        """What came of the body since the last call; waits where that is nothing.

        Returns:
            `b""` at the end.

        Raises:
            UpstreamTimeout: A limit passed.
            UpstreamProtocolError: The answer broke off or is not valid.
        """
        answer = self._answer
        if answer is None:
            raise RuntimeError("the exchange is over")
        while True:
            if answer.size:
                return self._take(answer)
            if answer.complete:
                return b""
            await self._wait()

    async def pour(self, into: Callable[[bytes], bool]) -> bool:
        """Hand on each piece as it comes; see `protocol.Pour`."""
        answer = self._answer
        if answer is None:
            raise RuntimeError("the exchange is over")
        self._into = into
        try:
            while not answer.complete:
                if answer.size:
                    if not into(self._take(answer)):
                        return False
                else:
                    await self._wait()
                    if self._into is None:
                        return False
            return True
        finally:
            self._into = None

    def release(self) -> bool:
        """End the exchange. True: it may serve another; False: it is closed, at once."""
        answer, self._answer = self._answer, None
        if (
            answer is not None
            and answer.complete
            and answer.keep_alive
            and not answer.leftover
            and self._watch.sent_at is not None
            and self._failure is None
            # Whether a refusal came before a large body was read cannot be told once the body has gone out, and
            # who reads no more would not hear the next request either.
            and not (self._is_large and answer.status >= _REFUSED)
            and self.is_open
        ):
            self._watch.rest()
            self._reused = True
            if self._watch.is_paused:
                # Only a connection that reads notices its end.
                self._resume_reading()
            return True
        # It has been raised, and through its traceback it holds all that the exchange held, this connection too:
        # a ring that only the garbage collector would open, minutes later.
        self._failure = None
        self.abort()
        return False

    def abort(self) -> None:
        """Close it now; what was not sent is dropped."""
        if self._transport is not None:
            self._transport.abort()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        answer = self._answer
        if answer is None:
            # Nobody asked: never the answer to the next request.
            self.abort()
            return
        self._watch.heard_at = self._loop.time()
        answer.feed(data)
        if answer.failure is not None:
            self._fail(UpstreamProtocolError(f"the answer of {self._where} is unusable: {answer.failure}"))
            return
        into = self._into
        if into is not None and answer.size and not answer.complete:
            if into(answer.take()):
                return
            self._into = None
        elif answer.size > MAX_UNREAD and not self._watch.is_paused and self._transport is not None:
            self._watch.is_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """The upstream sends no more; the transport closes itself."""
        self._ended(clean=True)
        # By itself it would first send what is buffered, to a peer that left.
        self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        del error
        # Without an end told by `eof_received` (a reset, TLS without close_notify)
        # a body that lasts until the close is not known to be whole.
        self._ended(clean=False)
        self._transport = None
        self._poll = None
        self._watch.stop()
        self._on_lost(self)

    def pause_writing(self) -> None:
        """The upstream does not take it as fast as it comes."""
        self._is_drained = False

    def resume_writing(self) -> None:
        """It takes more."""
        self._is_drained = True
        self._wake()

    # Inside.

    async def _send_slices(self, transport: asyncio.Transport, head: bytes, body: Body, answer: Answer) -> bool:
        """Send a large body as fast as it is taken. False: the answer came first."""
        view = memoryview(body).cast("B")
        transport.writelines((head, view[:_SLICE]))
        for start in range(_SLICE, view.nbytes, _SLICE):
            while (self._failure is not None or not self._is_drained or transport.is_closing()) and not answer.has_head:
                await self._wait()
            if answer.has_head:
                # An early answer is a refusal: nobody waits for the rest.
                return False
            self._watch.heard_at = self._loop.time()
            transport.write(view[start : start + _SLICE])
        return True

    async def _wait(self) -> None:
        """Until something happens. Raises what has gone wrong, at once."""
        if self._failure is not None:
            raise self._failure
        # A cancelled waiter stays here and is done: `_wake` leaves it alone.
        self._waiter = self._loop.create_future()
        await self._waiter

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def _take(self, answer: Answer) -> bytes:
        taken = answer.take()
        if self._watch.is_paused:
            self._resume_reading()
        return taken

    def _resume_reading(self) -> None:
        self._watch.is_paused = False
        self._watch.heard_at = self._loop.time()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _ended(self, *, clean: bool) -> None:
        self._is_lost = True
        answer = self._answer
        if answer is None or answer.complete:
            return
        answer.end(clean=clean)
        if answer.failure is None:
            self._wake()
        else:
            self._fail(UpstreamProtocolError(f"the answer of {self._where} is unusable: {answer.failure}"))

    def _fail(self, error: UpstreamError | None) -> None:
        """Give up; None: nothing went wrong, it was idle for too long."""
        if self._failure is None:
            self._failure = error
        self.abort()
        self._wake()
