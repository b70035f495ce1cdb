"""What tools of OpenAI's did in an earlier turn, in words. Pure.

Source: `ResponseFileSearchToolCallParam`, `ResponseCodeInterpreterToolCallParam`, `McpCall` of the
`openai` SDK 3.x (read 2026-11-21).
Used by reader.py.
"""

from collections.abc import Sequence

from clearway.wire.hub.typed import Json


def note_of(kind: str, item: Json) -> str:
    """A sentence of what was called, and what came of it."""
    match kind:
        case "mcp_call":
            what = f"{item.get('server_label') or 'mcp'}.{item.get('name') or ''}({item.get('arguments') or ''})"
            return _note(what, [item.get("output"), item.get("error")])
        case "code_interpreter_call":
            return _note(f"code:\n{item.get('code') or ''}", [_member(one, "logs") for one in _list(item, "outputs")])
        case _:
            queries = ", ".join(str(query) for query in _list(item, "queries"))
            found = [
                "\n".join(str(text) for text in (_member(one, "filename"), _member(one, "text")) if text)
                for one in _list(item, "results")
            ]
            return _note(f"file search: {queries}", found)


def _note(what: str, results: Sequence[object]) -> str:
    said = [str(result) for result in results if result]
    return "\n".join([f"[Called {what}]", *(said or ["(no output is known)"])])


def _list(item: Json, name: str) -> list[object]:
    value = item.get(name)
    return value if isinstance(value, list) else []


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None
