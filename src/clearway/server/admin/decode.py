"""Queries and bodies by their types: what does not fit is refused, and nothing is guessed.

Pure. Used by server/admin/app.
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec
import msgspec.inspect as kinds

from clearway.server.admin.failures import Refused

T = TypeVar("T")
Row = TypeVar("Row")
Query = TypeVar("Query", bound=msgspec.Struct)
_MOST_PARAMETERS = 50
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_TRUTH = {"true": True, "false": False}


def query_of(raw: bytes, kind: type[Query]) -> Query:
    """A query by its type. Lists are separated by commas.

    Raises:
        Refused: It cannot be read, or does not fit.
    """
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(raw),
            errors="strict",
            max_num_fields=_MOST_PARAMETERS,
        )
    except (ValueError, UnicodeError) as error:
        raise Refused("invalid_request", "the query cannot be read: it is no list of name=value in UTF-8") from error
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    given: dict[str, object] = {}
    for name, value in pairs:
        if name not in fields:
            raise _unknown(name, fields)
        if name in given:
            raise Refused("invalid_value", f"the parameter {name} is given twice")
        given[name] = _value(name, value, kinds.type_info(fields[name]))
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise Refused("invalid_value", _plain(error, "the query")) from error


def body_of(raw: bytes, kind: type[T]) -> T:
    """A JSON body by its type. Raises Refused."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise Refused("invalid_value", _plain(error, "the body")) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Refused("invalid_request", "the body is no JSON in UTF-8") from error


def cursor_of(*parts: str) -> str:
    """An opaque place in a list."""
    return base64.urlsafe_b64encode("\n".join(parts).encode()).decode().rstrip("=")


def cut(
    found: Sequence[Row], limit: int, place: Callable[[Row], tuple[str, ...]]
) -> tuple[tuple[Row, ...], str | None]:
    """A page of rows of which one more was asked for, and the cursor of the next page."""
    rows = tuple(found[:limit])
    return rows, cursor_of(*place(rows[-1])) if len(found) > len(rows) else None


def read_cursor(cursor: str | None, parts: int) -> tuple[str, ...] | None:
    """What `cursor_of` was given. Raises Refused."""
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = tuple(base64.b64decode(padded, altchars=b"-_", validate=True).decode().split("\n"))
    except (UnicodeError, binascii.Error):
        found = ()
    if len(found) != parts or cursor_of(*found) != cursor:
        raise Refused("invalid_value", "cursor is none of this list's", hint="take `next` of the page before")
    return found


def _value(name: str, value: str, kind: kinds.Type) -> object:
    options = kind.types if isinstance(kind, kinds.UnionType) else (kind,)
    bare = [option.type if isinstance(option, kinds.Metadata) else option for option in options]
    for option in bare:
        if isinstance(option, kinds.IntType):
            if not _WHOLE.fullmatch(value):
                raise Refused("invalid_value", f"{name} is a whole number")
            return int(value)
        if isinstance(option, kinds.BoolType):
            if value not in _TRUTH:
                raise Refused("invalid_value", f"{name} is true or false")
            return _TRUTH[value]
        if isinstance(option, kinds.VarTupleType):
            return value.split(",")
    return value


def _unknown(name: str, known: dict[str, object]) -> Refused:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}" if known else ""
    return Refused("invalid_value", f"there is no parameter {_short(name)!r} here", hint=hint)


def _plain(error: msgspec.ValidationError, what: str) -> str:
    # msgspec names the path and what was expected; of the value it tells only its kind,
    # but for enumerations, whose value it repeats: that may be anything.
    message, _, path = str(error).partition(" - at `$")
    message = re.sub(r"Invalid enum value .*", "not one of the values that are possible", message, flags=re.DOTALL)
    message = re.sub(r"unknown field `.*`", "an unknown field", message, flags=re.DOTALL)
    field = path.rstrip("`").removeprefix(".")
    return f"{field or what}: {message[:1].lower() + message[1:]}"


def _short(name: str) -> str:
    return name if len(name) <= len("requests_per_minute") * 2 else name[:20] + "…"
