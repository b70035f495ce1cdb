"""What a response repeats of its request. Pure.

All members of the SDK's `Response` that a request decides, with OpenAI's defaults; none is
left out, for programs read them without a look whether they are there.
Source: `Response` of the `openai` SDK 3.x (read 2026-11-21).
Used by request.py.
"""

from clearway.wire.hub.typed import Json
from clearway.wire.responses.scalars import Scalars, summary_of

_REPEATED = ("prompt_cache_key", "prompt_cache_retention", "safety_identifier", "user", "max_tool_calls")


def echo_of(fields: Json, given: Scalars, *, stores: bool) -> Json:
    """The members.

    Args:
        fields: Of the request.
        given: Likewise, typed.
        stores: The response is kept.
    """
    reasoning, text = given.reasoning, given.text
    return {
        "background": False,
        "instructions": given.instructions,
        "max_output_tokens": given.max_output_tokens,
        "metadata": given.metadata or {},
        "parallel_tool_calls": given.parallel_tool_calls is not False,
        "previous_response_id": given.previous_response_id,
        "reasoning": {"effort": reasoning.effort if reasoning else None, "summary": summary_of(given)},
        "service_tier": given.service_tier or "default",
        "store": stores and given.store is not False,
        "temperature": 1.0 if given.temperature is None else given.temperature,
        "text": {
            "format": (text.format if text else None) or {"type": "text"},
            "verbosity": (text.verbosity if text else None) or "medium",
        },
        "tool_choice": fields.get("tool_choice") or "auto",
        "tools": fields.get("tools") or [],
        "top_logprobs": 0,
        "top_p": 1.0 if given.top_p is None else given.top_p,
        "truncation": fields.get("truncation") or "disabled",
    } | {name: fields.get(name) for name in _REPEATED}
