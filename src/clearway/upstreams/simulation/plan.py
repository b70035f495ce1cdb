"""A request, read, weighed and answered; only the prompt cache is not asked yet.

Pure, so that it can be made in a thread.
"""

import msgspec

from clearway.core.errors import BadRequest, TooLarge
from clearway.upstreams.protocol import Request
from clearway.upstreams.simulation import ask as asks
from clearway.upstreams.simulation import orders
from clearway.upstreams.simulation.answer import Answer, compose
from clearway.upstreams.simulation.faults import Fault
from clearway.upstreams.simulation.prompt import Prompt, measure
from clearway.wire.encoding import decode_body

_MAX_BODY = 64_000_000


class Plan(msgspec.Struct, frozen=True):
    """A request that will be answered."""

    ask: asks.Ask
    orders: orders.Orders
    prompt: Prompt
    answer: Answer


def plan(request: Request) -> Plan:
    """Decide on the answer to a request for a message. Raises Fault."""
    ask = _read(request, counting=False)
    wishes, prompt = orders.read(ask), measure(ask)
    return Plan(ask, wishes, prompt, compose(ask, wishes, prompt))


def count(request: Request) -> int:
    """The tokens of a prompt. Raises Fault."""
    return measure(_read(request, counting=True)).tokens


def _read(request: Request, *, counting: bool) -> asks.Ask:
    version = codings = ""
    for name, value in request.headers:
        if name == b"anthropic-version":
            version = value.decode("latin-1")
        elif name == b"content-encoding":
            codings = value.decode("latin-1")
    try:
        body = decode_body(bytes(request.body), codings, _MAX_BODY)
    except TooLarge as error:
        raise Fault(413, str(error)) from None
    except BadRequest as error:
        raise Fault(400, str(error)) from None
    return asks.read(bytes(body), version, counting=counting)
