"""The fields of a request that are a number, a word or a switch, each with its rule. Pure.

Three tables: what has no counterpart and is told, what would make the answer a lie and is
refused, what is harmless. The default value of a field is harmless always.
Source: `CompletionCreateParams` of the `openai` SDK 3.x, and the extras of programs that
speak through other gateways (read 2026-11-21).
Used by request.py.
"""

from clearway.wire.hub.judging import Rule, refused, retention, silent, stored, told, unless_empty, verbosity
from clearway.wire.hub.notes import Notes, Refusal

MAPPED = frozenset({
    "model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "stream",
    "stream_options", "user", "safety_identifier", "tools", "tool_choice", "parallel_tool_calls", "functions",
    "function_call", "response_format", "reasoning_effort", "reasoning", "include_reasoning", "thinking",
    "output_config", "cache_control", "prompt_cache_options", "service_tier", "context_management",
    "web_search_options",
})  # fmt: skip
"""What request.py reads itself."""


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


def _modalities(value: object, name: str, notes: Notes) -> None:
    if value != ["text"]:
        refused(value, name, notes)


RULES: dict[str, Rule] = {
    "frequency_penalty": _penalty,
    "presence_penalty": _penalty,
    "logit_bias": unless_empty,
    "logprobs": unless_empty,
    "top_logprobs": unless_empty,
    "n": _one,
    "seed": told,
    "metadata": silent,
    "store": stored,
    "prompt_cache_key": silent,
    "prompt_cache_retention": retention,
    "prediction": told,
    "verbosity": verbosity,
    "modalities": _modalities,
    "audio": refused,
    "moderation": refused,
    "usage": silent,
    "provider": told,
    "models": told,
    "route": told,
    "transforms": told,
    "plugins": told,
}
"""By name, for values other than null."""
