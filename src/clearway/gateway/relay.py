"""Bytes from the upstream to the client, as they come, with a watch beside them.

Never in the way: a watch that fails is dropped and the relay goes on. A reply that
can pours its pieces straight from the network's callback into the sink; no task
wakes for them. Back-pressure is end to end: while the client does not read, nothing
is taken from the reply, and the upstream's socket is not read.
"""

import zlib

import structlog

from clearway.core.errors import BudgetExceeded, GatewayError, UpstreamError, UpstreamProtocolError, UpstreamRefusedUs
from clearway.core.exchange import Endpoint, Outcome
from clearway.core.fields import Fields, Headers
from clearway.gateway.bookkeeping import Attempt, Exchange
from clearway.gateway.call import Sink
from clearway.gateway.decode import Asked
from clearway.gateway.follow_up import FollowUp
from clearway.gateway.headers import by_name, request_id, returned
from clearway.gateway.heartbeat import Heartbeat
from clearway.gateway.objects.made import own_made
from clearway.upstreams.protocol import Pour, Reply
from clearway.wire.encoding import Inflater
from clearway.wire.hub.pausing import PAUSED
from clearway.wire.messages.watch import BODY_LIMIT, BodyWatch, NoWatch, StreamWatch, Watch

log = structlog.get_logger()

OWN_CREDENTIAL_REFUSED = frozenset({401, 402, 403})
_METERED: frozenset[Endpoint] = frozenset({"messages"})
_OK, _CLIENT_ERROR, _TOO_MANY, _SERVER_ERROR = 200, 400, 429, 500


def watch_for(endpoint: Endpoint, content_type: bytes | None) -> Watch:
    """The watch that fits an answer."""
    kind = (content_type or b"").partition(b";")[0].strip().lower()
    if endpoint not in _METERED or kind not in (b"text/event-stream", b"application/json"):
        return NoWatch()
    return StreamWatch() if kind == b"text/event-stream" else BodyWatch()


class Relay:
    """Takes one answer to one client.

    Args:
        heartbeat_s: Silence in a stream after which a `ping` is sent.
        told: Further fields of the answer: what we tell of our own limits.
        watch: Reads the answer as it comes, coded or not, where it is none that is metered.
        follow: Has an answer that pauses go on; None: nobody does.
    """

    def __init__(  # noqa: PLR0913  # what an answer needs on its way
        self,
        exchange: Exchange,
        attempt: Attempt,
        sink: Sink,
        *,
        heartbeat_s: float,
        told: Fields | None = None,
        watch: Watch | None = None,
        follow: FollowUp | None = None,
    ) -> None:
        self._exchange = exchange
        self._attempt = attempt
        self._sink = sink
        self._heartbeat_s = heartbeat_s
        self._told = told
        self._given = watch
        self._follow = follow
        self.goes_on: Asked | None = None
        """What to send, so that the answer goes on: it has paused, and only its attempt is over."""
        self._inflater: Inflater | None = None
        self._beat: Heartbeat | None = None
        self._head: tuple[int, Headers] | None = None
        self._held: bytes | None = None
        self._failure: GatewayError | None = None

    async def run(self, reply: Reply) -> None:
        """Relay the whole answer; settled before its last bytes go out.

        Raises:
            UpstreamRefusedUs: The upstream refused the gateway's own credential
                (nothing has been sent to the client).
            UpstreamError: It failed; the sink says whether the head was sent.
        """
        self._prepare(reply)
        try:
            await self._pump(reply)
        finally:
            if self._beat is not None:
                self._beat.stop()

    def _prepare(self, reply: Reply) -> None:
        """Look at the head and pass it on. Apart, so that nothing of it is held while the body runs."""
        attempt = self._attempt
        fields = by_name(reply.headers)
        attempt.saw_head(reply.status, request_id(fields))
        pays = attempt.target.upstream.pays
        if pays == "gateway" and reply.status in OWN_CREDENTIAL_REFUSED:
            raise self._refused(reply.status)
        self._set_watch(fields)
        headers = returned(reply.headers, self._exchange.id.encode(), everything=pays == "client")
        self._head = (reply.status, headers.joined(self._told) if self._told else headers)
        if not getattr(reply, "is_whole", False):
            self._begin()
        # Not inside a compressed stream, and not where the length was told.
        is_open = b"content-length" not in fields and self._inflater is None
        beats = is_open and isinstance(attempt.watch, StreamWatch)
        self._beat = Heartbeat(self._sink, self._heartbeat_s, attempt.may_beat) if beats else None

    def _refused(self, status: int) -> UpstreamRefusedUs:
        name = self._attempt.target.upstream.name
        warn_of_refusal(name, status, self._exchange.id)
        hint = "the owner of the gateway must look at its api_key; the client's request is not at fault"
        return UpstreamRefusedUs(f"the upstream {name} refused the gateway's own credential ({status})", hint=hint)

    def _set_watch(self, fields: dict[bytes, bytes]) -> None:
        if self._given is not None:
            self._attempt.watch = self._given
            return
        watch = watch_for(self._exchange.admission.endpoint, fields.get(b"content-type"))
        coding = fields.get(b"content-encoding", b"identity").strip().lower()
        if coding in (b"gzip", b"deflate"):
            self._inflater = Inflater(BODY_LIMIT)
        elif coding != b"identity":
            log.warning("answer_not_metered", reason="content-encoding", exchange_id=self._exchange.id)
            watch = NoWatch()
        elif (
            self._exchange.admission.endpoint in _METERED and isinstance(watch, NoWatch) and self._attempt.status == _OK
        ):
            log.warning("answer_not_metered", reason="content-type", exchange_id=self._exchange.id)
        self._attempt.watch = watch

    async def _pump(self, reply: Reply) -> None:
        sink = self._sink
        pour: Pour | None = getattr(reply, "pour", None)
        last = b""
        try:
            while not reply.ended:
                if pour is not None and not await pour(self._pass):
                    await self._go_on()
                    continue
                chunk = await reply.read()
                if reply.ended:
                    self._look(chunk)
                    last = chunk
                elif chunk and not self._pass(chunk):
                    await self._go_on()
        except UpstreamProtocolError:
            if self._exchange.settled:
                # All that counts had passed; still, what was cut is cut.
                sink.cut()
                return
            if not self._pauses:
                raise
        await self._close(last)

    async def _close(self, last: bytes) -> None:
        """All has come: end the client's answer, or have it go on."""
        if self._is_short():
            self._begin()
            self._sink.write(last)
            raise UpstreamProtocolError("the stream ended without its message_stop")
        if self._pauses:
            self._begin()
            self._write(last)
            last = b""
            self.goes_on = self._next()
            if self.goes_on is not None:
                return
        await self._settle()
        self._begin()
        self._sink.finish(last)

    @property
    def _pauses(self) -> bool:
        """It is whole, and may go on: it is not settled before that is known."""
        watch = self._attempt.watch
        return self._follow is not None and watch.whole and watch.stop_reason == PAUSED

    def _next(self) -> Asked | None:
        usage = self._attempt.watch.usage()
        made = None if self._follow is None else self._follow.after_pause(0 if usage is None else usage.output_tokens)
        if made is not None:
            self._attempt.end("ok")
        return made

    def _begin(self) -> None:
        """Send the head. With an answer that is here whole it goes in one write with the body."""
        head, self._head = self._head, None
        if head is not None:
            self._sink.start(*head)

    def _pass(self, chunk: bytes) -> bool:
        """Take a piece that is not the last; False: look at `_go_on` before the next."""
        try:
            self._look(chunk)
        except GatewayError as error:
            self._failure = error
            return False
        attempt = self._attempt
        if attempt.awaited is not None or (attempt.watch.whole and not self._exchange.settled):
            self._held = chunk
            return False
        self._write(chunk)
        return not self._sink.is_slow

    async def _go_on(self) -> None:
        """Do what cannot be done while a piece is passed: fail, or wait."""
        if self._failure is not None:
            raise self._failure
        chunk, self._held = self._held, None
        if chunk is not None:
            if self._beat is not None:
                self._beat.is_held = True
            if self._attempt.awaited is not None:
                await self._attempt.topped_up()
                self._check_budget()
            if self._attempt.watch.whole and not self._pauses:
                await self._settle()
            self._write(chunk)
        if self._sink.is_slow:
            await self._sink.drain()

    def _write(self, chunk: bytes) -> None:
        self._sink.write(chunk)
        if self._beat is not None:
            self._beat.wrote()

    def _look(self, chunk: bytes) -> None:
        attempt = self._attempt
        attempt.response_bytes += len(chunk)
        try:
            attempt.saw(chunk if self._inflater is None else self._inflater.feed(chunk))
        except (ValueError, TypeError, LookupError, zlib.error):
            log.exception("watch_failed", exchange_id=self._exchange.id)
            attempt.watch = NoWatch()
            self._inflater = None
        if self._exchange.budget_is_spent:
            self._check_budget()

    def _check_budget(self) -> None:
        if self._exchange.budget_is_spent and not self._exchange.settled:
            raise BudgetExceeded(
                "the budget was used up while this answer was running", hint="ask the owner of the gateway for more"
            )

    async def _settle(self) -> None:
        self._exchange.settle(self._outcome())
        if self._attempt.watch.files:
            await own_made(self._exchange, self._attempt)
        # What a client received whole is in the ledger after any kill.
        if not await self._exchange.committed():
            # Running answers finish all the same; new exchanges are refused meanwhile.
            log.warning("exchange_not_durable", exchange_id=self._exchange.id)

    def _is_short(self) -> bool:
        """A stream that ended in good order, but without its last event."""
        watch = self._attempt.watch
        if not isinstance(watch, StreamWatch) or (self._attempt.status or 0) >= _CLIENT_ERROR:
            return False
        watch.close()
        unseen = watch.lost or (self._inflater is not None and self._inflater.spent)
        return not (watch.whole or watch.error_type or unseen)

    def _outcome(self) -> Outcome:
        status = self._attempt.status or 0
        if status >= _SERVER_ERROR or status == _TOO_MANY:
            return "upstream_error"
        broke = status < _CLIENT_ERROR and self._attempt.watch.error_type is not None
        return "upstream_error" if broke else "ok"


def warn_of_refusal(upstream: str, status: int, exchange_id: str) -> None:
    """Tell the owner that an upstream refuses the gateway's own credential."""
    log.warning("upstream_refused_credential", upstream=upstream, status=status, exchange_id=exchange_id)


def outcome_of(error: GatewayError) -> Outcome:
    """How an exchange that ended in `error` is told."""
    return "upstream_error" if isinstance(error, UpstreamError) else "denied"
