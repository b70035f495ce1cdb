"""How the client wants its answer: what both ways of writing a response need to know. Pure.

Made with the request, read with the answer.
"""

from typing import Literal

import msgspec

Kind = Literal["function", "custom", "tool_search", "local_shell", "shell", "apply_patch"]


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """What item a call of one tool becomes.

    The arguments of what is neither `function` nor `custom` are: of `tool_search` those of its own
    parameters; of `local_shell` the `action` without its type; of `shell` the `action`; of
    `apply_patch` the `operation`.
    """

    kind: Kind = "function"
    name: str
    """As the client calls it."""
    namespace: str | None = None


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """The form of one response."""

    model: str
    """As the client calls it."""
    created: int
    """Seconds since 1970."""
    echo: dict[str, object] = {}
    """The members of the response that repeat the request, defaults included."""
    tools: dict[str, Called] = {}
    """By the name that was sent upstream; what is not in it is a function of that name."""
    seals: bool = False
    """Reasoning items carry `encrypted_content`."""
    summarizes: bool = True
    """The text of thoughts is shown as summary."""
    sources: bool = False
    """Searches of the web tell their sources."""
    is_codex: bool = False
