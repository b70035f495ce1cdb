"""The records of an exchange, as the gateway writes them and the ledger keeps them.

An exchange is told in this order: one `Admission`, then for each try an
`AttemptStart` and an `AttemptEnd`, any number of `Progress`, one `Settlement`.
Nothing here may hold a body, a header's raw value or a secret: every text field
was checked against a narrow pattern before it got here (`gateway/labels.py`).
"""

from typing import Literal

import msgspec

from clearway.core.usage import Cost, Usage

Outcome = Literal["ok", "client_closed", "upstream_error", "denied", "interrupted"]
"""How an exchange or attempt ended.

`ok`: answered whole (a 4xx of the upstream for the client's own fault included).
`client_closed`: the client left before the end. `upstream_error`: the upstream
failed, broke off or answered 5xx, 429 or 529. `denied`: refused by us after the
key was known. `interrupted`: this process ended first.
"""

Endpoint = Literal["messages", "count_tokens", "models", "files", "batches", "relay"]
"""What was asked for: `messages` is any request to a model, in whatever format; `relay` is any
other path, passed through as it is. `files` and `batches` are the routes of `wire/messages/objects.py`.
"""

Wire = Literal["messages", "chat", "responses"]
"""The wire format that the client speaks."""


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when an exchange is admitted (or denied)."""

    id: str
    instance_id: str
    admitted_us: int
    wire: Wire
    endpoint: Endpoint
    method: str
    path: str
    """Without the query, which can hold anything; a segment that looks like a key is `***`."""
    key_id: str | None = None
    key_name: str | None = None
    """For the live feed; the ledger has it in the key's own row."""
    client_credential: bool = False
    """True where the client brought a credential of its own."""
    run_id: str | None = None
    session_id: str | None = None
    agent_id: str | None = None
    parent_agent_id: str | None = None
    client_name: str | None = None
    client_version: str | None = None
    client_request_id: str | None = None
    request_model: str | None = None
    stream: bool | None = None
    request_bytes: int = 0
    trace_parent: str | None = None
    """`traceparent` of the client (W3C Trace Context), for spans; the ledger does not keep it."""


class AttemptStart(msgspec.Struct, frozen=True, kw_only=True):
    """One try at one upstream begins. `number` counts from 1."""

    exchange_id: str
    number: int
    upstream: str
    kind: str
    model: str | None
    """The model as sent, after aliases."""
    started_us: int


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of an answer. Durations are in microseconds since the start
    of the attempt (or the admission of the exchange); None: it never came.
    """

    status: int | None = None
    error_type: str | None = None
    """`error.type` of the answer's body, ours or the upstream's."""
    error_code: str | None = None
    """Our own code where the error is ours (`core/errors.py`)."""
    response_model: str | None = None
    response_id: str | None = None
    upstream_request_id: str | None = None
    stop_reason: str | None = None
    response_bytes: int = 0
    first_byte_us: int | None = None
    first_token_us: int | None = None
    total_us: int | None = None
    usage: Usage | None = None
    cost: Cost | None = None


class AttemptEnd(msgspec.Struct, frozen=True, kw_only=True):
    """One try is over."""

    exchange_id: str
    number: int
    ended_us: int
    outcome: Outcome
    measure: Measure


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What has been seen so far of an open attempt: charged if we die now."""

    exchange_id: str
    number: int
    measure: Measure


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange is over; written exactly once."""

    exchange_id: str
    ended_us: int
    outcome: Outcome
    upstream: str | None
    """Of the attempt that answered; None where none was made."""
    kind: str | None
    attempts: int
    measure: Measure


Record = Admission | AttemptStart | AttemptEnd | Progress | Settlement


class Tried(msgspec.Struct, frozen=True):
    """One try, from its beginning to its end."""

    start: AttemptStart
    end: AttemptEnd


class Finished(msgspec.Struct, frozen=True):
    """One exchange that is over, whole."""

    admission: Admission
    tries: tuple[Tried, ...]
    settlement: Settlement
