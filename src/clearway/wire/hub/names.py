"""Which model is meant by a name that is not one of Claude's. Pure.

Used by gateway/translate and config.
"""

import re
from collections.abc import Mapping

DEFAULTS: dict[str, str] = {
    "gpt-3.5-turbo": "claude-haiku-5-5",
    "gpt-4": "claude-sonnet-5-5",
    "gpt-4-turbo": "claude-sonnet-5-5",
    "gpt-4o": "claude-sonnet-5-5",
    "gpt-4o-mini": "claude-haiku-5-5",
    "gpt-4.1": "claude-sonnet-5-5",
    "gpt-4.1-mini": "claude-haiku-5-5",
    "gpt-4.1-nano": "claude-haiku-5-5",
    "gpt-5": "claude-opus-5-5",
    "gpt-5-mini": "claude-sonnet-5-5",
    "gpt-5-nano": "claude-haiku-5-5",
    "gpt-5.4-mini": "claude-sonnet-5-5",
    "gpt-5.5": "claude-opus-5-5",
    "gpt-5.6-luna": "claude-haiku-5-5",
    "gpt-5.6-sol": "claude-opus-5-5",
    "gpt-5.6-terra": "claude-sonnet-5-5",
    "gpt-6-astra": "claude-opus-5-5",
    "gpt-6-luna": "claude-haiku-5-5",
    "gpt-6-sol": "claude-opus-5-5",
    "gpt-6.1-sol": "claude-opus-5-5",
    "gpt-6.1-terra": "claude-sonnet-5-5",
    "codex-auto-review": "claude-sonnet-5-5",
    "o1": "claude-opus-5-5",
    "o1-mini": "claude-sonnet-5-5",
    "o3": "claude-opus-5-5",
    "o3-mini": "claude-sonnet-5-5",
    "o4-mini": "claude-sonnet-5-5",
}
"""The names that programs come with (of Codex: `codex debug models`), and models of about the same rank."""

_SNAPSHOT = re.compile(r"-(?:20\d\d-\d\d-\d\d|\d{4}|latest|preview)$")


def model_of(asked: str, aliases: Mapping[str, str], names: Mapping[str, str]) -> str:
    """The model to ask for; a name that nobody has given a meaning is its own.

    Args:
        asked: As the client calls it.
        aliases: The owner's second names; they win.
        names: OpenAI's names; they stand for their snapshots too.
    """
    found = aliases.get(asked) or names.get(asked)
    if found is None:
        found = names.get(_SNAPSHOT.sub("", asked))
    return found or asked
