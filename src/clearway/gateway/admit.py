"""Admission: from here on an exchange is in the ledger."""

import msgspec

from clearway.core.errors import LedgerUnavailable
from clearway.core.exchange import Admission, Endpoint
from clearway.gateway.authenticate import Caller
from clearway.gateway.bookkeeping import Books, Exchange
from clearway.gateway.call import Call, Sink
from clearway.gateway.decode import Asked
from clearway.gateway.follow_up import FollowUp
from clearway.gateway.labels import Labels, model, path
from clearway.gateway.route import OBJECT_ENDPOINTS


class Walk(msgspec.Struct, frozen=True):
    """One request on its way, with all that is known of it."""

    exchange: Exchange
    call: Call
    caller: Caller
    asked: Asked
    sink: Sink
    follow: FollowUp | None = None
    """Translated: asks of its own beside it."""


def admit(  # noqa: PLR0913, PLR0917  # what is known at this moment
    books: Books, exchange_id: str, instance_id: str, call: Call, seen: Labels, caller: Caller, asked: Asked | None
) -> Exchange:
    """Note the exchange in the journal.

    Args:
        books: Where it is noted.
        exchange_id: Its id.
        instance_id: This process.
        call: The request.
        seen: What its fields tell.
        caller: Who is calling.
        asked: What the body says; None where it was refused unread.

    Raises:
        LedgerUnavailable: It could not be kept, so it is not served.
        Overloaded: The journal is full.
    """
    if not books.journal.healthy:
        hint = "the ledger cannot be written: clearway doctor says why"
        raise LedgerUnavailable("exchanges cannot be recorded at the moment", hint=hint, retry_after_s=5)
    return Exchange(
        books,
        Admission(
            id=exchange_id,
            instance_id=instance_id,
            admitted_us=books.clock.now_us(),
            wire=call.wire,
            endpoint=_told(call.endpoint, caller),
            method=call.method,
            path=path(call.path),
            key_id=caller.key.id if caller.key else None,
            key_name=caller.key.name if caller.key else None,
            client_credential=caller.credential != "none",
            run_id=call.run_id,
            session_id=seen.session_id,
            agent_id=seen.agent_id,
            parent_agent_id=seen.parent_agent_id,
            client_name=seen.client_name,
            client_version=seen.client_version,
            client_request_id=seen.client_request_id,
            request_model=model(asked.peek.model) if asked else None,
            stream=bool(asked.peek.stream) if asked and asked.readable and call.endpoint == "messages" else None,
            request_bytes=len(asked.body) if asked else 0,
            trace_parent=seen.trace_parent,
        ),
    )


def _told(endpoint: Endpoint, caller: Caller) -> Endpoint:
    """What a client pays for itself is relayed unread, files and batches included."""
    return "relay" if endpoint in OBJECT_ENDPOINTS and caller.credential != "none" else endpoint
