"""Text from outside, made safe for a terminal. Pure.

Model names, client names, paths and error types come from whoever called; an
escape sequence in one of them could rewrite the owner's screen.
"""

import re
import unicodedata

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS and their kin: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]?"  # the rest
    r"|\x9b[0-?]*[ -/]*[@-~]"  # CSI in one byte
)
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Control, formatting (bidirectional overrides among them), surrogates, unassigned, line breaks."""


def clean(text: object) -> str:
    """One line without escape sequences or invisible characters.

    Source of the grammar: ECMA-48, sections 5.4 and 8.3.
    """
    plain = _ESCAPES.sub("", str(text))
    if plain.isascii() and plain.isprintable():
        return plain
    return "".join(
        " " if c in "\n\r\t" else c for c in plain if c in "\n\r\t" or unicodedata.category(c) not in _HIDDEN
    )
