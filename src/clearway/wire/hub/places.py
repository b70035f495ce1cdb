"""Where the client has what an upstream complains of: from a place in Messages to one of the client's. Pure.

Only asked after a refusal: the request is translated once more, with each block marked
(`Notes.mark`), and the upstream's place is followed into it.
Source: messages of 400s of the Messages API begin with a path whose steps are parted by
dots (`messages.2.content.0.text: …`); behind a block's type its own members follow (read
2026-11-27).
Used by the translators of every spoke.
"""

import re
from collections.abc import Mapping, Sequence

from clearway.wire.hub.notes import WHERE

_PLACE = re.compile(r"(?P<place>[a-z_]{1,40}(?:\.[A-Za-z0-9_-]{1,64}){0,16}): ")


def place_in(message: str) -> str | None:
    """The place that an upstream's words begin with; None: there is none."""
    found = _PLACE.match(message)
    return found["place"] if found else None


def client_place(
    place: str, marked: Mapping[str, object], given: Mapping[str, object], names: Mapping[str, Sequence[str]]
) -> str | None:
    """How the client would name it; None: it is nothing of the client's.

    Args:
        place: As the upstream names it.
        marked: The request as it was sent, marked.
        given: The client's own.
        names: The client's members, by that or those in which they are sent, the likeliest first.
    """
    steps = place.split(".")
    found = _nearest(steps, marked)
    if found is not None:
        return found
    for length in range(len(steps), 0, -1):
        for name in names.get(".".join(steps[:length]), ()):
            if given.get(name) is not None:
                return name
    return steps[0] if steps[0] in given else None


def _nearest(steps: Sequence[str], marked: Mapping[str, object]) -> str | None:
    """The mark of the innermost block on the way."""
    found: object = None
    value: object = marked
    for step in steps:
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        elif not (isinstance(value, dict) and step == value.get("type")):
            break
        if isinstance(value, dict):
            found = value.get(WHERE, found)
    if found is None and isinstance(value, dict) and isinstance(content := value.get("content"), list) and content:
        # A whole turn: its first block stands for it.
        found = content[0].get(WHERE)
    return found if isinstance(found, str) else None
