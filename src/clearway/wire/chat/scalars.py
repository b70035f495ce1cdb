"""Fields of a request that are mapped one by one: bounds, sampling, stops, who asks. Pure.

Source: `CompletionCreateParams` of the `openai` SDK 3.x, `MessageCreateParams` of the
`anthropic` SDK 2.x; which models take sampling: `wire/hub/models.json` (read 2026-11-21).
Used by request.py.
"""

from collections.abc import Callable

import msgspec

from clearway.wire.chat.types import Json
from clearway.wire.hub.models import Abilities
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.thinking import Wish, Word, word_of

_HOTTEST = 2


class StreamOptions(msgspec.Struct):
    """`stream_options`."""

    include_usage: bool | None = None


class CacheOptions(msgspec.Struct):
    """`prompt_cache_options`."""

    mode: str | None = None
    ttl: str | None = None


class Effort(msgspec.Struct):
    """`reasoning`, as other gateways have it."""

    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None
    exclude: bool | None = None


class OutputConfig(msgspec.Struct):
    """`output_config` of Messages."""

    effort: str | None = None
    format: Json | None = None


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
    if bound is None:
        return None
    if bound < 1:
        raise Refusal(name, f"{name} must be 1 at least")
    if bound > abilities.max_output:
        notes.add("clamped", name, f"{bound}->{abilities.max_output}")
        return abilities.max_output
    return bound


def sampling(given: Scalars, abilities: Abilities, notes: Notes, *, thinks: bool) -> Json:
    """`temperature`, `top_p` and `top_k`, where the model takes them.

    Raises:
        Refusal: One is out of its bounds.
    """
    may = abilities.sampling and not thinks
    made: Json = {}
    if given.temperature is not None:
        made |= _temperature(given.temperature, notes, may=may)
    if given.top_p is not None:
        may_both = abilities.both_samplings or given.temperature is None
        made |= _top_p(given.top_p, notes, may=may and may_both)
    if given.top_k is not None:
        if may and given.top_k > 0:
            made["top_k"] = given.top_k
        else:
            notes.add("ignored", "top_k")
    return made


def _temperature(value: float, notes: Notes, *, may: bool) -> Json:
    if not 0 <= value <= _HOTTEST:
        raise Refusal("temperature", "temperature: expected a number from 0 to 2")
    if not may:
        if value != 1:
            notes.add("ignored", "temperature")
        return {}
    if value > 1:
        notes.add("clamped", "temperature", f"{value:g}->1")
    return {"temperature": min(value, 1)}


def _top_p(value: float, notes: Notes, *, may: bool) -> Json:
    if not 0 <= value <= 1:
        raise Refusal("top_p", "top_p: expected a number from 0 to 1")
    if value == 1:
        return {}
    if not may:
        notes.add("ignored", "top_p")
        return {}
    return {"top_p": value}


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


def asker(given: Scalars, hide: Callable[[str], str]) -> str | None:
    """`metadata.user_id`: the same for the same person, and not to be read."""
    person = given.safety_identifier or given.user
    if not person:
        return None
    return f"usr_{hide(person)}"


def tier(given: Scalars, notes: Notes) -> str | None:
    """`service_tier`.

    Raises:
        Refusal: There is none of that name.
    """
    match given.service_tier:
        case None | "auto":
            return None
        case "default":
            return "standard_only"
        case "flex" | "scale" | "priority" | "fast":
            notes.add("ignored", "service_tier", given.service_tier)
            return None
        case other:
            raise Refusal("service_tier", f"{other[:40]!r} is no service tier")


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
        return _native(given.thinking, word, notes, shows=shows)
    return Wish(word=word, budget=budget, param=param, shows=shows)


def _native(thinking: Json, word: Word | None, notes: Notes, *, shows: bool) -> Wish:
    budget = thinking.get("budget_tokens")
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 0):
        raise Refusal("thinking.budget_tokens", "expected a number of tokens")
    match thinking.get("type"):
        case "enabled":
            if word is not None:
                notes.add("ignored", "reasoning_effort", "thinking is given")
            return Wish(budget=budget or _MEDIUM, param="thinking", shows=shows, native=thinking)
        case "disabled" | "between_tools":
            return Wish(word="none", param="thinking", shows=shows)
        case "adaptive":
            return Wish(word=word, param="thinking", shows=shows, native=thinking)
        case None if budget is None:
            # Of another vendor's: nothing of it says how much to think.
            notes.add("ignored", "thinking")
            return Wish(word=word, shows=shows)
        case _:
            raise Refusal("thinking.type", "expected enabled, disabled, adaptive or between_tools")


_MEDIUM = 8192
