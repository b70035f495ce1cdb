"""The text of a commented configuration file, generated from `config/model.py`.

Every setting stands there with its default, commented out, so that the file
changes nothing until somebody does. Pure. Used by `clearway config init`.
"""

import json
import textwrap

import msgspec

from clearway.config.model import Config
from clearway.config.types import Type, docs_of, fields_of
from clearway.config.units import format_duration, format_size

_WIDTH = 100
_HEAD = """\
# Configuration of Clearway. A line without the leading "#" takes effect.
# Every setting can also come from the environment: server.port is CLEARWAY_SERVER__PORT.
# `clearway config check` reads this file and says what is wrong; `clearway config show`
# prints what is in force, and where it came from.
"""
_UPSTREAM_EXAMPLE = """\
# [[upstreams]]
# name = "anthropic"
# kind = "anthropic"
# api_key = { env = "ANTHROPIC_API_KEY" }
"""


def sample() -> str:
    """The whole file."""
    parts = [_HEAD]
    docs = docs_of(Config)
    for name, kind in fields_of(Config).items():
        if kind.table is not None:
            parts.append(_table(name, kind.table))
        elif kind.entry is not None and kind.entry.table is not None:
            parts.append(_list_of_tables(kind.entry.table, docs[name]))
    return "\n".join(parts)


def as_toml(value: object, kind: Type) -> str:
    """A value as it is written in the file."""
    if kind.unit == "bytes" and isinstance(value, int):
        return f'"{format_size(value)}"'
    if kind.unit == "seconds" and isinstance(value, (int, float)):
        return f'"{format_duration(value)}"'
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{json.dumps(k)} = {json.dumps(v)}" for k, v in value.items()) + " }" if value else "{}"
        )
    if isinstance(value, tuple):
        return json.dumps(list(value), ensure_ascii=False)
    if isinstance(value, msgspec.Struct):
        named = {name: getattr(value, name) for name in value.__struct_fields__ if getattr(value, name) is not None}
        return "{ " + ", ".join(f"{name} = {json.dumps(text)}" for name, text in named.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _table(name: str, struct: type[msgspec.Struct]) -> str:
    lines = [_comment(_summary(struct)), f"[{name}]"]
    inner: list[str] = []
    docs = docs_of(struct)
    fresh = struct()
    for field, kind in fields_of(struct).items():
        if kind.table is not None and not kind.is_optional:
            inner.append(_table(f"{name}.{field}", kind.table))
            continue
        if getattr(fresh, field) is None:
            # Nothing that could be written down: without the blank it is no default, but may be made one line of it.
            lines += [_comment(docs[field]), f'#{field} = {{ env = "NAME" }}']
            continue
        note = " Needs a restart." if kind.needs_restart else ""
        lines += [_comment(docs[field] + note), f"# {field} = {as_toml(getattr(fresh, field), kind)}"]
    return "\n".join([*lines, "", *inner])


def _list_of_tables(struct: type[msgspec.Struct], doc: str) -> str:
    lines = [_comment(_summary(struct)), _comment(doc), "#", _UPSTREAM_EXAMPLE + "#", "# Its settings:"]
    docs = docs_of(struct)
    for field in fields_of(struct):
        text = " ".join(docs[field].split())
        lines.append(textwrap.fill(f"{field}: {text}", _WIDTH, initial_indent="#   ", subsequent_indent="#       "))
    return "\n".join([*lines, ""])


def _summary(struct: type[msgspec.Struct]) -> str:
    return (struct.__doc__ or "").partition("\n")[0]


def _comment(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), _WIDTH, initial_indent="# ", subsequent_indent="# ")
