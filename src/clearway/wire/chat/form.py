"""How the client wants its answer: what both ways of writing one need to know. Pure."""

from typing import Literal

import msgspec

Reasoning = Literal["default", "openrouter", "litellm", "deepseek", "none"]
"""The members in which thoughts are told, named after whose programs read them."""

FORMAT = "anthropic-claude-v1"
"""`format` of `reasoning_details`: whose signatures these are."""
PROVIDER = "clearway"
"""Who has served: programs made for OpenRouter take no completion without it (pydantic-ai 2, read 2026-11-27)."""


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """The form of one answer."""

    model: str
    """As the client calls it."""
    created: int
    """Seconds since 1970."""
    include_usage: bool = False
    """A stream tells its usage in a chunk of its own."""
    reasoning: Reasoning = "default"
    is_legacy: bool = False
    """`function_call` instead of `tool_calls`."""

    @property
    def provider(self) -> dict[str, object]:
        """The member that tells who has served, where the client knows of it."""
        return {"provider": PROVIDER} if self.reasoning == "openrouter" else {}


def completion_id(message_id: str) -> str:
    """The id of a completion, from that of the message without its prefix."""
    return f"chatcmpl-{message_id}"
