"""Requests of Responses, translated: short for tests."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from clearway.core.secret import Secret
from clearway.wire.hub.models import SHIPPED, AbilityTable
from clearway.wire.hub.typed import read
from clearway.wire.responses.envelope import Envelope
from clearway.wire.responses.request import Asking, Counted, Translated, count, translate
from tests.upstream_types import check

TABLE = AbilityTable(SHIPPED.read_bytes())
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="
ENVELOPE = Envelope(Secret("s" * 32), "key-1")
Json = dict[str, Any]


def asking(model: str, **told: object) -> Asking:
    """What the translator is told beside the request."""
    given: Json = {
        "created": 1_795_800_000,
        "hide": lambda person: f"{len(person):032d}",
        "caches": False,
        "envelope": ENVELOPE,
    }
    return Asking(model=model, abilities=TABLE.of(model), **{**given, **told})


def ask(
    model: str = "claude-sonnet-5-5",
    *,
    strict: bool = False,
    codex: bool = False,
    history: Sequence[Json] | None = None,
    references: Mapping[str, Json] | None = None,
    caches: bool = False,
    drops_hosted: bool = False,
    **fields: object,
) -> Translated:
    """A request, translated."""
    told = asking(
        model,
        is_strict=strict,
        is_codex=codex,
        history=history,
        refer=(references or {}).get,
        caches=caches,
        drops_hosted=drops_hosted,
    )
    return translate(read(msgspec.json.encode({"model": model, "input": "hi", **fields})), told)


def counted(model: str = "claude-sonnet-5-5", **fields: object) -> Counted:
    """A request for the number of tokens, translated."""
    return count(read(msgspec.json.encode({"model": model, "input": "hi", **fields})), asking(model))


def sent(translated: Translated) -> Json:
    """What goes upstream: a request by the types of the SDK."""
    return check(translated.body)


def warnings(translated: Translated) -> list[str]:
    """Each note."""
    text = translated.warnings.decode()
    return text.split("; ") if text else []


def message(role: str, content: object, **members: object) -> Json:
    """A message."""
    return {"type": "message", "role": role, "content": content, **members}


def function(name: str, **members: object) -> Json:
    """A function tool with one parameter."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return {"type": "function", "name": name, "parameters": schema, "strict": None, **members}


def call(call_id: str, name: str, arguments: str = "{}", **members: object) -> Json:
    """A call in the history."""
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments, **members}


def output(call_id: str, said: object = "done", **members: object) -> Json:
    """The output of a call."""
    return {"type": "function_call_output", "call_id": call_id, "output": said, **members}


def sealed(blocks: list[Json], model: str = "claude-sonnet-5-5") -> Json:
    """What was thought, as a client keeps it."""
    return {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": ENVELOPE.seal(blocks, model=model)}
