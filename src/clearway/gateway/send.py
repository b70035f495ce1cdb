"""Trying the upstreams, in order; each try is an attempt with a row and a reservation.

A second try is made only before a byte has gone to the client, and only when the
first cannot have been billed.
"""

from collections.abc import Sequence

from clearway.core.errors import BadRequest, GatewayError, UpstreamUnreachable
from clearway.core.usage import Billing
from clearway.gateway.admit import Walk
from clearway.gateway.authenticate import Caller
from clearway.gateway.decode import Asked
from clearway.gateway.headers import outbound
from clearway.gateway.relay import Relay, outcome_of
from clearway.gateway.route import OWN_ENDPOINTS, Target
from clearway.limits.protocol import Estimate, Limiter
from clearway.upstreams.protocol import Request

_ELSEWHERE = frozenset({429, 503, 529})
"""Answers that certainly cost nothing: the next upstream may be asked."""
_MAX_TRIES = 3
_OUTPUT_SLICE = 4096
_BYTES_PER_TOKEN_LOW = 2.5


class Sender:
    """Sends requests and relays what comes back.

    Args:
        limiter: Grants a reservation for each attempt.
        heartbeat_s: Silence in a stream after which the client is sent a `ping`.
    """

    def __init__(self, limiter: Limiter, heartbeat_s: float) -> None:
        self._limiter = limiter
        self._heartbeat_s = heartbeat_s

    async def send(self, walk: Walk, targets: Sequence[Target]) -> None:
        """Answer from the first upstream that can.

        Raises:
            UpstreamError: None could, or the one that answered broke off.
            LimitExceeded: A reservation was refused.
        """
        tries = _tries(targets)
        for place, target in enumerate(tries, 1):
            is_last = place == len(tries)
            may_pass = not is_last and tries[place] is not target
            try:
                if await self._try(walk, target, may_pass=may_pass):
                    return
            except UpstreamUnreachable:
                # Nothing was sent, so nothing can have been billed.
                if is_last:
                    raise

    async def _try(self, walk: Walk, target: Target, *, may_pass: bool) -> bool:
        """One attempt. False: the upstream is busy, and another one may be asked."""
        request = _request(walk, target)
        held = self._limiter.reserve(walk.caller.key, _estimate(walk.asked, target))
        attempt = walk.exchange.begin(target, billing_of(walk.caller, target), held)
        try:
            async with target.upstream.open(request) as reply:
                if may_pass and reply.status in _ELSEWHERE and target.upstream.pays != "client":
                    attempt.saw_head(reply.status, None)
                    attempt.end("upstream_error")
                    return False
                await Relay(walk.exchange, attempt, walk.sink, heartbeat_s=self._heartbeat_s).run(reply)
        except GatewayError as error:
            attempt.end(outcome_of(error), error)
            raise
        except ValueError as error:
            # Nothing was sent: the head cannot be written as HTTP/1.1.
            attempt.end("denied")
            raise BadRequest("a header field of the request cannot be sent on") from error
        return True


def billing_of(caller: Caller, target: Target) -> Billing:
    """Who is charged for an attempt."""
    match target.upstream.pays:
        case "client":
            return caller.billing
        case "gateway":
            return "billed"
        case "nobody":
            return "simulated"


def _tries(targets: Sequence[Target]) -> list[Target]:
    """A lone upstream that cannot be reached is tried once more; a busy one is not:
    the client hears of it and waits as it was told. Nothing falls over to an upstream
    that somebody else pays, or that nobody does: a simulated answer is no substitute.
    """
    first = targets[0]
    alike = [target for target in targets if target.upstream.pays == first.upstream.pays]
    return alike[:_MAX_TRIES] if len(alike) > 1 else [first, first]


def _request(walk: Walk, target: Target) -> Request:
    call, asked = walk.call, walk.asked
    own = target.upstream.pays == "client"
    headers = outbound(call.headers, keep_credential=own, identity=call.endpoint in OWN_ENDPOINTS)
    body = asked.body if own or target.model is None else asked.with_model(target.model, headers)
    return Request(method=call.method.encode(), target=call.target, headers=headers, body=body)


def _estimate(asked: Asked, target: Target) -> Estimate:
    most = asked.peek.max_tokens or _OUTPUT_SLICE
    return Estimate(
        model=target.model,
        input_tokens=int(len(asked.plain) / _BYTES_PER_TOKEN_LOW),
        output_tokens=min(most, _OUTPUT_SLICE) if asked.peek.stream else most,
    )
