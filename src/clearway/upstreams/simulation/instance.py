"""The least value that fits a JSON schema, the same one every time.

Covers what structured outputs and tool inputs use: types, `enum`, `const`, bounds,
`required`, `items`, `format`, `anyOf`/`oneOf`/`allOf` and local `$ref`. Not the
whole standard: `not`, `if`, `dependent*` and the like are not looked at.
Source: JSON Schema 2020-12, "Validation" (read 2026-11-21).
"""

import math
import re

Schema = dict[str, object]

_MAX_DEPTH = 48
_MAX_STEPS = 20_000
_MAX_ITEMS = 10_000
_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "nobody@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
# Tried in turn where a `pattern` is asked for.
_SAMPLES = (
    "text",
    "Text",
    "TEXT",
    "a",
    "A",
    "0",
    "1",
    "00",
    "000",
    "0000",
    "00000",
    "a0",
    "a_a",
    "a-a",
    "a.a",
    "#000000",
)
_MAX_PATTERN = 500
_MAX_SAMPLE = 12
_PLAIN = "text"


class NoInstance(Exception):
    """No value fits, or none that is found this way."""


class _Work:
    """The whole schema, for references, and how much may still be done.

    Choices and members can double at every level: depth alone is no bound.
    """

    def __init__(self, root: Schema) -> None:
        self.root = root
        self._left = _MAX_STEPS

    def step(self, depth: int) -> None:
        """Count one look at a schema."""
        self._left -= 1
        if depth > _MAX_DEPTH or self._left < 0:
            raise NoInstance("the schema never ends, or its least value is too large")


def least(schema: Schema) -> object:
    """A value that fits.

    Raises:
        NoInstance: The schema contradicts itself, never ends, or asks for too much.
    """
    try:
        return _build(schema, _Work(schema), 0)
    except OverflowError:
        raise NoInstance("a bound is too large") from None


def _build(schema: object, work: _Work, depth: int) -> object:
    plain = _flat(schema, work, depth)
    if "const" in plain:
        return plain["const"]
    if isinstance(values := plain.get("enum"), list):
        if not values:
            raise NoInstance("an enum is empty")
        return values[0]
    for name in ("anyOf", "oneOf"):
        if isinstance(choices := plain.get(name), list):
            return _first(choices, _without(plain, name), work, depth)
    return _typed(plain, work, depth)


def _flat(schema: object, work: _Work, depth: int) -> Schema:
    """The schema with its `$ref` and `allOf` written out, one level deep."""
    work.step(depth)
    if schema is True:
        return {}
    if not isinstance(schema, dict):
        raise NoInstance("a schema must be an object")
    if isinstance(ref := schema.get("$ref"), str):
        return _joined(_flat(_resolve(ref, work), work, depth + 1), _without(schema, "$ref"))
    if isinstance(parts := schema.get("allOf"), list):
        whole = _without(schema, "allOf")
        for part in parts:
            whole = _joined(_flat(part, work, depth + 1), whole)
        return _flat(whole, work, depth + 1)
    return schema


def _without(schema: Schema, name: str) -> Schema:
    return {key: value for key, value in schema.items() if key != name}


def _first(choices: list[object], rest: Schema, work: _Work, depth: int) -> object:
    reason = NoInstance("a choice is empty")
    for choice in choices:
        try:
            return _build(_joined(_flat(choice, work, depth + 1), rest), work, depth + 1)
        except NoInstance as error:
            reason = error
    raise reason


def _joined(one: Schema, other: Schema) -> Schema:
    """Both at once: members of objects are united, anything else of `other` wins."""
    joined = {**one, **other}
    if isinstance(a := one.get("properties"), dict) and isinstance(b := other.get("properties"), dict):
        joined["properties"] = {**a, **b}
    if isinstance(left := one.get("required"), list) and isinstance(right := other.get("required"), list):
        joined["required"] = [*left, *(name for name in right if name not in left)]
    return joined


def _resolve(ref: str, work: _Work) -> object:
    found: object = work.root
    if not ref.startswith("#"):
        raise NoInstance("only references within the schema are followed")
    for step in ref.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            raise NoInstance("a $ref leads nowhere")
        found = found[name]
    return found


def _typed(schema: Schema, work: _Work, depth: int) -> object:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if kind is None:
        kind = _guess(schema)
    match kind:
        case "object":
            return _object(schema, work, depth)
        case "array":
            return _array(schema, work, depth)
        case "string":
            return _string(schema)
        case "integer" | "number":
            return _numeric(schema, whole=kind == "integer")
        case "boolean":
            return False
        case "null":
            return None
    raise NoInstance("a type is unknown")


def _guess(schema: Schema) -> str:
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "minItems" in schema:
        return "array"
    if "minimum" in schema or "maximum" in schema or "multipleOf" in schema:
        return "number"
    return "string"


def _object(schema: Schema, work: _Work, depth: int) -> dict[str, object]:
    properties = schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    missing = _count(schema, "minProperties") - len(names)
    names += [name for name in known if name not in names][: max(0, missing)]
    return {name: _build(known.get(name, True), work, depth + 1) for name in names}


def _array(schema: Schema, work: _Work, depth: int) -> list[object]:
    count = _count(schema, "minItems")
    if count > _MAX_ITEMS:
        raise NoInstance("an array asks for too many items")
    heads = schema.get("prefixItems")
    kinds: list[object] = list(heads)[:count] if isinstance(heads, list) else []
    kinds += [schema.get("items", True)] * (count - len(kinds))
    return [_build(kind, work, depth + 1) for kind in kinds]


def _count(schema: Schema, name: str) -> int:
    value = schema.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def _string(schema: Schema) -> str:
    shortest = _count(schema, "minLength")
    most = schema.get("maxLength")
    longest = most if isinstance(most, int) else max(shortest, len(_PLAIN))
    if shortest > longest or shortest > _MAX_ITEMS:
        raise NoInstance("a string cannot be that long")
    wanted = schema.get("format")
    if isinstance(wanted, str) and wanted in _FORMATS:
        return _FORMATS[wanted]
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        return _matching(pattern, shortest, longest if isinstance(most, int) else _MAX_ITEMS)
    return _PLAIN[:longest].ljust(shortest, "x")


def _matching(pattern: str, shortest: int, longest: int) -> str:
    if len(pattern) > _MAX_PATTERN:
        raise NoInstance("a pattern is too long")
    try:
        wanted = re.compile(pattern)
    except (re.error, RecursionError):
        raise NoInstance("a pattern is not understood") from None
    # A pattern that doubles its work with every character must not hold us up.
    longest = min(longest, _MAX_SAMPLE)
    for sample in (*_SAMPLES, *_FORMATS.values(), "a" * shortest, "0" * shortest):
        if shortest <= len(sample) <= longest and wanted.search(sample):
            return sample
    raise NoInstance("no sample fits a pattern")


def _numeric(schema: Schema, *, whole: bool) -> int | float:
    step = abs(_bound(schema, "multipleOf") or 1)
    value: float = 0
    low, above = _bound(schema, "minimum"), _bound(schema, "exclusiveMinimum")
    high, below = _bound(schema, "maximum"), _bound(schema, "exclusiveMaximum")
    if low is not None and value < low:
        value = math.ceil(low / step) * step
    if above is not None and value <= above:
        value = (math.floor(above / step) + 1) * step
    if high is not None and value > high:
        value = math.floor(high / step) * step
    if below is not None and value >= below:
        value = (math.ceil(below / step) - 1) * step
    if not _fits(value, low, above, high, below):
        lows = [bound for bound in (low, above) if bound is not None]
        highs = [bound for bound in (high, below) if bound is not None]
        if whole or "multipleOf" in schema or not (lows and highs):
            raise NoInstance("no number fits the bounds")
        value = (max(lows) + min(highs)) / 2
        if not _fits(value, low, above, high, below):
            raise NoInstance("no number fits the bounds")
    return int(value) if float(value).is_integer() else value


def _fits(value: float, low: float | None, above: float | None, high: float | None, below: float | None) -> bool:
    is_low = (low is not None and value < low) or (above is not None and value <= above)
    is_high = (high is not None and value > high) or (below is not None and value >= below)
    return not (is_low or is_high)


def _bound(schema: Schema, name: str) -> float | None:
    value = schema.get(name)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
