"""The list of models, in Anthropic's shape and in OpenAI's.

Source: `ModelInfo` of the `anthropic` SDK 2.x, `Model` of the `openai` SDK 3.x
(read 2026-11-21). An entry is kept as the upstream wrote it; unknown members stay.
"""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from clearway.core.errors import BadRequest

Entry = dict[str, object]

_DEFAULT_LIMIT, _MAX_LIMIT, _MAX_DIGITS = 20, 1000, 9


class _Page(msgspec.Struct):
    data: list[Entry]


_page = msgspec.json.Decoder(_Page)


def read_models(body: bytes) -> list[Entry]:
    """The entries of an upstream's answer that have an id.

    Raises:
        ValueError: Not a list of models.
    """
    try:
        listed = _page.decode(body).data
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return [entry for entry in listed if isinstance(entry.get("id"), str)]


def with_aliases(entries: Sequence[Entry], aliases: Mapping[str, str]) -> list[Entry]:
    """The entries and, after them, one for each alias: a copy of its target's.

    An alias whose target is not listed has an entry of its own, as it may work.
    """
    by_id = {str(entry["id"]): entry for entry in entries}
    listed = list(entries)
    for alias, target in aliases.items():
        if alias in by_id:
            continue
        base = by_id.get(target, {"type": "model", "created_at": "1970-01-01T00:00:00Z"})
        listed.append({**base, "id": alias, "display_name": f"{alias} → {target}"})
    return listed


def anthropic_page(entries: Sequence[Entry], query: Mapping[str, str]) -> dict[str, object]:
    """One page in Anthropic's shape.

    Args:
        entries: All there are, newest first.
        query: `limit` (1 to 1000, default 20), `after_id`, `before_id`.

    Raises:
        BadRequest: A limit that is none, or an id that is not in the list.
    """
    limit = _limit(query.get("limit"))
    ids = [entry["id"] for entry in entries]
    start, end = 0, len(entries)
    try:
        if after := query.get("after_id"):
            start = ids.index(after) + 1
        if before := query.get("before_id"):
            end = ids.index(before)
            start = max(start, end - limit)
    except ValueError:
        raise BadRequest("after_id or before_id names no model of this list") from None
    page = list(entries[start : min(end, start + limit)])
    more = start > 0 if "before_id" in query else start + len(page) < len(entries)
    return {
        "data": page,
        "has_more": more,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def _limit(text: str | None) -> int:
    if text is None:
        return _DEFAULT_LIMIT
    # `int` refuses what is very long.
    if not text.isdecimal() or len(text) > _MAX_DIGITS or not 1 <= int(text) <= _MAX_LIMIT:
        raise BadRequest("limit must be a number from 1 to 1000")
    return int(text)


def openai_entry(entry: Entry) -> dict[str, object]:
    """One model in OpenAI's shape, and beside it all that is known of it: both SDKs read it."""
    created = 0
    with contextlib.suppress(ValueError, OverflowError):
        created = int(datetime.fromisoformat(str(entry.get("created_at"))).astimezone(UTC).timestamp())
    return {**entry, "object": "model", "created": max(created, 0), "owned_by": "anthropic"}


def openai_list(entries: Sequence[Entry]) -> dict[str, object]:
    """All models in OpenAI's shape, which knows no pages; the other SDK reads it as its last page."""
    listed = [openai_entry(entry) for entry in entries]
    ids = [entry["id"] for entry in listed]
    return {
        "object": "list",
        "data": listed,
        "has_more": False,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    }
