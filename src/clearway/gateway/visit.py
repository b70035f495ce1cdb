"""One request on its walk, and the ways in which it can end before an answer.

Owns what a client is told of an error of ours, whenever that happens. Used by gateway/pipeline.
"""

import asyncio

import structlog

from clearway.core.errors import GatewayError, NotAuthenticated
from clearway.core.exchange import Outcome
from clearway.gateway.bookkeeping import Exchange
from clearway.gateway.call import Call, Sink
from clearway.gateway.errors import last_event, render
from clearway.gateway.headers import EXCHANGE_HEADER
from clearway.gateway.relay import outcome_of
from clearway.keys.model import Key
from clearway.limits.held import NO_ENTRY
from clearway.limits.protocol import Entry

log = structlog.get_logger()


class Visit:
    """One request and how far it has come."""

    __slots__ = ("call", "entry", "exchange", "exchange_id", "key", "sink")

    def __init__(self, exchange_id: str, call: Call, sink: Sink) -> None:
        self.exchange_id = exchange_id
        self.call = call
        self.sink = sink
        self.key: Key | None = None
        self.entry: Entry = NO_ENTRY
        self.exchange: Exchange | None = None


def refuse(visit: Visit, error: GatewayError) -> None:
    """End it by an error of ours, told in the client's format."""
    exchange, sink, exchange_id = visit.exchange, visit.sink, visit.exchange_id
    wire = visit.call.wire
    status, headers, body = render(error, exchange_id, wire)
    if exchange is not None:
        exchange.settle(outcome_of(error), error, status=None if sink.started else status)
    if isinstance(error, NotAuthenticated):
        log.info("not_authenticated", reason=error.code, exchange_id=exchange_id)
    if not sink.started:
        sink.start(status, [*headers, (EXCHANGE_HEADER, exchange_id.encode())])
        sink.finish(body)
    elif exchange is not None and exchange.last_words is not None:
        sink.finish(exchange.last_words(error))
    elif (last := last_event(error, exchange_id)) is not None:
        sink.finish(last)
    else:
        sink.cut()


def was_stopped(visit: Visit) -> bool:
    """Whether the task was cancelled because we ended the exchange; then the client is told, and the task goes on."""
    exchange, task = visit.exchange, asyncio.current_task()
    if exchange is None or exchange.stopped_by is None or visit.sink.gone or task is None:
        return False
    task.uncancel()
    refuse(visit, exchange.stopped_by)
    return True


def settle(exchange: Exchange | None, outcome: Outcome) -> None:
    """Note how it ended, where it had begun. A client that leaves because the upstream has said within
    its answer that it failed did not end it.
    """
    if exchange is not None:
        attempt = exchange.attempt
        has_failed = attempt is not None and not attempt.ended and attempt.watch.error_type is not None
        exchange.settle("upstream_error" if has_failed else outcome)
