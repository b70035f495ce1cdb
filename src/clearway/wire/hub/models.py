"""What each generation of models accepts: a table in a file, and the owner's changes to it.

Owns finding a model's row. A name of Claude's that is not in the table gets the newest
generation's row, which is the most careful one; other names get the row of compatible
vendors. Source of `models.json`: the vendor's model pages, and the capabilities that its
list of models tells (read 2026-11-21).
Used by every translator.
"""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import msgspec

Thinks = Literal["off", "on", "always"]
Forced = Literal["yes", "without_thinking", "no"]
ThinkingType = Literal["adaptive", "enabled", "disabled", "between_tools"]
Effort = Literal["low", "medium", "high", "xhigh", "max"]

SHIPPED = Path(__file__).with_name("models.json")
"""The table that comes along."""
_REMEMBERED = 1024
_PREFIXES = ("anthropic/", "openrouter/anthropic/")


class Abilities(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one model accepts."""

    max_input: int = 1_000_000
    """Tokens of a prompt."""
    max_output: int = 128_000
    """Tokens of an answer."""
    thinking: tuple[ThinkingType, ...] = ("adaptive",)
    """Values of `thinking.type`."""
    thinks: Thinks = "on"
    """What it does when `thinking` is left out; `always`: it cannot be switched off."""
    effort: tuple[Effort, ...] = ("low", "medium", "high", "xhigh", "max")
    """Values of `output_config.effort`."""
    sampling: bool = False
    """It takes `temperature`, `top_p` and `top_k`."""
    both_samplings: bool = True
    """Where it does: `temperature` and `top_p` together."""
    forced_tools: Forced = "no"
    """It can be made to call a tool."""
    prefill: bool = False
    """The last message may be the assistant's, to be continued."""
    mid_system: bool = True
    """Messages of the role `system` may stand in the conversation."""
    json_schema: bool = True
    """It takes `output_config.format`."""
    caches: bool = True
    """It takes `cache_control`."""

    @property
    def may_think(self) -> bool:
        """Whether it thinks at all."""
        return "adaptive" in self.thinking or "enabled" in self.thinking


class _Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Likewise, as far as a row says it."""

    max_input: int | msgspec.UnsetType = msgspec.UNSET
    max_output: int | msgspec.UnsetType = msgspec.UNSET
    thinking: tuple[ThinkingType, ...] | msgspec.UnsetType = msgspec.UNSET
    thinks: Thinks | msgspec.UnsetType = msgspec.UNSET
    effort: tuple[Effort, ...] | msgspec.UnsetType = msgspec.UNSET
    sampling: bool | msgspec.UnsetType = msgspec.UNSET
    both_samplings: bool | msgspec.UnsetType = msgspec.UNSET
    forced_tools: Forced | msgspec.UnsetType = msgspec.UNSET
    prefill: bool | msgspec.UnsetType = msgspec.UNSET
    mid_system: bool | msgspec.UnsetType = msgspec.UNSET
    json_schema: bool | msgspec.UnsetType = msgspec.UNSET
    caches: bool | msgspec.UnsetType = msgspec.UNSET


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    models: tuple[str, ...]
    """Patterns of names."""
    abilities: _Change
    """What is left out is as in the row below that fits."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rows: tuple[_Row, ...]
    source: str = ""


class AbilityTable:
    """All models. A value.

    Args:
        files: Contents of files, each in the form of `models.json`; the first row that fits
            a name counts, and what it leaves open is looked up in the files behind it.

    Raises:
        ValueError: One is not of that form.
    """

    def __init__(self, *files: bytes) -> None:
        try:
            self._files = [msgspec.json.decode(file, type=_File) for file in files]
        except msgspec.DecodeError as error:
            raise ValueError(f"it is no table of abilities: {error}") from error
        self._known: dict[str, Abilities] = {}

    def of(self, model: str) -> Abilities:
        """What a model accepts."""
        known = self._known.get(model)
        if known is None:
            known = self._find(model)
            if len(self._known) < _REMEMBERED:
                self._known[model] = known
        return known

    def _find(self, model: str) -> Abilities:
        bare = model
        for prefix in _PREFIXES:
            bare = bare.removeprefix(prefix)
        found: dict[str, object] = {}
        for file in reversed(self._files):
            row = next((row for row in file.rows if any(fnmatchcase(bare, name) for name in row.models)), None)
            if row is not None:
                given = {name: getattr(row.abilities, name) for name in _Change.__struct_fields__}
                found |= {name: value for name, value in given.items() if value is not msgspec.UNSET}
        return msgspec.convert(found, Abilities)
