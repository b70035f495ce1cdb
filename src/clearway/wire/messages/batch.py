"""The body that makes a batch, and the results of one.

The body is read as its upstream reads it, or it is not sent: the frame around the
`params` is written anew from what was read, so that a member that stands there twice
means the same to both; each `params` stays as its bytes are, but for its `model`
where an alias stands for it. Pure; linear in the body.
Source: `BatchCreateParams`, `MessageBatchIndividualResponse` of the `anthropic` SDK
2.11 (read 2026-11-27); recorded results of 2026-08-19.
Used by gateway/objects.
"""

from collections.abc import Callable

import msgspec

from clearway.core.errors import BadRequest
from clearway.core.usage import Cost, Usage
from clearway.wire.body import Peek, Unreadable, peek, replace_model
from clearway.wire.messages.usage import usage_of

MOST_REQUESTS = 100_000
"""In one batch, as the API has it."""
_MOST_LINE = 32 * 1024 * 1024
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_requests = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


class Entry(msgspec.Struct, frozen=True):
    """One request of a batch."""

    peek: Peek
    size: int
    """Of its `params`, in bytes."""


class Batch(msgspec.Struct, frozen=True):
    """A body that was read."""

    entries: list[Entry]
    body: bytes
    """What is to be sent."""

    def __repr__(self) -> str:
        return f"Batch({len(self.entries)} requests)"


def read_batch(body: bytes | bytearray, alias: Callable[[str], str]) -> Batch:
    """Read the body that makes a batch.

    Args:
        body: Without content coding.
        alias: The model that a name stands for; the same name where it is no alias.

    Raises:
        BadRequest: It is no batch, or has more than 100,000 requests, or an entry
            names no model; says which one.
    """
    try:
        outer = _object.decode(body)
        requests = _requests.decode(outer["requests"])
    except KeyError:
        raise BadRequest("requests is missing", hint="a batch is {requests: [{custom_id, params}]}") from None
    except msgspec.ValidationError:
        raise BadRequest("the body is no batch", hint="a batch is {requests: [{custom_id, params}]}") from None
    except _UNREADABLE:
        raise Unreadable("the body is not valid JSON") from None
    if len(requests) > MOST_REQUESTS:
        raise BadRequest(f"the batch has {len(requests)} requests", hint=f"at most {MOST_REQUESTS}")
    entries = [_entry(place, request, alias) for place, request in enumerate(requests)]
    # In one go: the body is held twice, not three times.
    return Batch(entries, msgspec.json.encode({**outer, "requests": requests}))


def _entry(place: int, request: dict[str, msgspec.Raw], alias: Callable[[str], str]) -> Entry:
    params = request.get("params")
    if params is None:
        raise BadRequest(f"requests[{place}].params is missing")
    raw = bytes(params)
    try:
        seen = peek(raw)
    except BadRequest as error:
        raise BadRequest(f"requests[{place}].params: {error}", hint=error.hint) from None
    if seen.model is None:
        raise BadRequest(f"requests[{place}].params.model is missing", hint="name a model, e.g. claude-sonnet-5-5")
    model = alias(seen.model)
    if model != seen.model:
        raw = replace_model(raw, model)
        request["params"] = msgspec.Raw(raw)
    return Entry(Peek(model, seen.stream, seen.max_tokens), len(raw))


class _Message(msgspec.Struct):
    model: str | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")


class _Result(msgspec.Struct):
    type: str = ""
    message: _Message | None = None


class _Line(msgspec.Struct):
    result: _Result


_line = msgspec.json.Decoder(_Line)


class Sum(msgspec.Struct):
    """What the succeeded requests of one model used."""

    usage: Usage
    nano: int | None
    """The sum of what each costs by itself; None where one has no price."""
    price_version: str


class ResultsMeter:
    """Sums up JSON Lines of results while they pass, cut anywhere.

    Growth: one unfinished line (32 MiB at most) and one sum for each model.

    Args:
        price: What one message costs, by its usage and model.
    """

    def __init__(self, price: Callable[[Usage, str | None], Cost]) -> None:
        self._price = price
        self._rest = bytearray()
        self.sums: dict[str | None, Sum] = {}
        self.is_sure = True
        """False where a line could not be read: the sums lack it."""
        self._skips = False

    def feed(self, chunk: bytes) -> None:
        """The next bytes."""
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._take(line)
            self._end()
        self._take(rest)

    def close(self) -> None:
        """That was the last of it; the last line needs no end."""
        self._end()

    def _take(self, piece: bytes) -> None:
        if self._skips or len(self._rest) + len(piece) > _MOST_LINE:
            self._skips, self.is_sure = True, False
            self._rest.clear()
        else:
            self._rest += piece

    def _end(self) -> None:
        line, self._rest = self._rest, bytearray()
        self._skips = False
        if line.strip():
            self._note(line)

    def _note(self, line: bytearray) -> None:
        try:
            result = _line.decode(line).result
            message = result.message
            usage = usage_of(message.usage) if result.type == "succeeded" and message is not None else None
        except _UNREADABLE:
            self.is_sure = False
            return
        if message is None or usage is None:
            return
        if usage.service_tier is None:
            # Compatible vendors leave it out; it was a batch all the same.
            usage = msgspec.structs.replace(usage, service_tier="batch")
        model = message.model
        cost = self._price(usage, model)
        known = self.sums.get(model)
        self.sums[model] = (
            Sum(msgspec.structs.replace(usage, iterations=()), cost.nano, cost.price_version)
            if known is None
            else Sum(added(known.usage, usage), _both(known.nano, cost.nano), cost.price_version)
        )


def added(one: Usage, other: Usage) -> Usage:
    """Both together; a word stays where both say the same."""
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        cache_read_tokens=one.cache_read_tokens + other.cache_read_tokens,
        cache_write_5m_tokens=one.cache_write_5m_tokens + other.cache_write_5m_tokens,
        cache_write_1h_tokens=one.cache_write_1h_tokens + other.cache_write_1h_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        thinking_tokens=one.thinking_tokens + other.thinking_tokens,
        web_search_requests=one.web_search_requests + other.web_search_requests,
        web_fetch_requests=one.web_fetch_requests + other.web_fetch_requests,
        service_tier=_same(one.service_tier, other.service_tier),
        speed=_same(one.speed, other.speed),
        inference_geo=_same(one.inference_geo, other.inference_geo),
        estimated=one.estimated or other.estimated,
    )


def _same(one: str | None, other: str | None) -> str | None:
    return one if one == other else None


def _both(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
