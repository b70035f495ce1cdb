"""What was thought in earlier turns, back from the members in which clients keep it. Pure.

A block goes back as it came, to the byte, or not at all: text without its signature is
no block of thinking. What other vendors signed is left out, for it would be refused.
Used by messages.py.
"""

from clearway.wire.chat.form import FORMAT
from clearway.wire.hub.notes import Refusal
from clearway.wire.hub.turns import Block
from clearway.wire.hub.typed import Json


def restored(details: list[Json] | None, verbatim: list[Json] | None, where: str) -> list[Block]:
    """The blocks of thinking of one turn, in their order.

    Args:
        details: `reasoning_details`; they win.
        verbatim: `thinking_blocks`.
        where: How the client would name the message.

    Raises:
        Refusal: Something in them is of another type than it says.
    """
    if details:
        return _of_details(details, f"{where}.reasoning_details")
    return [block for entry in verbatim or () if (block := _of_block(entry)) is not None]


def _of_block(entry: Json) -> Block | None:
    if entry.get("type") == "redacted_thinking" and isinstance(entry.get("data"), str):
        return {"type": "redacted_thinking", "data": entry["data"]}
    signature = entry.get("signature")
    if entry.get("type") != "thinking" or not isinstance(signature, str) or not signature:
        return None
    return {"type": "thinking", "thinking": entry.get("thinking") or "", "signature": signature}


def _of_details(details: list[Json], where: str) -> list[Block]:
    """Pieces of one block bear the same index; some clients keep them apart as they came.

    Others keep the last piece alone (the stream helper of the SDK for Node 7.55): it has neither text nor format,
    which only the first one has, and is no block.
    """
    merged: dict[int | tuple[str, int], Json] = {}
    foreign: set[object] = set()
    for place, entry in enumerate(details):
        given = entry.get("index")
        index = given if isinstance(given, int) else ("at", place)
        if entry.get("format") not in (None, FORMAT):
            foreign.add(index)
        if index in foreign:
            continue
        whole = merged.setdefault(index, {"type": ""})
        for name in ("text", "signature", "data", "format"):
            value = entry.get(name)
            if value is None:
                continue
            if not isinstance(value, str):
                raise Refusal(f"{where}[{place}].{name}", "expected a string")
            whole[name] = f"{whole.get(name, '')}{value}"
        whole["type"] = entry.get("type") or whole["type"]
    order = sorted(index for index in merged if isinstance(index, int))
    ordered = [merged[index] for index in order] + [
        entry for index, entry in merged.items() if not isinstance(index, int)
    ]
    blocks = []
    for entry in ordered:
        if entry["type"] == "reasoning.encrypted" and entry.get("data"):
            blocks.append({"type": "redacted_thinking", "data": entry["data"]})
        elif entry["type"] == "reasoning.text" and entry.get("signature") and ("text" in entry or "format" in entry):
            blocks.append({"type": "thinking", "thinking": entry.get("text", ""), "signature": entry["signature"]})
    return blocks
