"""Records as rows: what the gateway notes, in the form that the tables keep.

Owns the last look at every value: text without NUL and lone surrogates, numbers
that fit. PostgreSQL refuses the others, and one refused value would fail a whole
batch. A row is a tuple beside a tuple of names, because the writer handles a few
for each exchange; the forms with names are made of them. Pure.
Used by ledger/batch, ledger/instances and observe/feed.
"""

from collections.abc import Sequence
from functools import reduce
from operator import attrgetter, or_

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

_ADMISSION_TEXTS = (
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
)
_ADMISSION_FACTS = ("admitted_us", "wire", "endpoint", "client_credential", "stream")
_START_TEXTS = ("exchange_id", "upstream", "kind", "model")
_MEASURE_TEXTS = (
    "error_type",
    "error_code",
    "response_model",
    "response_id",
    "upstream_request_id",
    "stop_reason",
)
_USAGE_COUNTS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "thinking_tokens",
    "web_search_requests",
    "web_fetch_requests",
)
_USAGE_TEXTS = ("service_tier", "speed", "inference_geo")

ADMITTED = (*_ADMISSION_TEXTS, *_ADMISSION_FACTS, "request_bytes")
"""The columns of `admission_row`."""
STARTED = (*_START_TEXTS, "number", "started_us")
"""The columns of `start_row`."""
MEASURED = (
    *_MEASURE_TEXTS,
    "status",
    "response_bytes",
    "first_byte_us",
    "first_token_us",
    "total_us",
    *_USAGE_COUNTS,
    *_USAGE_TEXTS,
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

# Columns are called what the records call them.
_admission_texts, _admission_facts = attrgetter(*_ADMISSION_TEXTS), attrgetter(*_ADMISSION_FACTS)
_start_texts = attrgetter(*_START_TEXTS)
_measure_texts = attrgetter(*_MEASURE_TEXTS)
_usage_counts, _usage_texts = attrgetter(*_USAGE_COUNTS), attrgetter(*_USAGE_TEXTS)

_NOTHING_USED: Row = (*(None,) * len((*_USAGE_COUNTS, *_USAGE_TEXTS, "iterations")), False)


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


def _numbers(values: tuple[int, ...]) -> tuple[int | None, ...]:
    # Likewise: all of their bits together are negative or too large where one of them is.
    return values if 0 <= reduce(or_, values) <= _SURELY_FITS else tuple(map(number, values))


def admission_row(admission: Admission) -> Row:
    """Of an exchange that was just admitted."""
    return (
        *_texts(_admission_texts(admission)),
        *_admission_facts(admission),
        number(admission.request_bytes),
    )


def start_row(start: AttemptStart) -> Row:
    """Of an attempt that has just begun."""
    return (*_texts(_start_texts(start)), start.number, start.started_us)


def measure_row(measure: Measure) -> Row:
    """What was seen of an answer."""
    usage, cost = measure.usage, measure.cost
    return (
        *_texts(_measure_texts(measure)),
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
    return (
        *_numbers(_usage_counts(usage)),
        *_texts(_usage_texts(usage)),
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
