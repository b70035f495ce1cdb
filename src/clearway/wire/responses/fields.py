"""The fields of a request that are a number, a word or a switch, each with its rule. Pure.

Source: `ResponseCreateParamsBase` of the `openai` SDK 3.x, and what Codex adds (read
2026-11-21). Used by request.py.
"""

from clearway.wire.hub.judging import Rule, refused, retention, silent, told, unless_empty
from clearway.wire.hub.notes import Notes, Refusal

MAPPED = frozenset({
    "model", "input", "instructions", "max_output_tokens", "max_tool_calls", "temperature", "top_p", "top_k", "stream",
    "user", "safety_identifier", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning", "thinking",
    "output_config", "include", "store", "metadata", "previous_response_id", "prompt_cache_options", "service_tier",
    "cache_control",
})  # fmt: skip
"""What request.py reads itself."""


def _background(value: object, name: str, notes: Notes) -> None:
    del notes
    if value is not False:
        hint = "leave it out, and read the answer as a stream"
        raise Refusal(name, "an answer in the background is not kept for later", "unsupported_parameter", hint=hint)


def _conversation(value: object, name: str, notes: Notes) -> None:
    del value, notes
    hint = "send the items of the conversation as input"
    raise Refusal(name, "conversations are not kept", "unsupported_parameter", hint=hint)


def _prompt(value: object, name: str, notes: Notes) -> None:
    del value, notes
    hint = "send its text as instructions and input"
    raise Refusal(name, "stored prompts are OpenAI's and cannot be read", "unsupported_parameter", hint=hint)


def _truncation(value: object, name: str, notes: Notes) -> None:
    if value not in ("auto", "disabled"):
        raise Refusal(name, "truncation: expected auto or disabled")
    if value == "auto":
        notes.add("ignored", name, "a prompt that is too long is refused")


RULES: dict[str, Rule] = {
    "access_programs": refused,
    "background": _background,
    "client_metadata": silent,
    "context_management": told,
    "conversation": _conversation,
    "image": silent,
    "moderation": refused,
    "prompt": _prompt,
    "prompt_cache_key": silent,
    "prompt_cache_retention": retention,
    "stream_options": silent,
    "top_logprobs": unless_empty,
    "truncation": _truncation,
}
"""By name, for values other than null."""
