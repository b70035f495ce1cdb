"""What a request settles about its answer: how to call things back by their own names.

Made with the request, read with the answer. Pure.
Used by the translators of every spoke.
"""

from typing import Literal

import msgspec

Wrap = Literal["input", "value"]
"""The one member that a tool's arguments were put into: `input` for a custom tool, whose
text stands in it; `value` for a schema that Messages does not take at its top."""

JSON_TOOL = "json_output"
"""The tool that stands for a structured answer where the model has none."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How the answer is to be read."""

    names: dict[str, str] = {}
    """The client's name of a tool, by the one that was sent, where they differ."""
    wrapped: dict[str, Wrap] = {}
    """Tools, by the name that was sent, whose arguments stand within one member."""
    emulated: str | None = None
    """The client's name of the tool whose arguments the whole text of the answer is."""
    is_json_tool: bool = False
    """The arguments of `JSON_TOOL` are the text of the answer."""
    cites: bool = False
    """The answer may cite pages."""


NO_PLAN = Plan()
