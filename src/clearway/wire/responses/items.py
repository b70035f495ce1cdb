"""The items of a conversation: those of before, those of the request, those that are referred to. Pure.

Source: `ResponseInputItemParam` of the `openai` SDK 3.x (read 2026-11-21).
Used by request.py, reader.py and the gateway.
"""

from collections.abc import Callable, Sequence

import msgspec

from clearway.wire.hub.notes import Refusal
from clearway.wire.hub.typed import Json, listed, typed
from clearway.wire.responses.form import Called, Kind
from clearway.wire.responses.tools import key_of
from clearway.wire.responses.types import InputItem

_OWN: dict[str, Kind] = {
    "local_shell_call": "local_shell",
    "shell_call": "shell",
    "apply_patch_call": "apply_patch",
    "tool_search_call": "tool_search",
}
_REASONING = "rs_"


class Placed(msgspec.Struct, frozen=True):
    """One item, where it stands, and how its type is called."""

    given: InputItem
    raw: Json
    where: str
    kind: str


Refer = Callable[[str], Json | None]
"""Finds an item by its id."""


def nothing(_: str) -> None:
    """Where no items are kept."""


def read_items(raw: object, history: Sequence[Json], refer: Refer, *, has_before: bool) -> list[Placed]:
    """The items, those of earlier responses first.

    Args:
        raw: The `input`.
        history: Items of the responses before.
        refer: Finds items that are kept.
        has_before: There is a response before, so that nothing needs to be added.

    Raises:
        Refusal: One is of no form that is known.
    """
    before = [_placed(item, f"history[{place}]", nothing) for place, item in enumerate(history)]
    if raw is None:
        if has_before:
            return before
        raise Refusal("input", "it is missing", "missing_required_parameter")
    if isinstance(raw, str):
        raw = [{"type": "message", "role": "user", "content": raw}]
    given = listed(raw, "input")
    return before + [_placed(item, f"input[{place}]", refer) for place, item in enumerate(given)]


def _is_reference(item: Json) -> bool:
    return item.get("type") == "item_reference" or (item.get("type") is None and "role" not in item and "id" in item)


def _placed(raw: object, where: str, refer: Refer) -> Placed:
    given = typed(raw, InputItem, where)
    assert isinstance(raw, dict)  # noqa: S101  # `typed` has looked
    if not _is_reference(raw):
        return Placed(given, raw, where, given.type or "message")
    item_id = given.id or ""
    kept = refer(item_id)
    if kept is None and item_id.startswith(_REASONING):
        # What was thought can be done without, or comes back by the call behind it.
        kept = {"type": "reasoning"}
    if kept is None:
        hint = "send the item itself"
        raise Refusal(where, f"no item {item_id[:64]!r} is kept", "unsupported_value", hint=hint)
    return _placed(kept, where, nothing)


def called_in(items: list[Placed]) -> dict[str, Called]:
    """What was called before, by its name within the gateway."""
    called: dict[str, Called] = {}
    for item in items:
        given = item.given
        if item.kind in ("function_call", "custom_tool_call") and given.name:
            kind: Kind = "custom" if item.kind == "custom_tool_call" else "function"
            one = Called(kind=kind, name=given.name, namespace=given.namespace)
            called.setdefault(key_of(given.name, given.namespace), one)
        elif item.kind in _OWN:
            own = _OWN[item.kind]
            called.setdefault(own, Called(kind=own, name=own))
    return called
