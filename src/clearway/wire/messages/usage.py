"""Usage on the wire of Messages, read tolerantly.

Source: `Usage`, `MessageDeltaUsage` and `BetaUsage` of the `anthropic` SDK 2.x
(read 2026-11-21). Compatible vendors leave members out, or send null or floats.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from clearway.core.usage import Iteration, Tokens, Usage

Fields = Mapping[str, object]


def merge(earlier: dict[str, object], later: Fields) -> None:
    """Fold the usage of a `message_delta` into that of `message_start`, in place.

    The later one is cumulative: each member that is there replaces the earlier.
    """
    earlier.update({name: value for name, value in later.items() if value is not None})


def read_usage(fields: Fields) -> Usage:
    """The typed usage of a merged or plain `usage` object."""
    details = _object(fields, "output_tokens_details")
    tools = _object(fields, "server_tool_use")
    counts = _tokens(fields)
    return Usage(
        input_tokens=counts.input_tokens,
        cache_read_tokens=counts.cache_read_tokens,
        cache_write_5m_tokens=counts.cache_write_5m_tokens,
        cache_write_1h_tokens=counts.cache_write_1h_tokens,
        output_tokens=counts.output_tokens,
        thinking_tokens=_count(details, "thinking_tokens"),
        web_search_requests=_count(tools, "web_search_requests"),
        web_fetch_requests=_count(tools, "web_fetch_requests"),
        service_tier=_word(fields, "service_tier"),
        speed=_word(fields, "speed"),
        inference_geo=_word(fields, "inference_geo"),
        iterations=_iterations(fields.get("iterations")),
    )


_MOST = 1 << 53  # beyond it a JSON number is no count
_LONGEST_WORD = 64
_Count = Annotated[int, msgspec.Meta(ge=0, lt=_MOST)]
_Word = Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST_WORD)]


class _Split(msgspec.Struct):
    ephemeral_5m_input_tokens: _Count = 0
    ephemeral_1h_input_tokens: _Count = 0


class _Details(msgspec.Struct):
    thinking_tokens: _Count = 0


class _Tools(msgspec.Struct):
    web_search_requests: _Count = 0
    web_fetch_requests: _Count = 0


class _Usual(msgspec.Struct):
    """`usage` as Anthropic itself sends it, with one model run."""

    input_tokens: _Count = 0
    cache_creation_input_tokens: _Count = 0
    cache_read_input_tokens: _Count = 0
    output_tokens: _Count = 0
    cache_creation: _Split | None = None
    output_tokens_details: _Details | None = None
    server_tool_use: _Tools | None = None
    service_tier: _Word | None = None
    speed: _Word | None = None
    inference_geo: _Word | None = None
    iterations: None = None


_usual = msgspec.json.Decoder(_Usual)
_NO_SPLIT, _NO_DETAILS, _NO_TOOLS = _Split(), _Details(), _Tools()


def usage_of(raw: msgspec.Raw) -> Usage | None:
    """The typed usage of a `usage` object that stands in a body; None where there is none.

    Raises:
        msgspec.DecodeError: It is neither an object nor null.
    """
    try:
        seen = _usual.decode(raw)
    except msgspec.ValidationError:
        fields = msgspec.json.decode(raw, type=dict[str, object] | None)
        return None if fields is None else read_usage(fields)
    split = seen.cache_creation or _NO_SPLIT
    details = seen.output_tokens_details or _NO_DETAILS
    tools = seen.server_tool_use or _NO_TOOLS
    five, hour = _written(
        seen.cache_creation_input_tokens, split.ephemeral_5m_input_tokens, split.ephemeral_1h_input_tokens
    )
    return Usage(
        input_tokens=seen.input_tokens,
        cache_read_tokens=seen.cache_read_input_tokens,
        cache_write_5m_tokens=five,
        cache_write_1h_tokens=hour,
        output_tokens=seen.output_tokens,
        thinking_tokens=details.thinking_tokens,
        web_search_requests=tools.web_search_requests,
        web_fetch_requests=tools.web_fetch_requests,
        service_tier=seen.service_tier,
        speed=seen.speed,
        inference_geo=seen.inference_geo,
    )


def _written(total: int, five: int, hour: int) -> tuple[int, int]:
    """What was written for five minutes and for an hour."""
    if five + hour != total and total:
        # The total is the later word (the split comes in message_start only);
        # without a split all of it was written for five minutes.
        hour = min(hour, total)
        five = total - hour
    return five, hour


_MOST_RUNS = 1000  # a request has a handful; each is priced and kept by itself


def _iterations(raw: object) -> tuple[Iteration, ...]:
    if not isinstance(raw, list) or len(raw) > _MOST_RUNS:
        return ()
    return tuple(_iteration(item) for item in raw if isinstance(item, dict))


def _iteration(fields: Fields) -> Iteration:
    counts = _tokens(fields)
    return Iteration(
        kind=_word(fields, "type") or "message",
        model=_word(fields, "model"),
        input_tokens=counts.input_tokens,
        cache_read_tokens=counts.cache_read_tokens,
        cache_write_5m_tokens=counts.cache_write_5m_tokens,
        cache_write_1h_tokens=counts.cache_write_1h_tokens,
        output_tokens=counts.output_tokens,
    )


def _tokens(fields: Fields) -> Tokens:
    split = _object(fields, "cache_creation")
    five, hour = _written(
        _count(fields, "cache_creation_input_tokens"),
        _count(split, "ephemeral_5m_input_tokens"),
        _count(split, "ephemeral_1h_input_tokens"),
    )
    return Tokens(
        input_tokens=_count(fields, "input_tokens"),
        cache_read_tokens=_count(fields, "cache_read_input_tokens"),
        cache_write_5m_tokens=five,
        cache_write_1h_tokens=hour,
        output_tokens=_count(fields, "output_tokens"),
    )


def _object(fields: Fields, name: str) -> Fields:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _count(fields: Fields, name: str) -> int:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 <= value < _MOST else 0


def _word(fields: Fields, name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_WORD else None
