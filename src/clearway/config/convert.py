"""From what a file or variable says to typed values, collecting every problem.

`msgspec.convert` alone stops at the first error and knows neither our units nor
where a value came from; the leaves still go through it, so that ranges and
choices live in `config/model.py` only.
"""

import contextlib
import difflib
import json
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from clearway.config.declined import why_declined
from clearway.config.model import SecretSource
from clearway.config.problems import Problem
from clearway.config.types import Type, fields_of
from clearway.config.units import UnitError, parse_duration, parse_size

S = TypeVar("S", bound=msgspec.Struct)

_TRUTH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


class Source:
    """One layer: where its values come from, what it sets, what was wrong in it."""

    def __init__(self, where: str, problems: list[Problem], *, is_text: bool = False) -> None:
        self.where = where
        """The file, variable or flag, as it is told to people."""
        self.is_text = is_text
        """Values are text (environment): lists are cut at commas, tables are JSON."""
        self.settings: set[str] = set()
        """Every setting that it sets, those inside list entries included."""
        self._problems = problems

    def complain(self, setting: str, message: str, hint: str = "") -> None:
        """Note one problem and go on."""
        self._problems.append(Problem(self.where, setting, message, hint))


class _Refused(Exception):  # never leaves this module
    """A value that cannot be used; it was complained about."""


def leaves(
    table: Mapping[str, object], struct: type[msgspec.Struct], source: Source, prefix: str = ""
) -> dict[str, object]:
    """The values that a layer sets, by dotted name; wrong ones are noted and left out."""
    found: dict[str, object] = {}
    types = fields_of(struct)
    for name, raw in table.items():
        setting = f"{prefix}{name}"
        kind = types.get(name)
        if kind is None:
            _complain_unknown(setting, name, list(types), source)
        elif kind.table is not None and not kind.is_optional:
            if isinstance(raw, Mapping):
                found.update(leaves(raw, kind.table, source, f"{setting}."))
            else:
                source.complain(setting, f"expected a table, got {_shape(raw)}")
        else:
            try:
                found[setting] = _value(raw, kind, setting, source)
            except _Refused:
                continue
            source.settings.add(setting)
    return found


def build(struct: type[S], values: Mapping[str, object], prefix: str = "") -> S:
    """The tree made of `values` (by dotted name) over the defaults."""
    arguments: dict[str, object] = {}
    for name, kind in fields_of(struct).items():
        setting = f"{prefix}{name}"
        if kind.table is not None and not kind.is_optional:
            arguments[name] = build(kind.table, values, f"{setting}.")
        elif setting in values:
            arguments[name] = values[setting]
    return struct(**arguments)


def _value(raw: object, kind: Type, setting: str, source: Source) -> object:
    if source.is_text and isinstance(raw, str):
        raw = _from_text(raw, kind, setting, source)
    if kind.table is not None:
        return _struct(raw, kind.table, setting, source)
    if kind.entry is not None:
        return _list(raw, kind.entry, setting, source)
    if isinstance(raw, str) and kind.unit:
        raw = _measured(raw, kind, setting, source)
    try:
        return msgspec.convert(raw, kind.annotation)
    except msgspec.ValidationError:
        hint = _nearest(raw, list(kind.choices)) if isinstance(raw, str) else ""
        source.complain(setting, f"expected {kind.description}, got {_shape(raw)}", hint)
        raise _Refused from None


def _struct(raw: object, struct: type[msgspec.Struct], setting: str, source: Source) -> msgspec.Struct:
    if not isinstance(raw, Mapping):
        hint = (why_declined("secret") or "") if struct is SecretSource else ""
        source.complain(setting, f"expected a table, got {_shape(raw)}", hint)
        raise _Refused
    values = leaves(raw, struct, source, f"{setting}.")
    missing = [name for name, kind in fields_of(struct).items() if kind.is_required and name not in raw]
    for name in missing:
        source.complain(f"{setting}.{name}", "is missing")
    try:
        return build(struct, values, f"{setting}.")
    except TypeError:
        # A required value was wrong or missing: told above.
        raise _Refused from None


def _list(raw: object, entry: Type, setting: str, source: Source) -> tuple[object, ...]:
    if not isinstance(raw, list):
        source.complain(setting, f"expected a list, got {_shape(raw)}")
        raise _Refused
    found: list[object] = []
    for place, item in enumerate(raw):
        try:
            found.append(_value(item, entry, f"{setting}[{place}]", source))
        except _Refused:
            continue
    if len(found) < len(raw):
        raise _Refused
    return tuple(found)


def _from_text(text: str, kind: Type, setting: str, source: Source) -> object:
    """What a variable's text stands for; text that is none of it stays for `convert` to refuse."""
    if kind.is_structured:
        try:
            return json.loads(text)
        except ValueError:
            source.complain(setting, "expected JSON in a variable for a table or a list of tables")
            raise _Refused from None
    if kind.entry is not None:
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind.bare is bool:
        return _TRUTH.get(text.strip().lower(), text)
    return _number(text) if kind.bare in {int, float} and not kind.unit else text


def _number(text: str) -> int | float | str:
    for form in (int, float):
        with contextlib.suppress(ValueError):
            return form(text)
    return text


def _measured(text: str, kind: Type, setting: str, source: Source) -> float:
    try:
        return parse_size(text) if kind.unit == "bytes" else parse_duration(text)
    except UnitError as error:
        source.complain(setting, str(error))
        raise _Refused from None


def _complain_unknown(setting: str, name: str, known: list[str], source: Source) -> None:
    reason = why_declined(name)
    if reason is not None:
        source.complain(setting, "there is no such setting, on purpose", reason)
    else:
        source.complain(setting, "unknown setting", _nearest(name, known) or f"known here: {', '.join(known)}")


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else ""


def _shape(raw: object) -> str:
    """What kind of value it is. Strings are not repeated: one might be a secret."""
    if isinstance(raw, (bool, int, float)):
        return json.dumps(raw)
    if isinstance(raw, str):
        return "a string"
    return "a list" if isinstance(raw, list) else "a table" if isinstance(raw, Mapping) else "a date or time"
