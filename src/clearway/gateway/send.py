"""Trying the upstreams, in order; each try is an attempt with a row and a reservation.

A further try is made only before a byte has gone to the client, and only when the one
before cannot have been billed: there was no connection, or the answer was a 429, 503
or 529 that came whole. On passthrough only the former, as limits and retries there
are the client's own. `docs/decisions/0008-retries-and-cool-down.md`.
"""

import asyncio
import random
from collections.abc import Sequence
from functools import partial
from types import CoroutineType

import msgspec

from clearway.config.model import Retries
from clearway.core.errors import BadRequest, GatewayError, UpstreamTimeout, UpstreamUnreachable
from clearway.core.fields import Fields
from clearway.core.usage import Billing
from clearway.gateway.admit import Walk
from clearway.gateway.authenticate import Caller
from clearway.gateway.bookkeeping import Attempt
from clearway.gateway.cooling import Cooling
from clearway.gateway.course import Course
from clearway.gateway.estimate import estimate_of
from clearway.gateway.follow_up import FollowUp
from clearway.gateway.headers import by_name, outbound, request_id
from clearway.gateway.heartbeat import Heartbeat
from clearway.gateway.held import Held
from clearway.gateway.quota import quota_watch
from clearway.gateway.relay import Relay, outcome_of, watch_for
from clearway.gateway.route import OWN_ENDPOINTS, Target
from clearway.gateway.windows import look
from clearway.limits.held import NOTHING
from clearway.limits.protocol import Later, Limiter, Reservation
from clearway.upstreams.protocol import Reply, Request
from clearway.upstreams.resets import Told, read

_ELSEWHERE = frozenset({429, 503, 529})
"""Answers that certainly cost nothing: another try may be made."""
_REFUSED, _NOT_FOUND = 400, 404
MESSAGES = b"/v1/messages"
COUNT_TOKENS = b"/v1/messages/count_tokens"
"""Where translated requests go."""
_FIRST_WAIT_S = 0.5
_JITTER = 0.25


class Sender:
    """Sends requests and relays what comes back.

    Args:
        limiter: Grants a reservation for each attempt.
        heartbeat_s: Silence in a stream after which the client is sent a `ping`.
        cooling: Knows which upstreams had better not be asked.
        retries: Bounds of further tries.
    """

    def __init__(self, limiter: Limiter, heartbeat_s: float, cooling: Cooling, retries: Retries) -> None:
        self._limiter = limiter
        self._heartbeat_s = heartbeat_s
        self._cooling = cooling
        self._retries = retries

    async def send(self, walk: Walk, targets: Sequence[Target]) -> None:
        """Answer from the first upstream that can.

        Raises:
            UpstreamError: None could, or the one that answered broke off.
            LimitExceeded: A reservation was refused.
        """
        alike = _alike(targets)
        order = self._cooling.order(alike, walk.call.endpoint) if self._cooling.marks else alike
        course = Course(order, self._retries)
        await self._run(walk, course)
        if course.asked is not None and walk.follow is not None:
            await self._go_on(walk, walk.follow, course)

    async def _go_on(self, walk: Walk, follow: FollowUp, course: Course) -> None:
        """Make the calls that follow, each at the upstream that was asked last: what was signed there counts there."""
        sink, exchange = walk.sink, walk.exchange
        beat = Heartbeat(sink, self._heartbeat_s, lambda: sink.started and exchange.waits())
        try:
            async with asyncio.timeout(None) as limit:
                while course.asked is not None:
                    if sink.gone:
                        raise asyncio.CancelledError
                    limit.reschedule(asyncio.get_running_loop().time() + follow.left_s)
                    walk = msgspec.structs.replace(walk, asked=course.asked)
                    course = Course((course.target,), self._retries)
                    await self._run(walk, course)
        except TimeoutError as error:
            raise UpstreamTimeout("the answer and what continues it took longer than total_s") from error
        finally:
            beat.stop()

    async def _run(self, walk: Walk, course: Course) -> None:
        """Try until there is an answer, or something else to ask."""
        while not await self._try(walk, course):
            if course.pause_s:
                await asyncio.sleep(course.pause_s)
            if walk.sink.gone:
                # This task was cancelled; a race of connections (TaskGroup) may have lost that.
                raise asyncio.CancelledError

    async def _try(self, walk: Walk, course: Course) -> bool:
        """One attempt. False: it certainly cost nothing, and `course` has the next."""
        target = course.target
        request = _request(walk, target)
        billing = billing_of(walk.caller, target)
        held = self._reserve(walk, target, billing)
        attempt = walk.exchange.begin(target, billing, await held if isinstance(held, CoroutineType) else held)
        cooling, windows = self._cooling, walk.exchange.books.windows
        probes = cooling.probe(target) if cooling.marks else None
        try:
            async with target.upstream.open(request) as reply:
                if windows is not None:
                    look(windows, walk, target, reply.headers)
                answer = await self._refused(attempt, reply, course, walk) if reply.status >= _REFUSED else reply
                if answer is None:
                    return course.asked is not None
                if cooling.marks and reply.status < _REFUSED:
                    cooling.answered(attempt, whole=False)
                told, watch = self._told(walk, target), quota_watch(windows, walk, target, reply)
                relay = Relay(
                    walk.exchange, attempt, walk.sink, heartbeat_s=self._heartbeat_s, told=told, watch=watch,
                    follow=walk.follow,
                )  # fmt: skip
                await relay.run(answer)
                course.asked = relay.goes_on
                if reply.status < _REFUSED and (cooling.marks or attempt.watch.error_type is not None):
                    cooling.answered(attempt, whole=True)
        except GatewayError as error:
            attempt.end(outcome_of(error), error)
            may_go_on = isinstance(error, UpstreamUnreachable) and self._may_dial_again(attempt, course)
            cooling.broke(attempt, error)
            if not may_go_on:
                raise
            course.go_on()
            return False
        except ValueError as error:
            # Nothing was sent: the head cannot be written as HTTP/1.1.
            attempt.end("denied")
            raise BadRequest("a header field of the request cannot be sent on") from error
        finally:
            if probes:
                cooling.probed(probes)
        return True

    def _reserve(self, walk: Walk, target: Target, billing: Billing) -> "Later[Reservation]":
        if walk.call.endpoint == "count_tokens":
            return NOTHING
        admitted_us = walk.exchange.admission.admitted_us
        return self._limiter.reserve(
            walk.caller.key, partial(estimate_of, walk, target, billing), admitted_us=admitted_us
        )

    def _told(self, walk: Walk, target: Target) -> Fields | None:
        """What the answer tells of our limits. On passthrough it is the upstream that tells of its own."""
        return None if target.upstream.pays == "client" else self._limiter.told(walk.caller.key)

    def _may_dial_again(self, attempt: Attempt, course: Course) -> bool:
        """Nothing was sent. A lone upstream is tried once more, at once, unless it was
        known to be out of reach.
        """
        is_lone = len(course.order) == 1
        may_repeat = is_lone and not course.tried and not self._cooling.was_unreachable(attempt.target)
        return course.may_go_on(attempt.started, self._cooling.clock.monotonic(), 0.0 if may_repeat else None)

    async def _refused(self, attempt: Attempt, reply: Reply, course: Course, walk: Walk) -> Reply | None:
        """An answer of 400 or more. None: it is passed over for another try; otherwise
        what the client is to hear.
        """
        clock = self._cooling.clock
        told = read(reply.headers, clock.now_us()) if reply.status in _ELSEWHERE else Told()
        self._cooling.refused(attempt, reply.status, told)
        if reply.status == _REFUSED and walk.follow is not None:
            return await self._mended(attempt, reply, course, walk.follow)
        if attempt.target.upstream.pays == "client":
            return reply
        if reply.status == _NOT_FOUND:
            return await self._not_found(attempt, reply, course)
        wait_s = self._wait(told, course.tried) if attempt.target.upstream.pays == "gateway" else None
        if reply.status not in _ELSEWHERE or not course.may_go_on(attempt.started, clock.monotonic(), wait_s):
            return reply
        answer = Held(reply)
        if not await answer.read_ahead():
            return answer
        _pass_over(attempt, answer)
        attempt.end("upstream_error")
        course.go_on()
        return None

    @staticmethod
    async def _mended(attempt: Attempt, reply: Reply, course: Course, follow: FollowUp) -> Reply | None:
        """The client hears a 400, unless its translator has something else to send."""
        answer = Held(reply)
        if not await answer.read_ahead():
            return answer
        course.asked = follow.after_refusal(answer.body)
        if course.asked is None:
            return answer
        _pass_over(attempt, answer)
        attempt.end("ok")
        return None

    async def _not_found(self, attempt: Attempt, reply: Reply, course: Course) -> Reply:
        """The client hears it; where there are others, they are asked for that model first."""
        model = attempt.target.model
        if model is None or len(course.order) == 1 or attempt.exchange.admission.endpoint != "messages":
            return reply
        answer = Held(reply)
        if await answer.read_ahead() and model.encode(errors="replace") in answer.body:
            self._cooling.lacks_model(attempt)
        return answer

    def _wait(self, told: Told, tried: int) -> float | None:
        """How long to wait before a busy upstream is asked again; None: too long, its
        answer is the client's to hear.
        """
        wait_s = _FIRST_WAIT_S * 2.0**tried if told.wait_s is None else told.wait_s
        if told.is_final or wait_s > self._retries.wait_s:
            return None
        # Later rather than sooner, and not all at the same moment.
        return wait_s * (1 + _JITTER * random.random())  # noqa: S311  # nothing secret


def _pass_over(attempt: Attempt, answer: Held) -> None:
    """Note an answer that nobody hears."""
    fields = by_name(answer.headers)
    attempt.saw_head(answer.status, request_id(fields))
    attempt.watch = watch_for(attempt.exchange.admission.endpoint, fields.get(b"content-type"))
    attempt.response_bytes = len(answer.body)
    attempt.saw(answer.body)


def billing_of(caller: Caller, target: Target) -> Billing:
    """Who is charged for an attempt."""
    match target.upstream.pays:
        case "client":
            return caller.billing
        case "gateway":
            return "billed"
        case "nobody":
            return "simulated"


def _alike(targets: Sequence[Target]) -> Sequence[Target]:
    """Nothing falls over to an upstream that somebody else pays, or that nobody does:
    a simulated answer is no substitute. The first, in configured order, decides.
    """
    if len(targets) == 1:
        return targets
    pays = targets[0].upstream.pays
    return [target for target in targets if target.upstream.pays == pays]


def _request(walk: Walk, target: Target) -> Request:
    call, asked = walk.call, walk.asked
    if asked.ours is not None:
        version = Fields((b"anthropic-version",), (target.upstream.api_version.encode(),))
        at = COUNT_TOKENS if call.endpoint == "count_tokens" else MESSAGES
        return Request(method=b"POST", target=at, headers=asked.ours.joined(version), body=asked.body)
    own = target.upstream.pays == "client"
    headers = outbound(call.headers, keep_credential=own, identity=call.endpoint in OWN_ENDPOINTS)
    body = asked.body
    if not own and target.model is not None:
        headers, body = asked.with_model(target.model, headers)
    return Request(method=call.method.encode(), target=call.target, headers=headers, body=body)
