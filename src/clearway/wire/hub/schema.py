"""JSON schemas as Messages takes them: for the input of tools, and for structured answers.

Structured answers take a part of JSON Schema only. What is outside of it is removed and
told in the `description`, where the model still reads it. Pure, and the same for the
same schema, key by key, for the sake of caches.
Source: the vendor's page on structured outputs, and the bounds that its users were
measured to meet (read 2026-11-21).
Used by the translators of every spoke.
"""

import msgspec

from clearway.wire.hub.notes import Refusal

Schema = dict[str, object]

UNION_NAMES = ("anyOf", "oneOf", "allOf")
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})
_TOLD = (
    "maxItems", "uniqueItems", "contains", "minContains", "maxContains", "prefixItems", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minProperties", "maxProperties",
    "patternProperties", "propertyNames", "dependentRequired", "dependentSchemas", "dependencies",
    "unevaluatedProperties", "unevaluatedItems", "if", "then", "else", "not",
)  # fmt: skip
"""What is removed, and told in words."""
_MOST_UNIONS, _MOST_OPTIONAL = 16, 24
_DEEPEST = 100


class Closed(msgspec.Struct, frozen=True):
    """A schema for a structured answer."""

    schema: Schema
    is_exact: bool
    """Nothing had to be removed."""
    is_open: bool
    """Somewhere an object may have members that are not named: closed, it means something else."""
    is_too_large: bool
    """Its unions or optional members are over what is taken."""


class _Closing:
    def __init__(self, where: str) -> None:
        self._where = where
        self.is_exact = True
        self.is_open = False
        self.unions = 0
        self.optional = 0

    def close(self, raw: object, depth: int = 0) -> object:
        if depth > _DEEPEST:
            raise Refusal(self._where, "the schema is nested too deeply")
        if isinstance(raw, bool):
            self.is_exact = False
            return {}
        if not isinstance(raw, dict):
            raise Refusal(self._where, "the schema holds something that is no schema")
        schema: Schema = {}
        told: list[str] = []
        for name, value in raw.items():
            self._member(schema, told, str(name), value, depth)
        if _is_object(schema):
            self._object(raw, schema)
        if told:
            self.is_exact = False
            described = schema.get("description")
            before = f"{described} " if isinstance(described, str) and described else ""
            schema["description"] = f"{before}({', '.join(told)})"
        return schema

    def _member(self, schema: Schema, told: list[str], name: str, value: object, depth: int) -> None:
        if name in _TOLD or (name == "minItems" and value not in (0, 1)):
            told.append(f"{name}: {_short(value)}")
        elif name == "oneOf":
            self.is_exact = False
            self._union(schema, "anyOf", value, depth)
        elif name in ("anyOf", "allOf"):
            self._union(schema, name, value, depth)
        elif name in ("properties", "$defs", "definitions"):
            schema[name] = self._named(name, value, depth)
        elif name == "items":
            schema[name] = self.close(value, depth + 1)
        elif name == "format" and value not in _FORMATS:
            told.append(f"format: {_short(value)}")
        elif name == "additionalProperties":
            self.is_open = self.is_open or value is not False
        elif name == "$ref" and not str(value).startswith("#"):
            raise Refusal(self._where, "the schema refers to something outside of it")
        elif name not in ("$schema", "$id", "examples"):
            schema[name] = value

    def _named(self, name: str, value: object, depth: int) -> Schema:
        if not isinstance(value, dict):
            raise Refusal(self._where, f"{name} of the schema is no object")
        return {key: self.close(inner, depth + 1) for key, inner in value.items()}

    def _union(self, schema: Schema, name: str, value: object, depth: int) -> None:
        if not isinstance(value, list):
            raise Refusal(self._where, f"{name} of the schema is no list")
        self.unions += 1
        schema[name] = [self.close(inner, depth + 1) for inner in value]

    def _object(self, raw: Schema, schema: Schema) -> None:
        named = schema.get("properties")
        count = len(named) if isinstance(named, dict) else 0
        required = raw.get("required")
        self.optional += max(count - (len(required) if isinstance(required, list) else 0), 0)
        if "additionalProperties" not in raw and not count and not any(name in raw for name in UNION_NAMES):
            self.is_open = True
        schema["additionalProperties"] = False


def closed(schema: object, where: str) -> Closed:
    """The schema for `output_config.format`.

    Raises:
        Refusal: It is no schema.
    """
    closing = _Closing(where)
    made = closing.close(schema)
    if not isinstance(made, dict):
        raise Refusal(where, "expected a JSON schema")
    is_too_large = closing.unions > _MOST_UNIONS or closing.optional > _MOST_OPTIONAL
    return Closed(made, closing.is_exact, closing.is_open, is_too_large)


def tool_schema(given: object, where: str) -> tuple[Schema, bool]:
    """The `input_schema` of a tool, and whether its top had to be put into a member `value`.

    Raises:
        Refusal: It is no schema.
    """
    if given is None or given is True or given == {}:
        return {"type": "object", "properties": {}}, False
    if not isinstance(given, dict):
        raise Refusal(where, "expected a JSON schema")
    if any(name in given for name in UNION_NAMES):
        inner = {name: value for name, value in given.items() if name not in ("$defs", "definitions")}
        outer = {name: value for name, value in given.items() if name in ("$defs", "definitions")}
        return {"type": "object", "properties": {"value": inner}, "required": ["value"], **outer}, True
    if "type" not in given:
        return {"type": "object", **given}, False
    if given["type"] != "object":
        raise Refusal(where, "the type of a tool's parameters must be object", hint="put the value into a property")
    return given, False


def _is_object(schema: Schema) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema


def _short(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 200 else f"{text[:200]}…"  # noqa: PLR2004  # for a reader
