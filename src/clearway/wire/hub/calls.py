"""What a call in the history is made of. Pure.

Used by the translators of every spoke.
"""

import msgspec

from clearway.wire.hub.notes import Notes
from clearway.wire.hub.typed import Json

BROKEN = "__invalid_json__"
"""Holds arguments of a call in the history that are no JSON object: they were cut off once."""


def arguments(given: str | Json | None, where: str, notes: Notes) -> Json:
    """The `input` of a call, from the text that its arguments are."""
    if isinstance(given, dict):
        return given
    if not given or not given.strip():
        return {}
    try:
        return msgspec.json.decode(given, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        # Without it the client could never go on; an empty object would say what was not said.
        notes.add("repaired", where, "no_json_object")
        return {BROKEN: given}
