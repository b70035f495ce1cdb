"""Fields of a request that are mapped one by one: bounds, sampling, tiers, who asks. Pure.

Source: `MessageCreateParams` of the `anthropic` SDK 2.x; which models take sampling:
`models.json` (read 2026-11-21).
Used by the translators of every spoke.
"""

from collections.abc import Callable
from typing import Protocol

from clearway.wire.hub.models import Abilities
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.typed import Json

_HOTTEST = 2


def bounded(bound: int | None, name: str, abilities: Abilities, notes: Notes) -> int | None:
    """The client's bound of the answer in tokens; None: it gave none.

    Raises:
        Refusal: It is below one: Messages would only fill its cache.
    """
    if bound is None:
        return None
    if bound < 1:
        raise Refusal(name, f"{name} must be 1 at least")
    if bound > abilities.max_output:
        notes.add("clamped", name, f"{bound}->{abilities.max_output}")
        return abilities.max_output
    return bound


class Sampled(Protocol):
    """What a request says of how its words are drawn."""

    temperature: float | None
    top_p: float | None
    top_k: int | None


def sampling(given: Sampled, abilities: Abilities, notes: Notes, *, thinks: bool) -> Json:
    """`temperature`, `top_p` and `top_k`, where the model takes them.

    Raises:
        Refusal: One is out of its bounds.
    """
    may = abilities.sampling and not thinks
    made: Json = {}
    if given.temperature is not None:
        made |= _temperature(given.temperature, notes, may=may)
    if given.top_p is not None:
        may_both = abilities.both_samplings or given.temperature is None
        made |= _top_p(given.top_p, notes, may=may and may_both)
    if given.top_k is not None:
        if may and given.top_k > 0:
            made["top_k"] = given.top_k
        else:
            notes.add("ignored", "top_k")
    return made


def _temperature(value: float, notes: Notes, *, may: bool) -> Json:
    if not 0 <= value <= _HOTTEST:
        raise Refusal("temperature", "temperature: expected a number from 0 to 2")
    if not may:
        if value != 1:
            notes.add("ignored", "temperature")
        return {}
    if value > 1:
        notes.add("clamped", "temperature", f"{value:g}->1")
    return {"temperature": min(value, 1)}


def _top_p(value: float, notes: Notes, *, may: bool) -> Json:
    if not 0 <= value <= 1:
        raise Refusal("top_p", "top_p: expected a number from 0 to 1")
    if value == 1:
        return {}
    if not may:
        notes.add("ignored", "top_p")
        return {}
    return {"top_p": value}


def asker(person: str | None, hide: Callable[[str], str]) -> str | None:
    """`metadata.user_id`: the same for the same person, and not to be read."""
    if not person:
        return None
    return f"usr_{hide(person)}"


def tier(name: str | None, notes: Notes) -> str | None:
    """`service_tier`.

    Raises:
        Refusal: There is none of that name.
    """
    match name:
        case None | "auto":
            return None
        case "default":
            return "standard_only"
        case "flex" | "scale" | "priority" | "fast" | "ultrafast":
            notes.add("ignored", "service_tier", name)
            return None
        case other:
            raise Refusal("service_tier", f"{other[:40]!r} is no service tier")
