"""Directives: lines of the user's text that say what the simulated model does.

A directive is a line of its own that begins with `sim:`. An unknown one, or one
with a wrong value, is a 400, so that a typing error never passes as a test.
The reference is docs/simulated-model.md.
"""

import re
from collections.abc import Callable

import msgspec

from clearway.upstreams.simulation.ask import Ask
from clearway.upstreams.simulation.faults import STATUS_OF_TYPE, Fault, type_of

_LINE = re.compile(r"^[ \t]*sim:([a-z][a-z-]*)(?:[ \t]+(.*?))?[ \t\r]*$", re.MULTILINE)
_TYPE = re.compile(r"[a-z][a-z_]{0,63}")
_REMINDER = "<system-reminder>"
_MAX_WORDS = 100_000
_MAX_DELAY_MS = 3_600_000
_ERROR_STATUSES = range(400, 600)


class Call(msgspec.Struct, frozen=True):
    """A tool to call. `input` None: the least that fits its schema."""

    name: str
    input: dict[str, object] | None


class Broken(msgspec.Struct, frozen=True):
    """An error after so many deltas."""

    after: int
    status: int
    kind: str


class Orders(msgspec.Struct):
    """What a text asks for; filled line by line, read-only afterwards."""

    words: int | None = None
    calls: list[Call] = msgspec.field(default_factory=list)
    error: tuple[int, str] | None = None
    """Status and type of an answer that is an error from the start."""
    broken: Broken | None = None
    cut_after: int | None = None
    """Deltas after which the connection is cut."""
    stall_after: int | None = None
    """Deltas after which nothing more comes."""
    delay_ms: int = 0
    thinking: bool = False
    refusal: bool = False


def last_text(ask: Ask) -> list[str]:
    """The texts of the newest user turn, without what Claude Code puts beside the prompt."""
    texts = [str(block["text"]) for block in ask.last_turn if block["type"] == "text"]
    return [text for text in texts if not text.lstrip().startswith(_REMINDER)]


def read(ask: Ask) -> Orders:
    """Find the directives of a request.

    Raises:
        Fault: 400, a directive is not understood.
    """
    orders = Orders()
    for text in last_text(ask):
        if "sim:" in text:
            for name, value in _LINE.findall(text):
                _obey(orders, name, value)
    return orders


def _obey(orders: Orders, name: str, value: str) -> None:
    verb = _VERBS.get(name)
    if verb is None:
        known = ", ".join(sorted(_VERBS))
        raise Fault(400, f"sim:{name[:40]}: no such directive; there are {known}")
    try:
        verb(orders, value)
    except ValueError as error:
        raise Fault(400, f"sim:{name}: {error}") from None


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most):
        raise ValueError(f"takes a number from 0 to {most}")
    return int(text)


def _kind(text: str) -> str:
    if not _TYPE.fullmatch(text):
        raise ValueError("the type of an error has lower-case letters and underscores")
    return text


def _nothing(value: str) -> None:
    if value:
        raise ValueError("takes no value")


def _tool(orders: Orders, value: str) -> None:
    name, _, text = value.partition(" ")
    if not name:
        raise ValueError("takes a tool's name and, after a space, its input as one line of JSON")
    try:
        given = msgspec.json.decode(text, type=dict[str, object]) if text.strip() else None
    except (msgspec.DecodeError, RecursionError):
        raise ValueError("the input after the name must be a JSON object on the same line") from None
    orders.calls.append(Call(name, given))


def _text(orders: Orders, value: str) -> None:
    orders.words = _number(value, _MAX_WORDS)


def _error(orders: Orders, value: str) -> None:
    status, _, kind = value.partition(" ")
    if not (status.isascii() and status.isdigit() and int(status[:4]) in _ERROR_STATUSES):
        raise ValueError("takes a status from 400 to 599 and, after a space, a type")
    orders.error = int(status), _kind(kind.strip()) if kind.strip() else type_of(int(status))


def _error_after(orders: Orders, value: str) -> None:
    count, _, kind = value.partition(" ")
    kind = _kind(kind.strip() or "overloaded_error")
    orders.broken = Broken(_number(count, _MAX_WORDS), STATUS_OF_TYPE.get(kind, 500), kind)


def _cut_after(orders: Orders, value: str) -> None:
    orders.cut_after = _number(value, _MAX_WORDS)


def _stall(orders: Orders, value: str) -> None:
    orders.stall_after = _number(value or "0", _MAX_WORDS)


def _delay(orders: Orders, value: str) -> None:
    orders.delay_ms = _number(value, _MAX_DELAY_MS)


def _thinking(orders: Orders, value: str) -> None:
    _nothing(value)
    orders.thinking = True


def _refusal(orders: Orders, value: str) -> None:
    _nothing(value)
    orders.refusal = True


_VERBS: dict[str, Callable[[Orders, str], None]] = {
    "tool": _tool,
    "text": _text,
    "error": _error,
    "error-after": _error_after,
    "cut-after": _cut_after,
    "stall": _stall,
    "delay": _delay,
    "thinking": _thinking,
    "refusal": _refusal,
}
