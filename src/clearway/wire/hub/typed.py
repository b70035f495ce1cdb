"""Values of a request in a form that is known, with the place of what does not fit. Pure.

Used by the translators of every spoke.
"""

import re
from typing import TypeVar

import msgspec

from clearway.wire.hub.notes import Refusal

Json = dict[str, object]
T = TypeVar("T")

_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)


def typed(value: object, kind: type[T], where: str) -> T:
    """The value in a form that is known.

    Args:
        value: As it was decoded.
        kind: The form.
        where: How the client would name it; empty for the body.

    Raises:
        Refusal: It is of another form.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        found = _PLACE.match(str(error))
        what, path = (found["what"], found["path"] or "") if found else (str(error), "")
        param = f"{where}{path}".lstrip(".")
        raise Refusal(param, f"{param or 'the body'}: {what[0].lower()}{what[1:200]}") from None


def read(body: bytes | bytearray) -> Json:
    """The members of a request.

    Raises:
        Refusal: The body is no JSON object.
    """
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal("", "the body is not a JSON object", "invalid_json") from error


def listed(value: object, where: str) -> list[object]:
    """A list.

    Raises:
        Refusal: It is none.
    """
    if not isinstance(value, list):
        raise Refusal(where, f"{where}: expected a list")
    return value


def flag(value: object, where: str) -> bool | None:
    """A switch, or nothing.

    Raises:
        Refusal: It is neither.
    """
    if value is not None and not isinstance(value, bool):
        raise Refusal(where, f"{where}: expected true or false")
    return value


def named(name: str, value: object) -> Json:
    """A member, where there is a value."""
    return {} if value is None else {name: value}
