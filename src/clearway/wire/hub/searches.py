"""What the upstream looks up by itself: its queries and what it found. Pure.

Source: `ServerToolUseBlock`, `WebSearchToolResultBlock`, `WebFetchToolResultBlock` of the
`anthropic` SDK 2.x (read 2026-11-27). Used by answer.py.
"""

import msgspec

from clearway.wire.hub.events import Block
from clearway.wire.hub.pieces import Found, Sought

SEARCHES = ("web_search", "web_fetch")
"""The tools that a client is told of."""


class Query:
    """A search of the upstream's own, whose query is coming."""

    __slots__ = ("held", "id", "is_page")

    def __init__(self, block: Block) -> None:
        given = bytes(block.input)
        self.id = block.id or ""
        self.is_page = block.name == "web_fetch"
        self.held = [] if given in (b"{}", b"", b"null") else [given.decode()]


def sought(query: Query) -> Sought:
    """What it turned out to look for."""
    given = members_of("".join(query.held))
    word = given.get("url" if query.is_page else "query")
    return Sought(query.id, word if isinstance(word, str) else "", query.is_page)


class _Result(msgspec.Struct):
    type: str = ""
    url: str | None = None


def found(block: Block) -> Found:
    """The addresses of a result; an error comes as an object with a code."""
    try:
        content = msgspec.json.decode(block.content, type=list[_Result] | _Result)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = []
    results = content if isinstance(content, list) else [content]
    urls = [result.url for result in results if result.url]
    return Found(block.tool_use_id or "", urls, any(result.type.endswith("_error") for result in results))


def members_of(text: str) -> dict[str, object]:
    """A JSON object; empty where it is none."""
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
