"""Records as rows: what the gateway notes, in the form that the tables keep.

Owns the last look at every value: text without NUL and lone surrogates, numbers
that fit. PostgreSQL refuses the others, and one refused value would fail a whole
batch. A row is a tuple beside a tuple of names, because the writer handles a few
for each exchange; it looks at the values of a row all at once (ledger/statements).
The forms with names are made of rows. Pure.
Used by ledger/batch, ledger/statements, ledger/instances and observe/feed.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import attrgetter, or_
from typing import Any

import msgspec

from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Measure, Settlement

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
    "admitted_us",
    "wire",
    "endpoint",
    "method",
    "path",
    "key_id",
    "client_credential",
    "run_id",
    "session_id",
    "agent_id",
    "parent_agent_id",
    "client_name",
    "client_version",
    "client_request_id",
    "request_model",
    "stream",
    "request_bytes",
)
"""The columns of `admission_row`."""
STARTED = ("exchange_id", "number", "upstream", "kind", "model", "started_us")
"""The columns of `start_row`."""
_SEEN = (
    "status",
    "error_type",
    "error_code",
    "response_model",
    "response_id",
    "upstream_request_id",
    "stop_reason",
    "response_bytes",
    "first_byte_us",
    "first_token_us",
    "total_us",
)
_USED = (
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
    "estimated",
)
_COST = ("billing", "cost_nano", "estimate_nano", "price_version")
MEASURED = (*_SEEN, *_USED, "iterations", *_COST, "unpriced")
"""The columns of `measure_row`."""
ENDED = (*MEASURED, "ended_us", "outcome", "swept")
"""The columns of `end_row`."""
SETTLED = (*ENDED, "upstream", "kind", "attempts")
"""The columns of `settlement_row`."""

SURE = frozenset({"admitted_us", "started_us", "ended_us", "iterations"})
"""Columns that hold what we wrote ourselves, however large."""

# Columns are called what the records call them.
_admitted, _started = attrgetter(*ADMITTED), attrgetter(*STARTED)
_seen, _used, _cost = attrgetter(*_SEEN), attrgetter(*_USED), attrgetter(*_COST)

_NOTHING_USED: Row = (*(None,) * (len(_USED) - 1), False)
_NO_COST: Row = (None,) * len(_COST)


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


def texts_fit(values: Iterable[Any]) -> bool:
    """Whether `text` would change none of them; each is a text or None."""
    texts = tuple(filter(None, values))
    joined = "".join(texts)
    if not joined.isascii() or "\0" in joined:
        return False
    return len(joined) <= _TEXT_CHARACTERS or max(map(len, texts)) <= _TEXT_CHARACTERS


def numbers_fit(values: Iterable[Any]) -> bool:
    """Whether `number` would change none of them; each is an integer or None."""
    # All of their bits together are negative or too large where one of them is.
    return bool(0 <= reduce(or_, filter(None, values), 0) <= _SURELY_FITS)


def admission_row(admission: Admission) -> Row:
    """Of an exchange that was just admitted."""
    return _admitted(admission)


def start_row(start: AttemptStart) -> Row:
    """Of an attempt that has just begun."""
    return _started(start)


def measure_row(measure: Measure) -> Row:
    """What was seen of an answer."""
    usage, cost = measure.usage, measure.cost
    used = _NOTHING_USED if usage is None else _used(usage)
    iterations = _json(usage.iterations) if usage is not None and usage.iterations else None
    paid = _NO_COST if cost is None else _cost(cost)
    is_unpriced = usage is not None and (cost is None or cost.nano is None)
    return (*_seen(measure), *used, iterations, *paid, is_unpriced)


def end_row(end: AttemptEnd) -> Row:
    """Of an attempt that is over."""
    return (*measure_row(end.measure), end.ended_us, end.outcome, False)


def settlement_row(settlement: Settlement) -> Row:
    """Of an exchange that is over."""
    told = settlement
    return (*measure_row(told.measure), told.ended_us, told.outcome, False, told.upstream, told.kind, told.attempts)


def named(names: Sequence[str], row: Row) -> Columns:
    """A row with its names, its values as the tables keep them."""
    return {name: value if name in SURE else _fit(value) for name, value in zip(names, row, strict=True)}


def _fit(value: Value) -> Value:
    if isinstance(value, str):
        return text(value)
    return value if isinstance(value, bool) else number(value)


def _json(value: tuple[msgspec.Struct, ...]) -> str | None:
    # A lone surrogate cannot be encoded; JSON itself escapes a NUL.
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return None
