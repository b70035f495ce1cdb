"""The fields of a request that are a number, a word or a switch, each with its rule. Pure.

Three tables: what has no counterpart and is told, what would make the answer a lie and is
refused, what is harmless. The default value of a field is harmless always.
Source: `CompletionCreateParams` of the `openai` SDK 3.x, and the extras of programs that
speak through other gateways (read 2026-11-21).
Used by request.py.
"""

from collections.abc import Callable, Mapping

from clearway.wire.hub.notes import Notes, Refusal

_Rule = Callable[[object, str, Notes], None]

MAPPED = frozenset({
    "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "stream",
    "stream_options", "user", "safety_identifier", "tools", "tool_choice", "parallel_tool_calls", "functions",
    "function_call", "response_format", "reasoning_effort", "reasoning", "include_reasoning", "thinking",
    "output_config", "cache_control", "prompt_cache_options", "service_tier", "context_management",
    "web_search_options",
})  # fmt: skip
"""What request.py reads itself."""

NEVER_OBEYED = frozenset({
    "api_base", "api_key", "base_url", "extra_headers", "extra_body", "headers", "default_headers", "organization",
    "custom_llm_provider", "azure_ad_token", "vertex_credentials", "aws_access_key_id", "aws_secret_access_key",
})  # fmt: skip
"""What elsewhere would say whom to ask and by what credential: never the client's to say here."""


def _refused(value: object, name: str, notes: Notes) -> None:
    del value, notes
    raise Refusal(name, f"{name} is not supported with Claude", "unsupported_parameter", hint="leave it out")


def _told(value: object, name: str, notes: Notes) -> None:
    del value
    notes.add("ignored", name)


def _silent(value: object, name: str, notes: Notes) -> None:
    del value, name, notes


def _store(value: object, name: str, notes: Notes) -> None:
    if value:
        notes.add("ignored", name)


def _one(value: object, name: str, notes: Notes) -> None:
    del notes
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Refusal(name, f"{name}: expected a number from 1 on")
    if value > 1:
        raise Refusal(name, f"one answer is given to a request, {name} must be 1", "unsupported_value")


def _penalty(value: object, name: str, notes: Notes) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -2 <= value <= 2:  # noqa: PLR2004  # OpenAI's bounds
        raise Refusal(name, f"{name}: expected a number from -2 to 2")
    if value:
        notes.add("ignored", name)


def _unless_empty(value: object, name: str, notes: Notes) -> None:
    if value not in (False, 0, {}, []):
        _refused(value, name, notes)


def _verbosity(value: object, name: str, notes: Notes) -> None:
    if value not in ("low", "medium", "high"):
        raise Refusal(name, "verbosity: expected low, medium or high")
    if value != "medium":
        notes.add("ignored", name)


def _modalities(value: object, name: str, notes: Notes) -> None:
    if value != ["text"]:
        _refused(value, name, notes)


def _retention(value: object, name: str, notes: Notes) -> None:
    if value not in ("in_memory", "in-memory"):
        notes.add("ignored", name)


RULES: dict[str, _Rule] = {
    "frequency_penalty": _penalty,
    "presence_penalty": _penalty,
    "logit_bias": _unless_empty,
    "logprobs": _unless_empty,
    "top_logprobs": _unless_empty,
    "n": _one,
    "seed": _told,
    "metadata": _silent,
    "store": _store,
    "prompt_cache_key": _silent,
    "prompt_cache_retention": _retention,
    "prediction": _told,
    "verbosity": _verbosity,
    "modalities": _modalities,
    "audio": _refused,
    "moderation": _refused,
    "usage": _silent,
    "provider": _told,
    "models": _told,
    "route": _told,
    "transforms": _told,
    "plugins": _told,
}
"""By name, for values other than null."""


def judge(fields: Mapping[str, object], notes: Notes) -> None:
    """Everything that is not `MAPPED`.

    Raises:
        Refusal: A field that cannot be served.
    """
    for name, value in fields.items():
        if name in MAPPED or value is None:
            continue
        if name in NEVER_OBEYED:
            hint = "the owner of the gateway configures its upstreams"
            raise Refusal(name, f"{name} is never taken from a request", "unsupported_parameter", hint=hint)
        RULES.get(name, _told)(value, name[:64], notes)
