"""Fields of a request that are mapped one by one: bounds, sampling, stops, who asks. Pure.

Source: `CompletionCreateParams` of the `openai` SDK 3.x, `MessageCreateParams` of the
`anthropic` SDK 2.x; which models take sampling: `wire/hub/models.json` (read 2026-11-21).
Used by request.py.
"""

import msgspec

from clearway.wire.hub.body import CacheOptions, OutputConfig
from clearway.wire.hub.models import Abilities
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.sampling import bounded
from clearway.wire.hub.structure import AnswerForm
from clearway.wire.hub.thinking import Wish, Word, native, word_of
from clearway.wire.hub.typed import Json, typed


class StreamOptions(msgspec.Struct):
    """`stream_options`."""

    include_usage: bool | None = None


class Effort(msgspec.Struct):
    """`reasoning`, as other gateways have it."""

    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None
    exclude: bool | None = None


class _Format(msgspec.Struct):
    name: str = ""
    description: str | None = None
    schema: Json | None = None


class _Wanted(msgspec.Struct):
    type: str
    json_schema: _Format | None = None


class Scalars(msgspec.Struct):
    """What is read of a request beside messages and tools."""

    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    response_format: Json | None = None
    reasoning_effort: str | None = None
    reasoning: Effort | None = None
    include_reasoning: bool | None = None
    thinking: Json | None = None
    output_config: OutputConfig | None = None
    cache_control: Json | None = None
    prompt_cache_options: CacheOptions | None = None
    context_management: Json | None = None


def bound_of(given: Scalars, abilities: Abilities, notes: Notes) -> int | None:
    """The client's bound of the answer in tokens; None: it gave none.

    Raises:
        Refusal: It is below one: Messages would only fill its cache.
    """
    name, bound = "max_completion_tokens", given.max_completion_tokens
    if bound is None:
        name, bound = "max_tokens", given.max_tokens
    return bounded(bound, name, abilities, notes)


def form_of(raw: Json | None) -> AnswerForm | None:
    """The form of the answer that `response_format` says.

    Raises:
        Refusal: It says none.
    """
    if raw is None:
        return None
    wanted = typed(raw, _Wanted, "response_format")
    where = "response_format.json_schema"
    form = wanted.json_schema
    if form is None:
        if wanted.type == "json_schema":
            raise Refusal(where, "it is missing", "missing_required_parameter")
        form = _Format()
    return AnswerForm(
        kind=wanted.type, param="response_format", where=where, description=form.description, schema=form.schema
    )


def stops(given: Scalars) -> list[str]:
    """The `stop_sequences`.

    Raises:
        Refusal: One is empty or of white space only, which Messages refuses.
    """
    stop = given.stop
    if stop is None:
        return []
    texts = [stop] if isinstance(stop, str) else stop
    if any(not text.strip() for text in texts):
        hint = "use a text with a character that can be seen"
        raise Refusal("stop", "stop may not be empty or only white space", "unsupported_value", hint=hint)
    return texts


def wish(given: Scalars, notes: Notes, *, shows: bool) -> Wish:
    """How much the client wants the model to think; Messages' own fields win.

    Raises:
        Refusal: A word that is none.
    """
    other = given.reasoning or Effort()
    shows = shows and given.include_reasoning is not False and other.exclude is not True
    word: Word | None = None
    param = "reasoning_effort"
    if given.reasoning_effort is not None:
        word = word_of(given.reasoning_effort, param)
    elif other.effort is not None:
        param = "reasoning.effort"
        word = word_of(other.effort, param)
    elif other.enabled is False or other.max_tokens == 0:
        param, word = "reasoning", "none"
    budget = other.max_tokens or None
    if budget is not None:
        param, word = "reasoning.max_tokens", None
    elif word is None and other.enabled:
        param, word = "reasoning.enabled", "medium"
    if given.output_config is not None and given.output_config.effort is not None:
        param, word, budget = "output_config.effort", word_of(given.output_config.effort, "output_config.effort"), None
    if given.thinking is not None:
        return native(given.thinking, word, notes, shows=shows)
    return Wish(word=word, budget=budget, param=param, shows=shows)
