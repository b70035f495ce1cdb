"""Records as columns: what the gateway notes, in the form that the tables keep.

Owns the last look at every value: text without NUL and lone surrogates, numbers
that fit. PostgreSQL refuses the others, and one refused value would fail a whole
batch. Pure. Used by ledger/batch and ledger/instances.
"""

import msgspec

from clearway.core.exchange import Admission, AttemptEnd, AttemptStart, Measure, Settlement

Columns = dict[str, str | int | bool | None]

_TEXT_CHARACTERS = 500
"""A label, not a document; four bytes each still fit an index entry of PostgreSQL
(2704 bytes: documentation of PostgreSQL 15, "B-Tree Implementation")."""
_NUMBER_MAX = 10**15
"""More tokens, bytes or nano-dollars in one exchange cannot be true, and sums
over thousands of such rows still fit 64 bits."""


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


def admission_columns(admission: Admission) -> Columns:
    """Of an exchange that was just admitted."""
    return {
        "id": text(admission.id),
        "instance_id": text(admission.instance_id),
        "admitted_us": admission.admitted_us,
        "wire": admission.wire,
        "endpoint": admission.endpoint,
        "method": text(admission.method),
        "path": text(admission.path),
        "key_id": text(admission.key_id),
        "client_credential": admission.client_credential,
        "run_id": text(admission.run_id),
        "session_id": text(admission.session_id),
        "agent_id": text(admission.agent_id),
        "parent_agent_id": text(admission.parent_agent_id),
        "client_name": text(admission.client_name),
        "client_version": text(admission.client_version),
        "client_request_id": text(admission.client_request_id),
        "request_model": text(admission.request_model),
        "stream": admission.stream,
        "request_bytes": number(admission.request_bytes),
    }


def start_columns(start: AttemptStart) -> Columns:
    """Of an attempt that has just begun."""
    return {
        "exchange_id": text(start.exchange_id),
        "number": start.number,
        "upstream": text(start.upstream),
        "kind": text(start.kind),
        "model": text(start.model),
        "started_us": start.started_us,
    }


def measure_columns(measure: Measure) -> Columns:
    """What was seen of an answer."""
    usage, cost = measure.usage, measure.cost
    columns: Columns = {
        "status": measure.status,
        "error_type": text(measure.error_type),
        "error_code": text(measure.error_code),
        "response_model": text(measure.response_model),
        "response_id": text(measure.response_id),
        "upstream_request_id": text(measure.upstream_request_id),
        "stop_reason": text(measure.stop_reason),
        "response_bytes": number(measure.response_bytes),
        "first_byte_us": number(measure.first_byte_us),
        "first_token_us": number(measure.first_token_us),
        "total_us": number(measure.total_us),
        "input_tokens": None,
        "cache_read_tokens": None,
        "cache_write_5m_tokens": None,
        "cache_write_1h_tokens": None,
        "output_tokens": None,
        "thinking_tokens": None,
        "web_search_requests": None,
        "web_fetch_requests": None,
        "service_tier": None,
        "speed": None,
        "inference_geo": None,
        "iterations": None,
        "estimated": False,
        "billing": None if cost is None else cost.billing,
        "cost_nano": None if cost is None else number(cost.cost_nano),
        "estimate_nano": None if cost is None else number(cost.estimate_nano),
        "unpriced": usage is not None and (cost is None or cost.nano is None),
        "price_version": None if cost is None else text(cost.price_version),
    }
    if usage is not None:
        columns["input_tokens"] = number(usage.input_tokens)
        columns["cache_read_tokens"] = number(usage.cache_read_tokens)
        columns["cache_write_5m_tokens"] = number(usage.cache_write_5m_tokens)
        columns["cache_write_1h_tokens"] = number(usage.cache_write_1h_tokens)
        columns["output_tokens"] = number(usage.output_tokens)
        columns["thinking_tokens"] = number(usage.thinking_tokens)
        columns["web_search_requests"] = number(usage.web_search_requests)
        columns["web_fetch_requests"] = number(usage.web_fetch_requests)
        columns["service_tier"] = text(usage.service_tier)
        columns["speed"] = text(usage.speed)
        columns["inference_geo"] = text(usage.inference_geo)
        columns["estimated"] = usage.estimated
        if usage.iterations:
            columns["iterations"] = _json(usage.iterations)
    return columns


def end_columns(end: AttemptEnd) -> Columns:
    """Of an attempt that is over."""
    columns = measure_columns(end.measure)
    columns["ended_us"] = end.ended_us
    columns["outcome"] = end.outcome
    columns["swept"] = False
    return columns


def settlement_columns(settlement: Settlement) -> Columns:
    """Of an exchange that is over."""
    columns = measure_columns(settlement.measure)
    columns["ended_us"] = settlement.ended_us
    columns["outcome"] = settlement.outcome
    columns["swept"] = False
    columns["upstream"] = text(settlement.upstream)
    columns["kind"] = text(settlement.kind)
    columns["attempts"] = settlement.attempts
    return columns


def _json(value: tuple[msgspec.Struct, ...]) -> str | None:
    # A lone surrogate cannot be encoded; JSON itself escapes a NUL.
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return None
