"""Fields of a request that are mapped one by one. Pure.

Source: `ResponseCreateParamsBase` of the `openai` SDK 3.x (read 2026-11-21).
Used by request.py.
"""

import msgspec

from clearway.wire.hub.body import CacheOptions, OutputConfig
from clearway.wire.hub.judging import verbosity
from clearway.wire.hub.models import Abilities
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.structure import AnswerForm
from clearway.wire.hub.thinking import Wish, Word, native, word_of
from clearway.wire.hub.typed import Json, typed

_EFFORT = "reasoning.effort"
_SUMMARIES = ("auto", "concise", "detailed")
_CONTEXTS = ("auto", "all_turns")
_SOURCES = ("web_search_call.action.sources", "web_search_call.results")
_EMPTY = frozenset({
    "code_interpreter_call.outputs", "computer_call_output.output.image_url", "file_search_call.results",
    "message.input_image.image_url", "reasoning.encrypted_content",
})  # fmt: skip
"""Of `include`: nothing of the kind is ever in an answer, or it is there anyway."""


class _Reasoning(msgspec.Struct):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    context: str | None = None
    mode: str | None = None


class _Text(msgspec.Struct):
    format: Json | None = None
    verbosity: str | None = None


class _Format(msgspec.Struct):
    type: str
    name: str = ""
    description: str | None = None
    schema: Json | None = None


class _Cache(CacheOptions):
    comparison_response_id: str | None = None
    prewarm: bool | None = None


class Scalars(msgspec.Struct):
    """What is read of a request beside items and tools."""

    model: str = ""
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stream: bool | None = None
    user: str | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    parallel_tool_calls: bool | None = None
    text: _Text | None = None
    reasoning: _Reasoning | None = None
    thinking: Json | None = None
    output_config: OutputConfig | None = None
    include: list[str] | None = None
    store: bool | None = None
    metadata: Json | None = None
    previous_response_id: str | None = None
    prompt_cache_options: _Cache | None = None
    cache_control: Json | None = None


def settle(given: Scalars, notes: Notes) -> None:
    """Tell or refuse what is no step of its own.

    Raises:
        Refusal: A value that cannot be served.
    """
    if given.max_tool_calls is not None and given.max_tool_calls < 1:
        raise Refusal("max_tool_calls", "max_tool_calls must be 1 at least")
    if given.text is not None and given.text.verbosity is not None:
        verbosity(given.text.verbosity, "text.verbosity", notes)
    cache = given.prompt_cache_options
    if cache is not None and cache.prewarm:
        param = "prompt_cache_options.prewarm"
        raise Refusal(param, "a cache is not filled without an answer", "unsupported_value", hint="leave it out")
    if cache is not None and cache.comparison_response_id is not None:
        notes.add("ignored", "prompt_cache_options.comparison_response_id")
    reasoning = given.reasoning or _Reasoning()
    if reasoning.context not in (None, *_CONTEXTS):
        notes.add("ignored", "reasoning.context", reasoning.context[:40])
    if reasoning.mode not in (None, "standard"):
        notes.add("ignored", "reasoning.mode", reasoning.mode[:40])


def includes(given: Scalars, notes: Notes) -> bool:
    """Whether the sources of searches are wanted.

    Raises:
        Refusal: Something is to be included that Claude does not tell.
    """
    sources = False
    for place, one in enumerate(given.include or ()):
        if one in _SOURCES:
            sources = True
        elif one == "message.output_text.logprobs":
            raise Refusal(f"include[{place}]", "log probabilities are not told by Claude", "unsupported_value")
        elif one not in _EMPTY:
            notes.add("ignored", f"include[{place}]", one[:64])
    return sources


def summary_of(given: Scalars) -> str | None:
    """The summary of thoughts that is wanted.

    Raises:
        Refusal: There is none of that name.
    """
    reasoning = given.reasoning or _Reasoning()
    name = "summary" if reasoning.summary is not None else "generate_summary"
    word = reasoning.summary or reasoning.generate_summary
    if word is not None and word not in _SUMMARIES:
        raise Refusal(f"reasoning.{name}", f"{word[:40]!r} is no summary; {', '.join(_SUMMARIES)} are")
    return word


def wish(given: Scalars, notes: Notes) -> Wish:
    """How much the client wants the model to think; Messages' own fields win.

    Raises:
        Refusal: A word that is none.
    """
    shows = summary_of(given) is not None
    reasoning = given.reasoning or _Reasoning()
    word: Word | None = None
    param = _EFFORT
    if reasoning.effort is not None:
        word = word_of(reasoning.effort, param)
    if given.output_config is not None and given.output_config.effort is not None:
        param = "output_config.effort"
        word = word_of(given.output_config.effort, param)
    if given.thinking is not None:
        return native(given.thinking, word, notes, shows=shows)
    return Wish(word=word, param=param, shows=shows)


def summarizes(given: Scalars, abilities: Abilities) -> bool:
    """Whether thoughts are shown: where they are wanted, and where much of what is said is said in them."""
    return summary_of(given) is not None or abilities.thinks == "always"


def form_of(given: Scalars) -> AnswerForm | None:
    """The form of the answer that `text.format` says.

    Raises:
        Refusal: It says none.
    """
    if given.text is None or given.text.format is None:
        return None
    form = typed(given.text.format, _Format, "text.format")
    if form.type == "json_schema" and form.schema is None:
        raise Refusal("text.format.schema", "it is missing", "missing_required_parameter")
    return AnswerForm(
        kind=form.type, param="text.format", where="text.format", description=form.description, schema=form.schema
    )
