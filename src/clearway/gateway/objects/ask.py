"""One question to the upstream that holds an object, and its answer.

Owns the attempt: its row, its reservation (of nothing: what a batch may use is held
apart), the one further try where there was no connection, and what is passed on: of
an answer that was read whole, or of results as they come. Nothing here goes to another upstream.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import structlog

from clearway.core.errors import BadRequest, GatewayError, UpstreamProtocolError, UpstreamRefusedUs, UpstreamUnreachable
from clearway.core.fields import Headers
from clearway.gateway.admit import Walk
from clearway.gateway.bookkeeping import Attempt
from clearway.gateway.call import Sink
from clearway.gateway.headers import by_name, first, outbound, request_id, returned
from clearway.gateway.relay import OWN_CREDENTIAL_REFUSED, outcome_of, warn_of_refusal
from clearway.gateway.route import Target
from clearway.limits.held import NOTHING
from clearway.upstreams.protocol import Reply, Request, Upstream
from clearway.wire.encoding import decode_body
from clearway.wire.messages.batch import ResultsMeter

log = structlog.get_logger()

MOST_BYTES = 4 * 1024 * 1024
"""Of an answer that tells one object: a thousand times what it has."""
_SERVER_ERROR, _TOO_MANY = 500, 429
_CODING = frozenset({b"content-encoding"})
_PARTS = frozenset({b"range", b"if-range", b"if-none-match", b"if-modified-since"})
# Of the body as it came; ours has another length and no coding.
_OF_THE_BODY = frozenset({b"content-length", b"content-encoding"})


class Question:
    """What is asked of an upstream.

    Args:
        method: `GET`, …
        target: Path and query.
        body: What is sent.
        is_decoded: The body is not in the content coding that the client's fields tell.
        is_whole: All of the answer is wanted, whatever part the client asked for.
    """

    __slots__ = ("body", "is_decoded", "is_whole", "method", "target")

    def __init__(
        self,
        method: str,
        target: bytes,
        body: bytes | bytearray = b"",
        *,
        is_decoded: bool = False,
        is_whole: bool = False,
    ) -> None:
        self.method = method
        self.target = target
        self.body = body
        self.is_decoded = is_decoded
        self.is_whole = is_whole


@contextlib.asynccontextmanager
async def asked(walk: Walk, upstream: Upstream, question: Question) -> AsyncIterator[tuple[Attempt, Reply]]:
    """Ask; leaving the context ends what is unread.

    Raises:
        UpstreamError: There is no answer, or it refuses the gateway's own credential.
        BadRequest: The head cannot be sent.
    """
    dropped = (_PARTS if question.is_whole else frozenset()) | (_CODING if question.is_decoded else frozenset())
    fields = outbound(walk.call.headers, keep_credential=False, identity=True)
    headers: Headers = [field for field in fields if field[0] not in dropped]
    request = Request(method=question.method.encode(), target=question.target, headers=headers, body=question.body)
    for may_dial_again in (True, False):
        attempt = _begin(walk, upstream)
        was_open = False
        try:
            async with upstream.open(request) as reply:
                was_open = True
                attempt.saw_head(reply.status, request_id(by_name(reply.headers)))
                if reply.status in OWN_CREDENTIAL_REFUSED:
                    raise _refused(upstream.name, reply.status, walk.exchange.id)
                yield attempt, reply
                return
        except GatewayError as error:
            attempt.end(outcome_of(error), error)
            if was_open or not may_dial_again or not isinstance(error, UpstreamUnreachable):
                raise
        except asyncio.CancelledError:
            # A list asks several at once: the exchange itself only ends the last.
            attempt.end("client_closed" if walk.sink.gone else "interrupted")
            raise
        except ValueError as error:
            attempt.end("denied")
            raise BadRequest("a header field of the request cannot be sent on") from error


def _begin(walk: Walk, upstream: Upstream) -> Attempt:
    return walk.exchange.begin(Target(upstream, None), "billed", NOTHING)


def _refused(name: str, status: int, exchange_id: str) -> UpstreamRefusedUs:
    warn_of_refusal(name, status, exchange_id)
    hint = "the owner of the gateway must look at its api_key; the client's request is not at fault"
    return UpstreamRefusedUs(f"the upstream {name} refused the gateway's own credential ({status})", hint=hint)


async def read_whole(attempt: Attempt, reply: Reply) -> bytes:
    """The body, without its content coding.

    Raises:
        UpstreamProtocolError: It is too long, broke off, or cannot be decoded.
    """
    body = bytearray()
    while not reply.ended:
        body += await reply.read()
        if len(body) > MOST_BYTES:
            raise UpstreamProtocolError("the answer is too long for what was asked")
    attempt.response_bytes += len(body)
    codings = first(reply.headers, b"content-encoding")
    try:
        return bytes(decode_body(body, codings, MOST_BYTES) if codings else body)
    except GatewayError as error:
        raise UpstreamProtocolError("the answer cannot be decoded") from error


async def pass_on(
    walk: Walk, attempt: Attempt, reply: Reply, meter: ResultsMeter, *, is_for_client: bool = True
) -> bytes:
    """Relay results, metered beside; returns the last piece, which is still to be sent.

    Raises:
        UpstreamError: They broke off.
    """
    sink = walk.sink
    # Asked for without any; coded all the same they pass, and the hold stays.
    meter.is_sure = (first(reply.headers, b"content-encoding") or "identity").strip().lower() == "identity"
    last = b""
    while not reply.ended:
        chunk = await reply.read()
        attempt.response_bytes += len(chunk)
        if meter.is_sure:
            meter.feed(chunk)
        if reply.ended:
            last = chunk
        elif chunk and is_for_client:
            sink.write(chunk)
            if sink.is_slow and not sink.gone:
                await sink.drain()
    meter.close()
    return last


async def tell(walk: Walk, status: int, headers: Headers, body: bytes) -> None:
    """Settle, and answer with a body that is whole.

    Args:
        walk: The exchange, whose last attempt is over now.
        status: Of the answer.
        headers: The upstream's, where it is its answer.
        body: What the client gets.
    """
    is_failure = status >= _SERVER_ERROR or status == _TOO_MANY
    walk.exchange.settle("upstream_error" if is_failure else "ok", status=status)
    await walk.exchange.committed()
    kept = [
        pair for pair in returned(headers, walk.exchange.id.encode(), everything=False) if pair[0] not in _OF_THE_BODY
    ]
    walk.sink.start(status, [*kept, (b"content-length", b"%d" % len(body))])
    walk.sink.finish(body)


async def carried_on(work: Coroutine[Any, Any, None], sink: Sink, patience_s: float) -> None:
    """Do `work` to its end, also where the client leaves meanwhile: what is made must be
    owned, and what was used must be counted.

    Args:
        work: Ends by itself; it may write to a sink that is gone.
        sink: Tells a client that has left from a process that ends.
        patience_s: How long it may go on without a client.
    """
    # Not lost: waited for below, whatever happens.
    task = asyncio.get_running_loop().create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            if sink.gone and not task.done():
                await asyncio.wait({task}, timeout=patience_s)
        finally:
            # In the end, or at once where this process has no more time.
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("left_unfinished", error=type(error).__name__)
        raise
