"""The types of settings, read off `config/model.py`.

Owns the reading of annotations and of the docstrings under the fields; knows no
values. Used by config/convert, `config init` and the generated reference.
"""

import ast
import functools
import inspect
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

import msgspec


class Type(msgspec.Struct, frozen=True, kw_only=True):
    """One setting's type, taken apart."""

    annotation: object
    """As written, `Annotated` and `None` included."""
    bare: object
    """Without both."""
    is_optional: bool = False
    is_required: bool = False
    """It has no default."""
    table: type[msgspec.Struct] | None = None
    """Set where the value is a table with settings of its own."""
    entry: "Type | None" = None
    """Set where the value is a list: the type of an entry."""
    choices: tuple[str, ...] = ()
    unit: str = ""
    """`bytes` or `seconds`."""
    needs_restart: bool = False
    """A running gateway keeps the value that it started with."""
    description: str
    """`a whole number from 0 to 65535`, `"a" or "b"`."""

    @property
    def is_structured(self) -> bool:
        """Whether it takes more than one plain value or list of them to write it down."""
        return (
            self.table is not None
            or self.bare == dict[str, str]
            or (self.entry is not None and self.entry.is_structured)
        )


@functools.cache
def fields_of(struct: type[msgspec.Struct]) -> dict[str, Type]:
    """The settings of a table, in the order of the model."""
    return {
        field.name: msgspec.structs.replace(type_of(field.type), is_required=field.required)
        for field in msgspec.structs.fields(struct)
    }


def type_of(annotation: object) -> Type:
    """Take an annotation apart."""
    bare, meta, is_optional = annotation, None, False
    if get_origin(bare) in {Union, UnionType}:
        (bare,) = (part for part in get_args(bare) if part is not NoneType)
        is_optional = True
    if get_origin(bare) is Annotated:
        bare, meta = get_args(bare)
    choices = get_args(bare) if get_origin(bare) is Literal else ()
    extra = (meta.extra or {}) if isinstance(meta, msgspec.Meta) else {}
    unit = str(extra.get("unit", ""))
    return Type(
        annotation=annotation,
        bare=bare,
        is_optional=is_optional,
        table=bare if isinstance(bare, type) and issubclass(bare, msgspec.Struct) else None,
        entry=type_of(get_args(bare)[0]) if get_origin(bare) is tuple else None,
        choices=choices,
        unit=unit,
        needs_restart=bool(extra.get("restart")),
        description=_describe(bare, choices, unit, meta),
    )


@functools.cache
def docs_of(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The docstrings under the fields, by name; empty where there is none."""
    (definition,) = ast.parse(inspect.getsource(struct)).body
    docs: dict[str, str] = {}
    last = ""
    for statement in definition.body if isinstance(definition, ast.ClassDef) else ():
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            last = statement.target.id
            docs[last] = ""
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and last:
            docs[last] = inspect.cleandoc(str(statement.value.value))
    return docs


def _describe(bare: object, choices: tuple[str, ...], unit: str, meta: object) -> str:
    if choices:
        return " or ".join(f'"{choice}"' for choice in choices)
    if unit == "bytes":
        return 'a size such as "64MB"'
    if unit == "seconds":
        bound = ", more than 0" if isinstance(meta, msgspec.Meta) and meta.gt is not None else ", 0 or more"
        return 'a duration such as "90s" or a number of seconds' + bound
    if bare == dict[str, str]:
        return "a table of strings"
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        return "a table"
    words: dict[object, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}
    word = words.get(bare, "a list")
    if isinstance(meta, msgspec.Meta) and meta.ge is not None:
        word += f" from {meta.ge} to {meta.le}" if meta.le is not None else f", {meta.ge} or more"
    return word
