"""Usage in the words of Responses. Source: `ResponseUsage` of the `openai` SDK 3.x (read 2026-11-27).

OpenAI's counts include what was cached, Anthropic's leave it out. Both details are
always told: the type has no room for their absence. Pure.
"""

from clearway.core.usage import Usage


def usage_object(usage: Usage) -> dict[str, object]:
    """The `usage` of a response."""
    prompt = usage.prompt_tokens
    return {
        "input_tokens": prompt,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.thinking_tokens},
        "total_tokens": prompt + usage.output_tokens,
    }
