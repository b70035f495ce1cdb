"""The tier that served an answer, in OpenAI's word. Pure.

Source: `service_tier` of `ChatCompletion` and `Response` of the `openai` SDK 3.x (read
2026-11-21). Used by the translators of every spoke.
"""

from clearway.core.usage import Usage

_TIERS = {"standard": "default", "priority": "priority", "batch": "batch"}


def service_tier(usage: Usage) -> str | None:
    """OpenAI's `service_tier`; None where the upstream told none."""
    if usage.speed == "fast":
        return "priority"
    return _TIERS.get(usage.service_tier or "")
