"""Whether a body is a request of Messages, by the types of the official SDK.

The SDK's types are hints for people and checkers; pydantic reads them here. Its `Iterable`
is checked only while it is walked, so everything is walked. Used by the tests of both translated formats.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from pydantic import TypeAdapter

LEGACY = frozenset({"temperature", "top_p", "top_k"})
"""Members that the SDK's newest types leave out, and the API's version of 2023 takes."""
BETA = frozenset({"context_management"})
MISSING = object()
"""What `at` gives where there is nothing."""


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(MessageCreateParamsStreaming)


def check(body: bytes) -> dict[str, Any]:
    """The body, decoded; raises where it is no request."""
    decoded: dict[str, Any] = msgspec.json.decode(body)
    known = set(MessageCreateParamsStreaming.__annotations__) | set(_inherited()) | LEGACY | BETA
    unknown = set(decoded) - known

    assert not unknown, f"members that the SDK does not know: {unknown}"
    _walk(_adapter().validate_python(decoded))
    return decoded


def _inherited() -> Iterator[str]:
    for base in (MessageCreateParamsStreaming, *getattr(MessageCreateParamsStreaming, "__orig_bases__", ())):
        yield from getattr(base, "__annotations__", {})


def _walk(value: object) -> None:
    if isinstance(value, dict):
        for inner in value.values():
            _walk(inner)
    elif not isinstance(value, (str, bytes)) and hasattr(value, "__iter__"):
        for inner in value:
            _walk(inner)


def at(value: object, path: str) -> object:
    """What stands at `messages.0.content`; `MISSING` where there is nothing."""
    for step in path.split("."):
        if isinstance(value, list):
            place = int(step)
            if not -len(value) <= place < len(value):
                return MISSING
            value = value[place]
        elif isinstance(value, dict):
            value = value.get(step, MISSING)
        else:
            return MISSING
    return value
