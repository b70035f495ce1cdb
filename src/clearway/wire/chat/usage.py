"""Usage in OpenAI's terms. Source: `CompletionUsage` of the `openai` SDK 3.x (read 2026-11-21).

OpenAI's counts include what was cached, Anthropic's leave it out. Pure.
"""

from clearway.core.usage import Usage


def usage_object(usage: Usage) -> dict[str, object]:
    """The `usage` of a completion."""
    prompt = usage.prompt_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output_tokens,
        "total_tokens": prompt + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.thinking_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
