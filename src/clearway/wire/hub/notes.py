"""What becomes of a field that Messages cannot take as it is: told, or refused.

Three outcomes, none silent: mapped; ignored or approximated and noted here, for the
field `x-clearway-warnings`; refused by name. For a strict key a note is a refusal. Pure.
Used by every translator.
"""

from typing import Literal, NoReturn

from clearway.core.errors import BadRequest

Why = Literal[
    "unsupported_parameter", "unsupported_value", "invalid_value", "missing_required_parameter", "invalid_json"
]
"""OpenAI's words for what is wrong with a field."""

What = Literal[
    "ignored", "mapped", "clamped", "dropped", "downgraded", "repaired", "approximated", "renamed", "not_enforced"
]

WHERE = "\0where"
"""The member that holds a mark."""

_LONGEST = 2048
_MORE = "; ...+%d"
_ROOM = _LONGEST - len(_MORE) - 4


class Refusal(BadRequest):
    """A field of the request that cannot be served.

    Args:
        param: The field, as the client wrote it: `messages[2].content[0]`.
        message: What is wrong; lower case, no full stop.
        why: OpenAI's word for it.
        hint: What to do next; may be empty.
    """

    def __init__(self, param: str, message: str, why: Why = "invalid_value", *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.param = param
        self.why: Why = why


class Notes:
    """The notes of one request, in the order in which they were made.

    Args:
        strict: Refuse instead.
        marks: Blocks are marked with where the client has them (see places.py); such are not to be sent.
    """

    __slots__ = ("_noted", "has_breakpoints", "marks", "strict")

    def __init__(self, *, strict: bool = False, marks: bool = False) -> None:
        self.strict = strict
        self.marks = marks
        self.has_breakpoints = False
        """The client has set a cache breakpoint somewhere."""
        self._noted: dict[str, None] = {}

    def mark(self, block: dict[str, object], where: str) -> None:
        """Say where the client has what became this block, unless something nearer has said it."""
        if self.marks:
            block.setdefault(WHERE, where)

    def add(self, what: What, param: str, detail: str = "") -> None:
        """Note what becomes of a field. The same note twice is one.

        Raises:
            Refusal: The key is strict.
        """
        if self.strict:
            self._refuse(what, param, detail)
        self._noted[f"{what}:{param}={detail}" if detail else f"{what}:{param}"] = None

    @staticmethod
    def _refuse(what: What, param: str, detail: str) -> NoReturn:
        more = f" ({detail})" if detail else ""
        message = f"{param} would be {what.replace('_', ' ')}{more}, and this key is strict"
        raise Refusal(param, message, "unsupported_parameter", hint="leave it out, or use a key that is not strict")

    def header(self) -> bytes:
        """The value of `x-clearway-warnings`; empty where there is nothing to tell."""
        told: list[str] = []
        size = 0
        for note in self._noted:
            size += len(note) + 2
            if size > _ROOM:
                break
            told.append(note)
        more = _MORE % (len(self._noted) - len(told)) if len(told) < len(self._noted) else ""
        return printable("; ".join(told) + more)


def printable(text: str) -> bytes:
    """Printable ASCII, for a header field: what the client wrote could hold the end of one."""
    return bytes(byte if 0x20 <= byte < 0x7F else 0x3F for byte in text.encode("ascii", "replace"))  # noqa: PLR2004  # printable
