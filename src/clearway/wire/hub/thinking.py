"""How much a model is to think: words and budgets, as each generation takes them.

Pure. The table is in the documentation (`docs/chat-completions.md`).
Source: the vendor's pages on extended and adaptive thinking and on effort (read
2026-11-21); the budgets of the generations that take one are ours.
Used by the translators of every spoke.
"""

from typing import Literal, get_args

import msgspec

from clearway.wire.hub.models import Abilities
from clearway.wire.hub.notes import Notes, Refusal
from clearway.wire.hub.turns import Block

Word = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
WORDS: tuple[str, ...] = get_args(Word)

BUDGETS: dict[str, int] = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 24576,
    "max": 31999,
}
"""Tokens of thinking, for models that are told a number."""
LEAST = 1024
_BESIDE = 8192
"""Tokens of answer beside a budget where the client gave no bound."""
_THRESHOLDS = ((4096, "low"), (16384, "medium"), (32768, "high"))
_PLAIN, _THINKING = 32_000, 64_000


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the client asks for."""

    word: Word | None = None
    budget: int | None = None
    """Tokens."""
    param: str = "reasoning_effort"
    """Where it said so."""
    shows: bool = True
    """The client is to see what is thought."""
    native: Block | None = None
    """`thinking` as Messages has it."""

    @property
    def is_said(self) -> bool:
        """It asks for something."""
        return self.word is not None or self.budget is not None or self.native is not None


class Thought(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent for it."""

    thinking: Block | None
    effort: str | None
    max_tokens: int

    @property
    def is_on(self) -> bool:
        """It was said that the model is to think."""
        return self.thinking is not None and self.thinking.get("type") in ("enabled", "adaptive")


def word_of(value: str, param: str) -> Word:
    """A word of effort.

    Raises:
        Refusal: It is none.
    """
    for word in WORDS:
        if word == value:
            return word  # type: ignore[return-value]  # mypy does not see that it is one of them
    raise Refusal(param, f"{value[:40]!r} is no effort; {', '.join(WORDS)} are")


def think(wish: Wish, abilities: Abilities, asked_max: int | None, notes: Notes) -> Thought:
    """What to send.

    Args:
        wish: The client's.
        abilities: The model's.
        asked_max: The client's bound of the answer, in tokens; None: it gave none.
        notes: Where changes are told.
    """
    most = abilities.max_output
    if not abilities.may_think:
        if wish.is_said and wish.word != "none":
            notes.add("ignored", wish.param)
        return Thought(thinking=None, effort=None, max_tokens=asked_max or min(most, _PLAIN))
    if "adaptive" in abilities.thinking and not (wish.budget is not None and "enabled" in abilities.thinking):
        return _adaptive(wish, abilities, asked_max, notes)
    return _budget(wish, abilities, asked_max, notes)


def _budget(wish: Wish, abilities: Abilities, asked_max: int | None, notes: Notes) -> Thought:
    most = abilities.max_output
    off = Thought(thinking=None, effort=None, max_tokens=asked_max or min(most, _PLAIN))
    if not wish.is_said or wish.word == "none":
        return off
    budget = wish.budget if wish.budget is not None else BUDGETS[wish.word or "medium"]
    if budget < LEAST:
        notes.add("clamped", wish.param, f"{budget}->{LEAST}")
        budget = LEAST
    max_tokens = asked_max or min(most, budget + _BESIDE)
    if budget >= max_tokens:
        if max_tokens - 1 < LEAST:
            notes.add("ignored", wish.param, "max_tokens is too small to think")
            return off
        notes.add("clamped", wish.param, f"budget {budget}->{max_tokens - 1}")
        budget = max_tokens - 1
    effort = None
    if abilities.effort and wish.word is not None:
        effort = {"minimal": "low", "low": "low", "medium": "medium"}.get(wish.word, "high")
    return Thought(thinking={"type": "enabled", "budget_tokens": budget}, effort=effort, max_tokens=max_tokens)


def _adaptive(wish: Wish, abilities: Abilities, asked_max: int | None, notes: Notes) -> Thought:
    most = abilities.max_output
    shown: Block = {"display": "summarized"} if wish.shows or abilities.thinks == "always" else {}
    on: Block = {"type": "adaptive", **shown}
    if wish.native is not None and wish.native.get("display") is not None:
        on["display"] = wish.native["display"]
    max_tokens = asked_max or min(most, _THINKING)
    word: str | None = wish.word
    if wish.budget is not None:
        word = next((word for least, word in _THRESHOLDS if wish.budget < least), "max")
        notes.add("mapped", wish.param, f"budget->{word}")
    if word is None:
        if wish.native is None and abilities.thinks == "off":
            return Thought(thinking=None, effort=None, max_tokens=asked_max or min(most, _PLAIN))
        return Thought(thinking=on, effort=None, max_tokens=max_tokens)
    if word == "none":
        return _switched_off(wish, abilities, on, max_tokens, notes)
    return Thought(thinking=on, effort=_nearest(word, wish, abilities, notes), max_tokens=max_tokens)


def _nearest(word: str, wish: Wish, abilities: Abilities, notes: Notes) -> str | None:
    if not abilities.effort:
        notes.add("ignored", wish.param, word)
        return None
    if word == "minimal":
        notes.add("mapped", wish.param, "minimal->low")
        return "low"
    if word not in abilities.effort:
        higher = [known for known in abilities.effort if WORDS.index(known) > WORDS.index(word)]
        found = higher[0] if higher else abilities.effort[-1]
        notes.add("mapped", wish.param, f"{word}->{found}")
        return found
    return word


def _switched_off(wish: Wish, abilities: Abilities, on: Block, max_tokens: int, notes: Notes) -> Thought:
    """The least thinking that there is."""
    if abilities.thinks == "off":
        return Thought(thinking=None, effort=None, max_tokens=max_tokens)
    if "disabled" in abilities.thinking:
        return Thought(thinking={"type": "disabled"}, effort=None, max_tokens=max_tokens)
    if "between_tools" in abilities.thinking:
        notes.add("approximated", wish.param, "between_tools")
        return Thought(thinking={"type": "between_tools"}, effort=None, max_tokens=max_tokens)
    notes.add("approximated", wish.param, "cannot_disable")
    least = abilities.effort[0] if abilities.effort else None
    return Thought(thinking=on, effort=least, max_tokens=max_tokens)


def may_switch_off(abilities: Abilities) -> bool:
    """Whether the model can be made not to think."""
    return abilities.thinks == "off" or "disabled" in abilities.thinking


def switched_off(thought: Thought, abilities: Abilities) -> Thought:
    """The same without thinking, where `may_switch_off`."""
    thinking: Block | None = None if abilities.thinks == "off" else {"type": "disabled"}
    return msgspec.structs.replace(thought, thinking=thinking, effort=None)


def native(thinking: Block, word: Word | None, notes: Notes, *, shows: bool) -> Wish:
    """The wish of a client that says `thinking` as Messages has it.

    Args:
        thinking: It.
        word: An effort that it says beside.
        notes: Where changes are told.
        shows: It is to see what is thought.

    Raises:
        Refusal: It is of no type that is known.
    """
    budget = thinking.get("budget_tokens")
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 0):
        raise Refusal("thinking.budget_tokens", "expected a number of tokens")
    match thinking.get("type"):
        case "enabled":
            if word is not None:
                notes.add("ignored", "reasoning_effort", "thinking is given")
            return Wish(budget=budget or BUDGETS["medium"], param="thinking", shows=shows, native=thinking)
        case "disabled" | "between_tools":
            return Wish(word="none", param="thinking", shows=shows)
        case "adaptive":
            return Wish(word=word, param="thinking", shows=shows, native=thinking)
        case None if budget is None:
            # Of another vendor's: nothing of it says how much to think.
            notes.add("ignored", "thinking")
            return Wish(word=word, shows=shows)
        case _:
            raise Refusal("thinking.type", "expected enabled, disabled, adaptive or between_tools")
