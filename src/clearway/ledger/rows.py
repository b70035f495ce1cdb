"""Records as rows: what the gateway notes, in the form that the tables keep.

Owns the last look at every value: text without NUL and lone surrogates, numbers
that fit. PostgreSQL refuses the others, and one refused value would fail a whole
batch. A row is a tuple beside a tuple of names, because the writer handles a few
for each exchange; the forms with names are made of them. Pure.
Used by ledger/batch, ledger/instances and observe/feed.
"""

from collections.abc import Sequence

import msgspec

from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Measure, Settlement
from clearway.core.usage import Usage

Value = str | int | bool | None
Row = tuple[Value, ...]
Columns = dict[str, Value]

_TEXT_CHARACTERS = 500
"""A label, not a document; four bytes each still fit an index entry of PostgreSQL
(2704 bytes: documentation of PostgreSQL 15, "B-Tree Implementation")."""
_NUMBER_MAX = 10**15
"""More tokens, bytes or nano-dollars in one exchange cannot be true, and sums
over thousands of such rows still fit 64 bits."""
_SURELY_FITS = (1 << 49) - 1

ADMITTED = (
    "id",
    "instance_id",
    "method",
    "path",
    "key_id",
    "run_id",
    "session_id",
    "agent_id",
    "parent_agent_id",
    "client_name",
    "client_version",
    "client_request_id",
    "request_model",
    "admitted_us",
    "wire",
    "endpoint",
    "client_credential",
    "stream",
    "request_bytes",
)
"""The columns of `admission_row`."""
STARTED = ("exchange_id", "upstream", "kind", "model", "number", "started_us")
"""The columns of `start_row`."""
MEASURED = (
    "error_type",
    "error_code",
    "response_model",
    "response_id",
    "upstream_request_id",
    "stop_reason",
    "status",
    "response_bytes",
    "first_byte_us",
    "first_token_us",
    "total_us",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "thinking_tokens",
    "web_search_requests",
    "web_fetch_requests",
    "service_tier",
    "speed",
    "inference_geo",
    "iterations",
    "estimated",
    "billing",
    "cost_nano",
    "estimate_nano",
    "unpriced",
    "price_version",
)
"""The columns of `measure_row`."""
ENDED = (*MEASURED, "ended_us", "outcome", "swept")
"""The columns of `end_row`."""
SETTLED = (*ENDED, "upstream", "kind", "attempts")
"""The columns of `settlement_row`."""

_NOTHING_USED: Row = (*(None,) * 12, False)


def text(value: str | None) -> str | None:
    """The value as both databases accept it."""
    if value is None:
        return None
    if len(value) > _TEXT_CHARACTERS:
        value = value[:_TEXT_CHARACTERS]
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    return value.replace("\0", "?") if "\0" in value else value


def number(value: int | None) -> int | None:
    """The value, within what a column and its sums can hold."""
    if value is None or 0 <= value <= _NUMBER_MAX:
        return value
    return _NUMBER_MAX if value > 0 else 0


def _texts(values: tuple[str | None, ...]) -> tuple[str | None, ...]:
    # All at once: what fits together fits one by one.
    joined = "".join(filter(None, values))
    if len(joined) <= _TEXT_CHARACTERS and joined.isascii() and "\0" not in joined:
        return values
    return tuple(map(text, values))


def _numbers(values: tuple[int, ...], joined: int) -> tuple[int | None, ...]:
    """The values, given with all of their bits together."""
    return values if 0 <= joined <= _SURELY_FITS else tuple(map(number, values))


def admission_row(admission: Admission) -> Row:
    """Of an exchange that was just admitted."""
    return (
        *_texts(
            (
                admission.id,
                admission.instance_id,
                admission.method,
                admission.path,
                admission.key_id,
                admission.run_id,
                admission.session_id,
                admission.agent_id,
                admission.parent_agent_id,
                admission.client_name,
                admission.client_version,
                admission.client_request_id,
                admission.request_model,
            )
        ),
        admission.admitted_us,
        admission.wire,
        admission.endpoint,
        admission.client_credential,
        admission.stream,
        number(admission.request_bytes),
    )


def start_row(start: AttemptStart) -> Row:
    """Of an attempt that has just begun."""
    return (
        *_texts((start.exchange_id, start.upstream, start.kind, start.model)),
        start.number,
        start.started_us,
    )


def measure_row(measure: Measure) -> Row:
    """What was seen of an answer."""
    usage, cost = measure.usage, measure.cost
    return (
        *_texts(
            (
                measure.error_type,
                measure.error_code,
                measure.response_model,
                measure.response_id,
                measure.upstream_request_id,
                measure.stop_reason,
            )
        ),
        measure.status,
        number(measure.response_bytes),
        number(measure.first_byte_us),
        number(measure.first_token_us),
        number(measure.total_us),
        *(_NOTHING_USED if usage is None else _usage(usage)),
        None if cost is None else cost.billing,
        None if cost is None else number(cost.cost_nano),
        None if cost is None else number(cost.estimate_nano),
        usage is not None and (cost is None or cost.nano is None),
        None if cost is None else text(cost.price_version),
    )


def _usage(usage: Usage) -> Row:
    counts = (
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.output_tokens,
        usage.thinking_tokens,
        usage.web_search_requests,
        usage.web_fetch_requests,
    )
    joined = counts[0] | counts[1] | counts[2] | counts[3] | counts[4] | counts[5] | counts[6] | counts[7]
    return (
        *_numbers(counts, joined),
        *_texts((usage.service_tier, usage.speed, usage.inference_geo)),
        _json(usage.iterations) if usage.iterations else None,
        usage.estimated,
    )


def end_row(end: AttemptEnd) -> Row:
    """Of an attempt that is over."""
    return (*measure_row(end.measure), end.ended_us, end.outcome, False)


def settlement_row(settlement: Settlement) -> Row:
    """Of an exchange that is over."""
    return (
        *measure_row(settlement.measure),
        settlement.ended_us,
        settlement.outcome,
        False,
        *_texts((settlement.upstream, settlement.kind)),
        settlement.attempts,
    )


def named(names: Sequence[str], row: Row) -> Columns:
    """A row with its names."""
    return dict(zip(names, row, strict=True))


def _json(value: tuple[msgspec.Struct, ...]) -> str | None:
    # A lone surrogate cannot be encoded; JSON itself escapes a NUL.
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return None
