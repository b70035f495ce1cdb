"""What spans and metrics say of an exchange and of an attempt: records in the words of the conventions.

Every value comes from a record that holds numbers and checked labels only, so there is
no content, no header and no secret to leave out. Pure. Used by observe/otel/sender.
"""

from collections.abc import Iterable, Mapping

from clearway.core.exchange import Admission, AttemptEnd, Endpoint, Finished, Measure, Settlement, Tried
from clearway.observe.otel import names
from clearway.observe.otel.names import Names

Value = str | bool | int | float | tuple[str, ...]
Attributes = Mapping[str, Value]
_US = 1_000_000
_SERVER_ERROR = 500
_REFUSED = 400
_ROUTES: dict[Endpoint, str] = {
    "messages": "/v1/messages",
    "count_tokens": "/v1/messages/count_tokens",
    "models": "/v1/models",
}


def server_name(admission: Admission) -> str:
    """The name of an exchange's span: of few different ones."""
    route = _route(admission)
    return admission.method if route is None else f"{admission.method} {route}"


def _route(admission: Admission) -> str | None:
    if admission.endpoint == "messages" and admission.wire == "chat":
        return "/v1/chat/completions"
    return _ROUTES.get(admission.endpoint)


def client_name(admission: Admission, tried: Tried) -> str:
    """The name of an attempt's span."""
    if admission.endpoint != "messages":
        return admission.method
    return f"{names.CHAT} {tried.start.model}" if tried.start.model else names.CHAT


def server_attributes(told: Finished, words: Names) -> Attributes:
    """Of an exchange: what a client asked of us."""
    admission, settlement = told.admission, told.settlement
    return _known(
        (
            (names.HTTP_METHOD, admission.method),
            (names.HTTP_ROUTE, _route(admission)),
            (names.URL_PATH, admission.path),
            (names.HTTP_STATUS, settlement.measure.status),
            (names.ERROR_TYPE, server_error(settlement)),
            (names.EXCHANGE_ID, admission.id),
            (names.OUTCOME, settlement.outcome),
            (names.ENDPOINT, admission.endpoint),
            (names.KEY_NAME, admission.key_name),
            (names.RUN_ID, admission.run_id),
            (names.CONVERSATION, admission.session_id),
            (names.UPSTREAM, settlement.upstream),
            (names.ATTEMPTS, settlement.attempts),
            (names.REQUEST_MODEL, admission.request_model),
            (names.RESPONSE_MODEL, settlement.measure.response_model),
            (words.is_stream, admission.stream),
            (names.FIRST_TOKEN, _seconds(settlement.measure.first_token_us)),
        )
    )


def client_attributes(told: Finished, tried: Tried, words: Names) -> Attributes:
    """Of an attempt: what we asked of an upstream."""
    admission, measure = told.admission, tried.end.measure
    is_chat = admission.endpoint == "messages"
    return _known(
        (
            (names.HTTP_METHOD, admission.method),
            (names.HTTP_STATUS, measure.status),
            (names.ERROR_TYPE, client_error(tried.end)),
            (names.EXCHANGE_ID, admission.id),
            (names.ATTEMPT, tried.start.number),
            (names.OUTCOME, tried.end.outcome),
            (names.UPSTREAM, tried.start.upstream),
            (names.UPSTREAM_KIND, tried.start.kind),
            (names.OPERATION, names.CHAT if is_chat else None),
            (words.provider, provider(tried.start.kind)),
            (names.REQUEST_MODEL, tried.start.model),
            (names.RESPONSE_MODEL, measure.response_model),
            (names.RESPONSE_ID, measure.response_id),
            (names.FINISH_REASONS, (measure.stop_reason,) if measure.stop_reason else None),
            (names.CONVERSATION, admission.session_id),
            (words.is_stream, admission.stream),
            # The head of a stream comes with its first event.
            (words.first_chunk, _seconds(measure.first_byte_us) if admission.stream else None),
            (names.FIRST_TOKEN, _seconds(measure.first_token_us)),
            *_used(measure, words),
        )
    )


def _used(measure: Measure, words: Names) -> Iterable[tuple[str | None, Value | None]]:
    usage, cost = measure.usage, measure.cost
    if usage is not None:
        # The conventions count the cached part of a prompt in; Anthropic's `input_tokens` do not.
        yield names.INPUT_TOKENS, usage.prompt_tokens
        yield names.OUTPUT_TOKENS, usage.output_tokens
        yield words.cache_read, usage.cache_read_tokens
        yield words.cache_write, usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        yield words.reasoning, usage.thinking_tokens or None
    if cost is not None:
        yield names.BILLING, cost.billing
        yield names.COST, cost.cost_nano
        yield names.ESTIMATE, cost.estimate_nano


def provider(kind: str) -> str:
    """Whose model an upstream of a kind leads to, as far as is known."""
    return names.SIMULATED if kind == "sim" else names.ANTHROPIC


def client_error(end: AttemptEnd) -> str | None:
    """The class of error that a try ended in; None: none that is the upstream's."""
    if end.outcome == "ok" and (end.measure.status or 0) < _REFUSED:
        return None
    return None if end.outcome == "client_closed" else _error(end.measure)


def server_error(settlement: Settlement) -> str | None:
    """Likewise of an exchange; a client's own fault is no error of ours (HTTP conventions)."""
    failed = settlement.outcome in {"upstream_error", "interrupted"}
    return _error(settlement.measure) if failed or (settlement.measure.status or 0) >= _SERVER_ERROR else None


def _error(measure: Measure) -> str:
    refused = measure.status is not None and measure.status >= _REFUSED
    return measure.error_code or measure.error_type or (str(measure.status) if refused else names.OTHER_ERROR)


def _seconds(duration_us: int | None) -> float | None:
    return None if duration_us is None else duration_us / _US


def _known(pairs: Iterable[tuple[str | None, Value | None]]) -> dict[str, Value]:
    return {name: value for name, value in pairs if name is not None and value is not None}
