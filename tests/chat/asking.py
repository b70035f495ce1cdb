"""Requests of Chat Completions, translated: short for tests."""

from typing import Any

import msgspec

from clearway.wire.chat.form import Reasoning
from clearway.wire.chat.request import Asking, Translated, translate
from clearway.wire.hub.models import SHIPPED, AbilityTable
from clearway.wire.hub.typed import read
from tests.upstream_types import check

TABLE = AbilityTable(SHIPPED.read_bytes())
USER: dict[str, object] = {"role": "user", "content": "hi"}
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="
Json = dict[str, Any]


def ask(
    model: str = "claude-sonnet-5-5",
    *,
    strict: bool = False,
    caches: bool = False,
    reasoning: Reasoning = "default",
    **fields: object,
) -> Translated:
    """A request, translated."""
    return translate(
        read(body_of(model, **fields)), asking_for(model, strict=strict, caches=caches, reasoning=reasoning)
    )


def body_of(model: str = "claude-sonnet-5-5", **fields: object) -> bytes:
    """A request."""
    return msgspec.json.encode({"model": model, "messages": [USER], **fields})


def asking_for(
    model: str = "claude-sonnet-5-5", *, strict: bool = False, caches: bool = False, reasoning: Reasoning = "default"
) -> Asking:
    """What the translator is told."""
    return Asking(
        model=model,
        abilities=TABLE.of(model),
        created=1_795_800_000,
        hide=lambda person: f"{len(person):032d}",
        is_strict=strict,
        caches=caches,
        reasoning=reasoning,
    )


def sent(translated: Translated) -> Json:
    """What goes upstream: a request by the types of the SDK."""
    return check(translated.body)


def warnings(translated: Translated) -> list[str]:
    """Each note."""
    text = translated.warnings.decode()
    return text.split("; ") if text else []


def tool(name: str, **members: object) -> Json:
    """A function tool with one parameter."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return {"type": "function", "function": {"name": name, "parameters": schema, **members}}


def call(call_id: str, name: str, arguments: str = "{}") -> Json:
    """A call in the history."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def called(*calls: Json, **members: object) -> Json:
    """An assistant's message with calls."""
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **members}


def result(call_id: str, content: object = "done", **members: object) -> Json:
    """A result in the history."""
    return {"role": "tool", "tool_call_id": call_id, "content": content, **members}
