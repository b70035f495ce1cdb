"""How the client wants its answer: what the request settles for whoever tells it. Pure."""

from typing import Literal

import msgspec

Kind = Literal["function", "custom", "tool_search", "local_shell", "shell", "apply_patch"]


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """What item a call becomes."""

    kind: Kind = "function"
    name: str
    """As the client calls it."""
    namespace: str | None = None


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """The form of one answer."""

    model: str
    """As the client calls it."""
    created: int
    """Seconds since 1970."""
    echo: dict[str, object] = {}
    """The members of the `response` object that repeat the request (`instructions`, `tools`, `store`, ...)."""
    tools: dict[str, Called] = {}
    """By the name that was sent upstream; what is not in it is a function of that name."""
    seals: bool = False
    """Reasoning items carry `encrypted_content`."""
    summarizes: bool = True
    """The text of thoughts is shown as summary."""
    sources: bool = False
    """`web_search_call.action.sources` are told."""
    is_codex: bool = False
