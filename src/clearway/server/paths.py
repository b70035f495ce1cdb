"""Which path is what. The string that is judged here is the string that is sent on.

Owns the table of routes and the refusal of paths that another reader could take
for something else: dot segments, empty segments, encoded letters and slashes,
parameters, back slashes. Pure.
"""

import re
from typing import Literal

import msgspec

from clearway.core.errors import BadRequest, NotFound
from clearway.core.exchange import Endpoint, Wire
from clearway.wire.messages.objects import Kind, asked_of

Local = Literal["health", "ready", "probe", "home", "metrics"]
"""What is answered here, without an exchange."""

_PLAIN = re.compile(r"/[A-Za-z0-9._~!$&'()*+,=:@%/-]*")
# `.` and `..` segments; empty segments; an encoded letter, digit, `-._~`, slash,
# back slash, percent sign or control character.
_TRICK = re.compile(
    r"/\.{1,2}(?:/|$)|//"
    r"|%(?:[01][0-9a-fA-F]|2[dDeEfF5]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aAcC]|5[fF]|7[eEfF])"
    r"|%(?![0-9a-fA-F]{2})"
)
_RUN = re.compile(r"/run/([A-Za-z0-9-]{8,64})(/.*)")

_LOCAL: dict[tuple[str, str], Local] = {
    ("GET", "/health"): "health",
    ("HEAD", "/health"): "health",
    ("GET", "/v1/health"): "health",
    ("HEAD", "/v1/health"): "health",
    ("GET", "/ready"): "ready",
    ("HEAD", "/ready"): "ready",
    ("GET", "/"): "home",
    ("GET", "/metrics"): "metrics",
    ("HEAD", "/"): "probe",
    ("GET", "/api/hello"): "probe",
    ("HEAD", "/api/hello"): "probe",
}

_ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", "/v1/messages"): "messages",
    ("POST", "/v1/messages/count_tokens"): "count_tokens",
    ("POST", "/v1/chat/completions"): "messages",
    ("POST", "/v1/responses"): "messages",
    ("POST", "/v1/responses/input_tokens"): "count_tokens",
    ("GET", "/v1/models"): "models",
}
_KNOWN = frozenset(path for _, path in (*_LOCAL, *_ENDPOINTS))
_OBJECTS: dict[Kind, Endpoint] = {"file": "files", "batch": "batches"}
_MODEL = re.compile(r"/v1/models/[^/]+")
_RELAYED = ("/v1/", "/api/")
# Other formats than Anthropic's are never relayed.
_RESPONSES = "/v1/responses"
_NEVER_RELAYED = ("/v1/chat/", _RESPONSES, "/v1/completions", "/v1/embeddings")


class Place(msgspec.Struct, frozen=True):
    """Where a request goes: to one of `local` and `endpoint`."""

    path: str
    run_id: str | None
    local: Local | None = None
    endpoint: Endpoint | None = None
    wire: Wire = "messages"


def place(method: str, raw_path: bytes) -> Place:
    """Find out what is asked for.

    Args:
        method: In upper case.
        raw_path: The path as it was sent, without the query.

    Raises:
        BadRequest: The path can be read in more than one way.
        NotFound: There is nothing there.
    """
    path = raw_path.decode("latin-1")
    if not _PLAIN.fullmatch(path) or _TRICK.search(path):
        hint = "send it without dot segments, empty segments and needless percent-encoding"
        raise BadRequest("the path can be read in more than one way", hint=hint)
    run_id = None
    if run := _RUN.fullmatch(path):
        run_id, path = run[1], run[2]
    if local := _LOCAL.get((method, path)):
        return Place(path, run_id, local=local)
    endpoint = _ENDPOINTS.get((method, path))
    if endpoint is None and method == "GET" and _MODEL.fullmatch(path):
        endpoint = "models"
    if endpoint is None and (asked := asked_of(method, path)):
        endpoint = _OBJECTS[asked.kind]
    if endpoint is None and path.startswith(_RELAYED) and not path.endswith("/") and not _is_ours(path):
        endpoint = "relay"
    if endpoint is None:
        if path.startswith(_RESPONSES):
            hint = "responses are not kept here: send the items of the conversation as input of POST /v1/responses"
        else:
            hint = "the API is under /v1: POST messages, chat/completions, responses, GET models and others"
        raise NotFound(f"{method} {path[:80]} is not served here", hint=hint)
    return Place(path, run_id, endpoint=endpoint, wire=wire_of(path))


def wire_of(path: str) -> Wire:
    """The format in which who asks for a path is answered, errors included."""
    if path.startswith(_RESPONSES):
        return "responses"
    return "chat" if path.startswith(_NEVER_RELAYED) else "messages"


def _is_ours(path: str) -> bool:
    # A known path with another method is no business of an upstream's either.
    return path in _KNOWN or path.startswith(_NEVER_RELAYED)
