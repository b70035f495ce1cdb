"""`/openapi.json`: the table of routes and its types, as OpenAPI 3.1 describes them.

Made from the very types that decode and encode. Pure. Source: OpenAPI 3.1.1; JSON
Schema 2020-12. Used by server/admin/app and tools/docs.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from clearway import __version__
from clearway.config.types import docs_of
from clearway.server.admin.asks import Id
from clearway.server.admin.failures import CODES, Refusal
from clearway.server.admin.routes import ROUTES, Route

Json = dict[str, Any]
_TEMPLATE = "#/components/schemas/{name}"
_SECURITY: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An owner key."},
    "x-clearway-key": {"type": "apiKey", "in": "header", "name": "x-clearway-key", "description": "An owner key."},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "An owner key."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "clearway-8317",
        "description": "A session's cookie: `clearway-PORT`, or `__Host-clearway` behind a proxy with TLS. "
        "What changes something also needs `Origin` and the header `x-clearway-csrf`.",
    },
}


def document() -> Json:
    """The whole description."""
    kinds: list[Any] = [kind for route in ROUTES for kind in (route.body, route.answer) if kind is not None]
    _, schemas = msgspec.json.schema_components([*kinds, Refusal], schema_hook=_anything, ref_template=_TEMPLATE)
    _describe(schemas, [*kinds, Refusal])
    paths: Json = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Clearway admin API",
            "version": __version__,
            "summary": "Keys, exchanges, usage and upstreams of a gateway, for its owner.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SECURITY},
    }


def _anything(kind: type) -> Json:
    """The schema of unknown JSON."""
    if kind is object:
        return {"description": "Any JSON."}  # msgspec takes an empty one for none
    raise NotImplementedError(kind)


def _describe(schemas: Json, kinds: list[Any]) -> None:
    """Fields with the docstrings under them."""
    seen: set[type] = set()
    for kind in kinds:
        for struct in _structs(kind, seen):
            docs: dict[str, str] = {}
            for base in reversed(struct.__mro__):
                if isinstance(base, type) and issubclass(base, msgspec.Struct) and base is not msgspec.Struct:
                    docs |= docs_of(base)
            for name, field in schemas.get(struct.__name__, {}).get("properties", {}).items():
                if docs.get(name):
                    field["description"] = " ".join(docs[name].split())


def _structs(kind: Any, seen: set[type]) -> Iterator[type[msgspec.Struct]]:  # noqa: ANN401  # any type at all
    """All struct types within a type."""
    info = msgspec.inspect.type_info(kind)
    todo = [info]
    while todo:
        one = todo.pop()
        if isinstance(one, msgspec.inspect.StructType):
            if one.cls in seen:
                continue
            seen.add(one.cls)
            yield one.cls
            todo += [field.type for field in one.fields]
        todo += [part for name in ("types", "item_types") for part in getattr(one, name, ())]
        todo += [part for name in ("item_type", "type") if (part := getattr(one, name, None)) is not None]


def _operation(route: Route) -> Json:
    found: Json = {
        "operationId": _name(route),
        "summary": route.summary,
        "tags": [_tag(route.path)],
        "responses": {str(route.status): _answer(route)} | _refusals(route),
    }
    parameters = [_path_id()] if route.has_id else []
    parameters += _parameters(route.query) if route.query is not None else []
    if parameters:
        found["parameters"] = parameters
    if route.body is not None:
        schema, _ = msgspec.json.schema_components([route.body], schema_hook=_anything, ref_template=_TEMPLATE)
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema[0]}}}
    if route.auth == "anyone":
        found["security"] = []
    elif route.auth == "session":
        found["security"] = [{"session": []}]
    else:
        found["security"] = [{name: []} for name in _SECURITY]
    return found


def _answer(route: Route) -> Json:
    told: Json = {"description": route.summary}
    if route.status == 204:  # noqa: PLR2004  # No Content
        return told
    if route.answer is None:
        schema: Json = {"type": "string"}
    elif route.stream is not None:
        name = getattr(route.answer, "__name__", "")
        told["description"] = f"Server-sent events; the data of each is a `{name}`."
        schema = {"type": "string"}
    else:
        schemas, _ = msgspec.json.schema_components([route.answer], schema_hook=_anything, ref_template=_TEMPLATE)
        schema = schemas[0]
    told["content"] = {route.media_type: {"schema": schema}}
    if route.is_slowed:
        told["headers"] = {"set-cookie": {"description": "The session.", "schema": {"type": "string"}}}
    return told


def codes_of(route: Route) -> list[str]:
    """How a route may refuse."""
    codes = ["invalid_request", "invalid_value", "method_not_allowed", "too_slow", "too_large"]
    codes += ["took_too_long", "internal", "overloaded", "ledger_unavailable"]
    if route.auth != "anyone":
        codes += ["invalid_key", "not_allowed"]
    if route.csrf != "none":
        codes += ["cross_site"]
    if route.has_id:
        codes += ["not_found"]
    if route.body is not None:
        codes += ["unsupported_media_type"]
    if route.conflicts:
        codes += ["conflict"]
    if route.is_slowed:
        codes += ["wrong_sign_in", "slow_down"]
    if route.needs_extra:
        codes += ["not_installed"]
    if route.stream is not None:
        codes += ["slow_down"]
    return [code for code in CODES if code in codes]


def _refusals(route: Route) -> Json:
    by_status: dict[int, list[str]] = {}
    for code in codes_of(route):
        by_status.setdefault(CODES[code].status, []).append(code)
    content = {"application/json": {"schema": {"$ref": _TEMPLATE.format(name="Refusal")}}}
    return {
        str(status): {"description": " ".join(f"`{code}`: {CODES[code].meaning}" for code in codes), "content": content}
        for status, codes in sorted(by_status.items())
    }


def _path_id() -> Json:
    return {"name": "id", "in": "path", "required": True, "schema": msgspec.json.schema(Id)}


def _parameters(query: type[msgspec.Struct]) -> list[Json]:
    (_,), schemas = msgspec.json.schema_components([query], schema_hook=_anything, ref_template=_TEMPLATE)
    schema: Json = schemas[query.__name__]
    docs = docs_of(query)
    found = []
    for name, field in schema["properties"].items():
        plain = _without_null(field)
        one: Json = {"name": name, "in": "query", "required": False, "schema": plain}
        if docs.get(name):
            one["description"] = " ".join(docs[name].split())
        if plain.get("type") == "array":
            one |= {"style": "form", "explode": False}
        found.append(one)
    return found


def _without_null(field: Json) -> Json:
    """A parameter is left out rather than null."""
    options = [option for option in field.get("anyOf", ()) if option != {"type": "null"}]
    plain = {name: value for name, value in field.items() if name != "anyOf"} | (options[0] if options else {})
    if None in plain.get("enum", ()):
        plain["enum"] = [value for value in plain["enum"] if value is not None]
    if plain.get("default", 0) is None:
        del plain["default"]
    return plain


def _name(route: Route) -> str:
    words = route.path.removeprefix("/admin").removeprefix("/api").replace("{id}", "one").strip("/")
    return f"{route.method.lower()}_{words}".replace("/", "_").replace("-", "_").replace(".", "_")


def _tag(path: str) -> str:
    word = path.removeprefix("/admin/").removeprefix("api/").strip("/").partition("/")[0]
    return {"accounts": "upstreams", "session": "sessions", "openapi.json": "status"}.get(
        word, "sessions" if word.startswith("sign-in") else word
    )
